"""What admin extensions that many projects install do to filters, forms and formsets, made small."""

from decimal import Decimal
from typing import Any, ClassVar

import pytest
from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.forms import BaseInlineFormSet
from django.http import HttpResponse
from django.urls import path
from django.utils.html import format_html

from tests.mcp_server.derive.admin.conftest import boss_of, caller_of, site_of
from tests.mcp_server.derive.admin.workshop.models import Access, Job, Machine, Part, Tag

pytestmark = pytest.mark.django_db


class TextFilter(admin.SimpleListFilter):
    """The recipe for a filter with an input: its one choice is no pair, and any text is a value."""

    title, parameter_name = "name begins", "begins"

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return ((),)

    def queryset(self, request: Any, queryset: Any) -> Any:
        return queryset.filter(name__startswith=self.value()) if self.value() else queryset


class RangeFilter(admin.FieldListFilter):
    """A filter with inputs of its own, which shows everything for what it cannot read."""

    def expected_parameters(self) -> list[str]:
        return [f"{self.field_path}__from"]

    def choices(self, changelist: Any) -> Any:
        return []

    def has_output(self) -> bool:
        return True

    def queryset(self, request: Any, queryset: Any) -> Any:
        given = self.used_parameters.get(f"{self.field_path}__from", [""])[-1]
        return queryset.filter(**{f"{self.field_path}__gte": given}) if given.isalpha() else queryset


class FilteredAdmin(admin.ModelAdmin):
    list_filter = [TextFilter, ("name", RangeFilter)]


def test_filters_of_a_projects_own_take_what_their_inputs_send():
    boss = boss_of((Tag, FilteredAdmin))
    for name in ("loud", "quiet", "new"):
        Tag.objects.create(name=name)
    offered = boss.call("describe_tag")["filters"]
    assert {"begins", "name__from"} <= set(offered)
    assert [row["label"] for row in boss.call("list_tag", filters={"begins": "lo"})["rows"]] == ["loud"]
    assert boss.call("list_tag", filters={"name__from": "n"}, count_only=True)["total"] == 2
    assert "name__from: use one of: what the filter" in boss.refused("list_tag", filters={"name__from": "7"})


