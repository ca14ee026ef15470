"""The traps of whole applications (a shop, two content systems, trees of rows), each made small."""

from typing import Any, ClassVar

import pytest
from django import forms
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db.models import CharField
from django.forms.models import BaseInlineFormSet
from django.http import HttpResponse
from django.template.response import TemplateResponse

from tests.everything.models import Gadget
from tests.factories import make_user
from tests.mcp_server.derive.admin.conftest import Caller, boss_of, server_of, site_of
from tests.mcp_server.derive.admin.workshop.models import Job, Machine, Note, Part, Tag

pytestmark = pytest.mark.django_db


class SlugForm(forms.ModelForm):
    def clean_slug(self) -> str:
        return self.cleaned_data["slug"] or "made-up"


class SlugAdmin(admin.ModelAdmin):
    form = SlugForm
    fields = ["name", "slug", "address", "count"]


def test_what_a_form_only_tidies_stays_as_it_is_in_a_field_nobody_gave():
    gadget = Gadget.objects.create(name=" Lamp ", address=None)
    answer = boss_of((Gadget, SlugAdmin)).call("update_gadget", id=gadget.pk, values={"count": 2})
    assert answer["changed"] == {"count": [0, 2], "slug": ["", "made-up"]}
    gadget.refresh_from_db()
    assert (gadget.name, gadget.address, gadget.slug) == (" Lamp ", None, "made-up")


class PressForm(forms.ModelForm):
    class Meta:
        model = Part
        fields = ["name", "api_key"]


class KindsFormSet(BaseInlineFormSet):
    """Builds each form by a class of its row's kind, whatever `form` says."""

    def _construct_form(self, i: int, **kwargs: Any) -> Any:
        own, self.form = self.form, PressForm
        try:
            return super()._construct_form(i, **kwargs)
        finally:
            self.form = own


class PartInline(admin.TabularInline):
    model = Part
    formset = KindsFormSet


class PartsAdmin(admin.ModelAdmin):
    inlines = [PartInline]


def test_rows_whose_forms_are_of_several_classes_stay_as_they_are():
    machine = Machine.objects.create(code="S-1", serial="A 1")
    part = Part.objects.create(machine=machine, name="Blade", api_key="k")
    boss = boss_of((Machine, PartsAdmin))
    boss.call("update_machine", id="S-1", values={"checked": True})
    boss.call("update_machine", id="S-1", values={"parts": [{"id": part.pk, "name": "Disc"}, {"name": "Belt"}]})
    assert list(machine.parts.order_by("pk").values_list("name", "api_key")) == [("Disc", "k"), ("Belt", "")]
    boss.call("update_machine", id="S-1", values={"parts": [{"id": part.pk, "delete": True}]})
    assert list(machine.parts.values_list("name", flat=True)) == ["Belt"]


class BuiltByScript(forms.Textarea):
    """An input of parts that only a script in the page makes, and that cannot do without them."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        return [data[f"{name}-{number}"] for number in range(int(data[f"{name}-count"]))]


class ScriptAdmin(admin.ModelAdmin):
    fields = ["text", "object_id"]
    formfield_overrides: ClassVar = {CharField: {"widget": BuiltByScript}}

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "object_id":
            field.widget = forms.TextInput()
        return field


def test_an_input_that_a_script_builds_is_left_alone_and_refused_by_name():
    kind = ContentType.objects.get_for_model(Machine)
    note = Note.objects.create(text="Mind the knots", content_type=kind, object_id="S-1")
    boss = boss_of((Note, ScriptAdmin))
    assert boss.call("update_note", id=note.pk, values={"object_id": "D-1"})["changed"] == {"object_id": ["S-1", "D-1"]}
    refusal = boss.refused("update_note", id=note.pk, values={"text": "Mind the dog"})
    assert "text: What this field's page sends cannot be made here." in refusal
    note.refresh_from_db()
    assert (note.text, note.object_id) == ("Mind the knots", "D-1")


class AskingNobodyAdmin(admin.ModelAdmin):
    def has_change_permission(self, request: Any, obj: Any = None) -> bool:
        return True

    has_delete_permission = has_change_permission


def test_a_limited_token_writes_nothing_that_asks_no_permission():
    machine = Machine.objects.create(code="S-1", serial="A 1")
    server = server_of(site_of((Machine, AskingNobodyAdmin)))
    clerk = make_user("clerk", "workshop.view_machine", "workshop.add_machine", staff=True)
    limited = Caller(server, clerk, access="limited")
    limited.token.permissions.set(Permission.objects.filter(codename__in=["view_machine", "add_machine"]))
    assert {"list_machine", "create_machine"} <= limited.tools().keys()
    assert not {"update_machine", "delete_machine"} & limited.tools().keys()
    bulk = {"operation": "update", "items": [{"id": "S-1", "values": {"kind": "d"}}]}
    assert "may not change" in limited.refused("bulk_machine", **bulk)
    Caller(server, clerk).call("update_machine", id=machine.pk, values={"kind": "d"})


class OwnDeleteAdmin(admin.ModelAdmin):
    def delete_view(self, request: Any, object_id: str, *args: Any) -> HttpResponse:
        self.get_object(request, object_id).delete()
        return HttpResponse("Gone.")


class WarningAdmin(admin.ModelAdmin):
    def delete_view(self, request: Any, object_id: str, *args: Any) -> Any:
        return TemplateResponse(request, "admin/delete_confirmation.html", {"perms_lacking": ["folder"]})


def test_trying_a_delete_hears_what_a_page_of_its_own_says():
    Machine.objects.create(code="S-1", serial="A 1")
    refusal = boss_of((Machine, WarningAdmin)).refused("delete_machine", id="S-1", dry_run=True)
    assert refusal == "Your user may not delete what would go with it: folder."


def test_a_row_is_deleted_when_it_is_gone_whichever_way_the_page_went():
    Machine.objects.create(code="S-1", serial="A 1")
    boss = boss_of((Machine, OwnDeleteAdmin))
    assert boss.call("delete_machine", id="S-1")["deleted"]["id"] == "S-1"
    assert not Machine.objects.exists()


def test_a_choice_that_stands_for_null_filters_rows_without_a_value():
    Machine.objects.create(code="S-1", serial="A 1")
    Machine.objects.create(code="S-2", serial="A 2", checked=True)

    class CheckedAdmin(admin.ModelAdmin):
        list_filter = ("checked",)

    field = Machine._meta.get_field("checked")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(field, "choices", [(None, "Unknown"), (True, "Fine"), (False, "Broken")])
        boss = boss_of((Machine, CheckedAdmin))
        for value in ("None", "Unknown", None):
            assert [row["id"] for row in boss.call("list_machine", filters={"checked": value})["rows"]] == ["S-1"]


class RankedFormSet(BaseInlineFormSet):
    """Adds a field of its own to every form, which the page sends with the row."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        form.fields["rank"] = forms.IntegerField(initial=7)


class RankedInline(admin.TabularInline):
    model = Part
    formset = RankedFormSet


class RankedAdmin(admin.ModelAdmin):
    inlines = (RankedInline,)


def test_what_a_formset_adds_to_its_forms_is_sent_as_the_page_sends_it():
    machine = Machine.objects.create(code="S-1", serial="A 1")
    Part.objects.create(machine=machine, name="Blade")
    boss = boss_of((Machine, RankedAdmin))
    assert boss.call("update_machine", id="S-1", values={"kind": "d"})["changed"] == {"kind": ["s", "d"]}
    boss.call("update_machine", id="S-1", values={"parts": [{"name": "Belt"}]})
    assert machine.parts.count() == 2


class WordsForm(forms.ModelForm):
    """Takes a selection as words, and makes those that are not there yet."""

    tags = forms.CharField(required=False)

    class Meta:
        model = Job
        fields = ("name", "tags")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["tags"] = ", ".join(map(str, self.initial.get("tags", ())))

    def clean_tags(self) -> list[str]:
        return [word.strip() for word in self.cleaned_data["tags"].split(",") if word.strip()]

    def _save_m2m(self) -> None:
        self.instance.tags.set(Tag.objects.get_or_create(name=word)[0] for word in self.cleaned_data["tags"])


class WordsAdmin(admin.ModelAdmin):
    form = WordsForm

    def save_related(self, *args: Any) -> None:
        super().save_related(*args)


def test_a_selection_that_is_written_as_words_is_saved_and_stays():
    job = Job.objects.create(machine=Machine.objects.create(code="S-1", serial="A 1"), name="Cut planks")
    boss = boss_of((Job, WordsAdmin))
    boss.call("update_job", id=str(job.pk), values={"tags": "loud, red"})
    boss.call("update_job", id=str(job.pk), values={"name": "Cut boards"})
    assert sorted(job.tags.values_list("name", flat=True)) == ["loud", "red"]