class KeyFilter(admin.FieldListFilter):
    """Looks into the address itself, takes several values behind one comma, and names its parameter without a list."""

    def expected_parameters(self) -> Any:
        return f"{self.field_path}__in"

    def choices(self, changelist: Any) -> Any:
        return []

    def has_output(self) -> bool:
        return True

    def __init__(self, field: Any, request: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(field, request, *args, **kwargs)
        self.chosen = request.GET.get(f"{self.field_path}__in", "")

    def queryset(self, request: Any, queryset: Any) -> Any:
        return queryset.filter(**{f"{self.field_path}__in": self.chosen.split(",")}) if self.chosen else queryset


class NumberedFilter(admin.SimpleListFilter):
    title, parameter_name = "place", "place"

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return [("1", "first"), ("2", "second")]

    def queryset(self, request: Any, queryset: Any) -> Any:
        return queryset.filter(pk=int(self.value())) if self.value() else queryset


class RadioFilter(admin.ChoicesFieldListFilter):
    pass


class MenuFilter(admin.ChoicesFieldListFilter):
    pass


class SeveralFiltersAdmin(admin.ModelAdmin):
    list_filter = [("serial", KeyFilter), ("kind", RadioFilter), ("kind", MenuFilter)]


def test_filters_that_share_a_name_or_read_the_address_themselves_are_not_taken_for_idle():
    boss = boss_of((Machine, SeveralFiltersAdmin))
    for code, kind in (("S-1", "s"), ("D-1", "d"), ("D-2", "d")):
        Machine.objects.create(code=code, serial=f"A-{code}", kind=kind)
    assert boss.call("list_machine", filters={"kind__exact": "d"}, count_only=True)["total"] == 2
    assert boss.call("list_machine", filters={"serial__in": "A-S-1,A-D-2"}, count_only=True)["total"] == 2
    assert boss.call("list_machine", filters={"serial__in": ["A-S-1", "A-D-2"]}, count_only=True)["total"] == 2
    assert "s" not in boss.call("describe_machine")["filters"]


class NumberedAdmin(admin.ModelAdmin):
    list_filter = [NumberedFilter]


def test_a_value_over_which_a_filter_fails_is_refused_with_its_choices():
    text = boss_of((Tag, NumberedAdmin)).refused("list_tag", filters={"place": "third"})
    assert text == "filters: place: use one of: 1, 2."


class EagerFormSet(BaseInlineFormSet):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for number, form in enumerate(self.extra_forms):
            form.initial["name"] = f"Part {number + 1}"


class EagerInline(admin.TabularInline):
    model, formset, extra = Part, EagerFormSet, 1


class EagerAdmin(admin.ModelAdmin):
    inlines = [EagerInline]


def test_a_formset_that_looks_at_its_forms_at_once_is_filled_by_then():
    boss = boss_of((Machine, EagerAdmin))
    Machine.objects.create(code="S-1", serial="A/1")
    boss.call("update_machine", id="S-1", values={"kind": "d"})
    boss.call("update_machine", id="S-1", values={"parts": [{"name": "Blade"}, {"api_key": "x"}]})
    assert list(Part.objects.values_list("name", flat=True)) == ["Blade", "Part 2"]
    assert "kind" in boss.call("describe_machine")["values"]


class DoneAdmin(admin.ModelAdmin):
    """Rows are made elsewhere, and nothing of them can be changed."""

    def has_add_permission(self, request: Any) -> bool:
        return False

    def get_readonly_fields(self, request: Any, obj: Any = None) -> Any:
        return [field.name for field in obj._meta.fields]


def test_read_only_fields_that_are_taken_from_the_row_are_asked_of_a_row():
    boss = boss_of((Tag, DoneAdmin))
    tag = Tag.objects.create(name="loud")
    assert boss.call("describe_tag")["read_only"] == ["id", "name"]
    assert boss.call("list_tag", fields=["name"])["rows"] == [{"id": tag.pk, "label": "loud", "name": "loud"}]
    assert boss.call("get_tag", id="loud")["name"] == "loud"


class ExportForm(forms.Form):
    format = forms.ChoiceField(choices=[("0", "csv"), ("1", "xlsx")])
    items = forms.CharField(widget=forms.HiddenInput)


class ExportAdmin(admin.ModelAdmin):
    """Its action shows a form that goes to a page of its own, which answers with a file."""

    actions = ["export", "leave"]

    def get_urls(self) -> Any:
        return [path("export/", self.admin_site.admin_view(self.made), name="made"), *super().get_urls()]

    def made(self, request: Any) -> Any:
        if not request.user.has_perm("workshop.change_tag"):
            raise PermissionDenied
        form = ExportForm(request.POST)
        if not form.is_valid():
            return self.page(form, request.path)
        text = ",".join(Tag.objects.filter(pk__in=form.cleaned_data["items"].split()).values_list("name", flat=True))
        return HttpResponse(text, "text/csv", headers={"Content-Disposition": 'attachment; filename="tags.csv"'})

    def export(self, request: Any, queryset: Any) -> Any:
        items = " ".join(str(tag.pk) for tag in queryset)
        return self.page(ExportForm(initial={"items": items}), "/exporting/workshop/tag/export/?kind=tags")

    def leave(self, request: Any, queryset: Any) -> Any:
        return self.page(ExportForm(), "/exporting/workshop/machine/add/")

    def page(self, form: forms.Form, address: str) -> Any:
        return HttpResponse(format_html('<form method="post" action="{}">{}<button></form>', address, form.as_p()))


exporting = admin.AdminSite(name="exporting")
exporting.register(Tag, ExportAdmin)
exporting.register(Machine)
urlpatterns = [path("exporting/", exporting.urls)]


@pytest.fixture
def tags(db):
    for name in ("loud", "new", "old"):
        Tag.objects.create(name=name)


@pytest.mark.urls(__name__)
def test_an_actions_form_goes_where_its_page_sends_it(tags):
    boss = caller_of(exporting)
    asked = boss.call("action_tag", action="export", ids=["loud", "old"])
    assert asked["parameters"]["format"]["labels"] == {"0": "csv", "1": "xlsx"}
    refusal = boss.refused("action_tag", action="export", ids=["loud"], confirm=True, parameters={"format": "7"})
    assert "format: Select a valid choice" in refusal
    done = boss.result("action_tag", action="export", ids=["loud", "old"], confirm=True, parameters={"format": "0"})
    assert done.content[1].resource.text == "loud,old"
    assert done.structured_content["file"] == "tags.csv"
    refusal = boss.refused("action_tag", action="leave", ids=["loud"], confirm=True)
    assert "/exporting/workshop/machine/add/, where no tool goes" in refusal


@pytest.mark.urls(__name__)
def test_the_page_an_actions_form_goes_to_asks_for_its_own_permission(tags):
    viewer = caller_of(exporting, "workshop.view_tag")
    assert "may not" in viewer.refused("action_tag", action="export", ids=["loud"], confirm=True)


class Size:
    """A number with a unit, as a money field has an amount with a currency."""

    def __init__(self, number: Any, unit: str) -> None:
        self.number, self.unit = Decimal(number), unit

    def __str__(self) -> str:
        return f"{self.number} {self.unit}"


class SizeWidget(forms.MultiWidget):
    def decompress(self, value: Any) -> list[Any]:
        return [None, "cm"] if value is None else [value.number, value.unit]


class SizeField(forms.MultiValueField):
    def __init__(self, **kwargs: Any) -> None:
        number, unit = forms.DecimalField(decimal_places=1), forms.ChoiceField(choices=[("cm", "cm"), ("m", "Metres")])
        super().__init__((number, unit), widget=SizeWidget((number.widget, unit.widget)), **kwargs)

    def compress(self, values: Any) -> Size:
        return Size(*values)


class SizedForm(forms.ModelForm):
    size = SizeField()

    class Meta:
        model = Tag
        fields: ClassVar = ["size"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["size"] = Size(*self.instance.name.split()) if self.instance.name else None

    def save(self, commit: bool = True) -> Any:
        self.instance.name = str(self.cleaned_data["size"])
        return super().save(commit)


class Words:
    def __init__(self, text: str) -> None:
        self.words = text.split()

    def __len__(self) -> int:
        return len(self.words)

    def __iter__(self) -> Any:
        return iter(self.words)

    def __str__(self) -> str:
        return " and ".join(self.words)


class SizedAdmin(admin.ModelAdmin):
    form, readonly_fields = SizedForm, ["words"]

    def words(self, tag: Tag) -> Words:
        return Words(tag.name)


@pytest.mark.parametrize(
    ("size", "name"),
    [
        (["3.5", "m"], "3.5 m"),
        ([3, "Metres"], "3 m"),
        ("4", "4 cm"),
        ({"multiply": "1.5"}, "3.0 cm"),
    ],
)
def test_a_field_of_several_inputs_takes_a_value_for_each(size, name):
    boss, tag = boss_of((Tag, SizedAdmin)), Tag.objects.create(name="2.0 cm")
    described = boss.call("describe_tag")["values"]["size"]
    assert described["prefixItems"][1]["enum"] == ["cm", "m"]
    assert boss.call("update_tag", id=tag.pk, values={"size": size})["changed"]["size"][0] == "2.0 cm"
    tag.refresh_from_db()
    assert tag.name == name
    assert boss.call("get_tag", id=tag.pk)["words"] == name.split()


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (["3"], "Give a list of 2 values"),
        ("long", "Give a number"),
        (["3", "ft"], "'ft' is not allowed"),
        (None, "This field is required"),
        ([None, None], "Give a list of 2 values"),
    ],
)
def test_a_value_that_fits_no_input_is_refused_beside_its_field(size, text):
    boss, tag = boss_of((Tag, SizedAdmin)), Tag.objects.create(name="2.0 cm")
    refusal = boss.refused("update_tag", id=tag.pk, values={"size": size})
    assert "size: " in refusal
    assert text in refusal


class FussyWidget(forms.TextInput):
    def format_value(self, value: Any) -> str:
        raise TypeError("Only a colour can be drawn.")


class FussyForm(forms.ModelForm):
    class Meta:
        model = Tag
        fields: ClassVar = ["name"]
        widgets: ClassVar = {"name": FussyWidget}


class FussyAdmin(admin.ModelAdmin):
    form = FussyForm


def test_a_widget_that_cannot_show_a_value_refuses_it():
    boss = boss_of((Tag, FussyAdmin))
    assert "name: " in boss.refused("create_tag", values={"name": "loud"})


class LaterAdmin(admin.ModelAdmin):
    """Asks for a name first and for the rest afterwards, as the admin of users does."""

    def get_fields(self, request: Any, obj: Any = None) -> Any:
        return ["name", "machine", "tags"] if obj else ["name", "machine"]


def test_values_are_found_for_a_field_that_only_an_existing_row_has():
    boss = boss_of((Job, LaterAdmin))
    Tag.objects.create(name="loud")
    assert [row["label"] for row in boss.call("autocomplete_job", field="tags")["rows"]] == ["loud"]
    assert boss.call("autocomplete_job", field="machine")["rows"] == []


class AccessAdmin(admin.ModelAdmin):
    actions = ["renew"]

    def renew(self, request: Any, queryset: Any) -> None:
        for access in queryset:
            self.message_user(request, f"{access} is renewed.")

    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        obj.api_token = obj.api_token or "made-4b1d0c7e9a2f6835"
        super().save_model(request, obj, form, change)

    def has_delete_permission(self, request: Any, obj: Any = None) -> bool:
        return obj is None or obj.kind == "s"