class AboutAdmin(admin.ModelAdmin):
    list_display = ["text", "about"]


def test_a_list_may_refer_to_rows_of_several_models():
    machine, tag = Machine.objects.create(code="S-1", serial="A 1"), Tag.objects.create(name="Loud")
    for row in (tag, Job.objects.create(machine=machine, name="Sharpen")):
        Note.objects.create(text=f"Of {row}", about=row)
    rows = boss_of((Note, AboutAdmin)).call("list_note")["rows"]
    assert {row["about"]["label"] for row in rows} == {"Sharpen on Saw S-1", "Loud"}


class LikeTheLastAdmin(admin.ModelAdmin):
    """Begins with the newest row, as settings do of which the newest row counts."""

    fields = ["name", "count"]

    def add_view(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        request.GET = request.GET.copy()
        request.GET.update({"count": Gadget.objects.latest("pk").count, "name": "A copy"})
        return super().add_view(request, *args, **kwargs)


def test_a_new_row_begins_with_what_the_view_gives_its_page():
    Gadget.objects.create(name="Lamp", count=7)
    boss = boss_of((Gadget, LikeTheLastAdmin))
    boss.call("create_gadget", values={"name": "Torch"})
    boss.call("create_gadget", values={"count": 8})
    assert list(Gadget.objects.order_by("pk").values_list("name", "count")) == [
        ("Lamp", 7),
        ("Torch", 7),
        ("A copy", 8),
    ]


class DraftAdmin(admin.ModelAdmin):
    """Adds an empty row as soon as its page opens."""

    fields = ["name"]

    def add_view(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        Gadget.objects.create(name="Draft")
        return super().add_view(request, *args, **kwargs)


def test_asking_what_a_page_begins_with_leaves_no_rows():
    boss_of((Gadget, DraftAdmin)).call("create_gadget", values={"name": "Torch"})
    assert list(Gadget.objects.order_by("pk").values_list("name", flat=True)) == ["Draft", "Torch"]


class OneRowAdmin(admin.ModelAdmin):
    """Saves every row as the first one, as settings do of which there is one row."""

    fields = ["name"]

    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        obj.pk = Gadget.objects.earliest("pk").pk
        super().save_model(request, obj, form, change)


def test_a_row_that_would_be_saved_over_another_one_is_refused():
    lamp, torch = Gadget.objects.create(name="Lamp"), Gadget.objects.create(name="Torch")
    boss = boss_of((Gadget, OneRowAdmin))
    assert "another row" in boss.refused("update_gadget", id=torch.pk, values={"name": "Bulb"})
    boss.call("update_gadget", id=lamp.pk, values={"name": "Floor lamp"})
    assert list(Gadget.objects.order_by("pk").values_list("name", flat=True)) == ["Floor lamp", "Torch"]


class HistoryFilter(admin.ListFilter):
    """Offers a link, and leaves what it does to the ModelAdmin."""

    title = parameter_name = "history"

    def __init__(self, request: Any, params: Any, *args: Any) -> None:
        super().__init__(request, params, *args)
        if "history" in params:
            self.used_parameters["history"] = params.pop("history")

    def has_output(self) -> bool:
        return True

    def choices(self, changelist: Any) -> Any:
        yield {"selected": True, "display": "Now", "query_string": changelist.get_query_string({}, ["history"])}
        yield {"selected": False, "display": "All", "query_string": changelist.get_query_string({"history": "1"})}

    def queryset(self, request: Any, queryset: Any) -> Any:
        return queryset

    def expected_parameters(self) -> list[str]:
        return ["history"]


class HistoryAdmin(admin.ModelAdmin):
    list_filter = [HistoryFilter]

    def get_queryset(self, request: Any) -> Any:
        rows = super().get_queryset(request)
        return rows if request.GET.get("history") == "1" else rows.filter(count__gt=0)


def test_a_filter_may_leave_its_work_to_the_model_admin():
    Gadget.objects.create(name="Lamp", count=1)
    Gadget.objects.create(name="Torch", count=0)
    boss = boss_of((Gadget, HistoryAdmin))
    assert boss.call("list_gadget")["total"] == 1
    assert boss.call("list_gadget", filters={"history": "1"})["total"] == 2
    assert "use one of" in boss.refused("list_gadget", filters={"history": "2"})