class FormlessAdmin(AccessAdmin):
    fields = ["code", "serial", "kind"]


calling = admin.AdminSite(name="calling")
calling.register(Access, FormlessAdmin)
urlpatterns.append(path("calling/", calling.urls))


@pytest.mark.urls(__name__)
def test_a_row_that_is_called_by_its_secret_is_told_without_it():
    boss = caller_of(calling)
    made = boss.call("create_access", values={"code": "A-1", "serial": "1"})
    Access.objects.create(code="A-2", serial="2", api_token="kept-4b1d0c7e9a2f6835", kind="d")
    answers = [
        made,
        boss.call("list_access"),
        boss.call("get_access", id="A-2"),
        boss.call("update_access", id="A-2", values={"serial": "3"}),
        boss.call("history_access", id="A-2"),
        boss.call("autocomplete_access"),
        boss.call("action_access", action="renew", ids=["A-1", "A-2"]),
        boss.call("action_access", action="delete_selected", ids=["A-1"]),
        boss.call("delete_access", id="A-1", dry_run=True),
        boss.refused("delete_access", id="A-2"),
        boss.refused("get_access", id="kept-4b1d0c7e9a2f6835", fields=["api_token"]),
        boss.ask(lambda client: client.read_resource("django://workshop.access/A-2")),
        boss.ask(lambda client: client.get_prompt("renew_access", {"rows": "A-1, A-2"})),
    ]
    assert "4b1d0c7e9a2f6835" not in str(answers)
    assert str(answers).count("[secret]") > 10


def test_a_word_in_a_field_named_like_a_secret_is_still_a_word():
    boss = boss_of((Access, FormlessAdmin))
    Access.objects.create(code="A-1", serial="1", api_token="default_language_of_all")
    assert boss.call("list_access")["rows"][0]["label"] == "default_language_of_all"


class KindsField(forms.MultipleChoiceField):
    """Shows what the row has as a list of keys; takes nothing else than such a list."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=[("s", "Saws"), ("d", "Drills")], **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return list(value) if isinstance(value, Words) else value


class KindsForm(forms.ModelForm):
    kinds = KindsField()

    class Meta:
        model = Tag
        fields: ClassVar = ["name"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["kinds"] = Words("s d")

    def clean(self) -> Any:
        if self.cleaned_data.get("kinds") != ["s", "d"]:
            raise forms.ValidationError("Only what the page shows may be posted.")
        return self.cleaned_data


class KindsAdmin(admin.ModelAdmin):
    form = KindsForm


def test_a_field_that_is_left_out_is_cleaned_as_the_page_posts_it():
    boss, tag = boss_of((Tag, KindsAdmin)), Tag.objects.create(name="loud")
    boss.call("update_tag", id=tag.pk, values={"name": "quiet"})
    boss.call("create_tag", values={"name": "new"})
    assert sorted(Tag.objects.values_list("name", flat=True)) == ["new", "quiet"]


class RawAdmin(admin.ModelAdmin):
    fields, raw_id_fields = ["name", "machine"], ["machine"]


def test_a_row_the_caller_may_not_look_up_is_written_by_the_id_that_was_read():
    clerk = caller_of(site_of((Job, RawAdmin)), "workshop.view_job", "workshop.change_job")
    saw, drill = (Machine.objects.create(code=f"{kind}-1", serial=f"{kind}/1", kind=kind) for kind in "sd")
    job = Job.objects.create(machine=saw, name="Cut")
    read = clerk.call("get_job", id=str(job.pk))["machine"]
    assert read["id"] == "s-1"
    clerk.call("update_job", id=str(job.pk), values={"machine": {**read, "id": drill.pk}})
    job.refresh_from_db()
    assert job.machine == drill
    for name in ({"id": "x-1"}, {"label": "Saw s-1"}, "Saw s-1", {"serial": "s/1"}):
        refusal = clerk.refused("update_job", id=str(job.pk), values={"machine": name})
        assert "machine: Give an id: you may not look these rows up" in refusal
