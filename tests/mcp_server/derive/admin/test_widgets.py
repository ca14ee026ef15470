"""Inputs and fields that extensions wrote for a page alone: what the page shows and sends is read and saved."""

import base64
import json
from enum import Enum
from typing import Any, ClassVar

import pytest
from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import AdminForm
from django.core.paginator import Paginator
from django.forms import BaseInlineFormSet
from django.http import HttpResponse
from django.utils.safestring import mark_safe

from tests.mcp_server.derive.admin.conftest import boss_of
from tests.mcp_server.derive.admin.vault.models import Case
from tests.mcp_server.derive.admin.vault.people import make_case
from tests.mcp_server.derive.admin.workshop.models import Job, Machine, Part, Shelf, Tag
from tokens.models import ToolCall

pytestmark = pytest.mark.django_db


class TagsInput(forms.TextInput):
    """Shows rows as words, as the inputs of tagging apps do."""

    def format_value(self, value: Any) -> Any:
        return value if value is None or isinstance(value, str) else ", ".join(str(row) for row in value)


class TagsField(forms.CharField):
    widget = TagsInput

    def clean(self, value: Any) -> Any:
        return [Tag.objects.get_or_create(name=word)[0] for word in super().clean(value).split(", ") if word]


class TaggedForm(forms.ModelForm):
    tags = TagsField(required=False)

    class Meta:
        model = Job
        fields: ClassVar = ["name", "tags"]


class TaggedAdmin(admin.ModelAdmin):
    form = TaggedForm


def test_rows_that_a_text_field_shows_as_words_stay_when_another_field_changes():
    job = Job.objects.create(machine=Machine.objects.create(code="S-1", serial="A 1"), name="Cut planks")
    job.tags.set([Tag.objects.create(name=name) for name in ("loud", "red")])
    boss_of((Job, TaggedAdmin)).call("update_job", id=str(job.pk), values={"name": "Cut boards"})
    assert set(Tag.objects.values_list("name", flat=True)) == {"loud", "red"}
    assert set(job.tags.values_list("name", flat=True)) == {"loud", "red"}


class Editor(forms.Textarea):
    """Puts the page's id for it into its script, and reads an empty paragraph as nothing."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        value = data.get(name)
        return None if value == "<p></p>" else value

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> Any:
        script = f"<script>edit({json.dumps(attrs['id'])})</script>"
        return mark_safe(super().render(name, value, attrs, renderer) + script)  # noqa: S308


class EditedForm(forms.ModelForm):
    class Meta:
        model = Tag
        fields: ClassVar = ["name"]
        widgets: ClassVar = {"name": Editor}
        field_classes: ClassVar = {"name": lambda **kwargs: forms.CharField(strip=False, **kwargs)}


class EditedAdmin(admin.ModelAdmin):
    form = EditedForm


def test_an_input_is_asked_what_it_sends_with_the_id_that_the_page_gives_it():
    boss, tag = boss_of((Tag, EditedAdmin)), Tag.objects.create(name="loud")
    boss.call("update_tag", id=tag.pk, values={"name": "<p>quiet"})
    tag.refresh_from_db()
    assert tag.name == "<p>quiet"


class TreeInput(forms.Widget):
    """Hands its script the value itself and not its text."""

    template_name = "django/forms/widgets/textarea.html"

    def format_value(self, value: Any) -> Any:
        return json.loads(value)


class TreeForm(forms.ModelForm):
    class Meta:
        model = Shelf
        fields: ClassVar = ["label", "options"]
        widgets: ClassVar = {"options": TreeInput}


class TreeAdmin(admin.ModelAdmin):
    form = TreeForm


@pytest.mark.parametrize("options", [{"wide": True}, ["oak", "ash"]])
def test_json_is_sent_as_text_also_where_its_input_shows_it_otherwise(options):
    boss, shelf = boss_of((Shelf, TreeAdmin)), Shelf.objects.create(label="Left", options={"old": 1})
    boss.call("update_shelf", id=shelf.pk, values={"options": options})
    boss.call("update_shelf", id=shelf.pk, values={"label": "Right"})
    shelf.refresh_from_db()
    assert (shelf.label, shelf.options) == ("Right", options)


FLAGS = [("wide", "Wide"), ("deep", "Deep")]


class Flags:
    """What a column of bits is read as."""

    def __init__(self, bits: int) -> None:
        self.on = [name for place, (name, _) in enumerate(FLAGS) if bits >> place & 1]


class FlagsInput(forms.CheckboxSelectMultiple):
    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> Any:
        return super().render(name, value.on if isinstance(value, Flags) else value, attrs, renderer)


class FlagsField(forms.IntegerField):
    widget = FlagsInput

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.choices = self.widget.choices = FLAGS

    def clean(self, value: Any) -> int:
        names = [name for name, _ in FLAGS]
        if not all(name in names for name in value or ()):
            raise forms.ValidationError("Unknown choice.")
        return sum(1 << names.index(name) for name in value or ())


class FlaggedForm(forms.ModelForm):
    p = FlagsField(required=False)

    class Meta:
        model = Shelf
        fields: ClassVar = ["label", "p"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["p"] = Flags(self.instance.p)


class FlaggedAdmin(admin.ModelAdmin):
    form = FlaggedForm


def test_a_number_that_its_page_shows_as_boxes_is_written_as_their_list():
    boss, shelf = boss_of((Shelf, FlaggedAdmin)), Shelf.objects.create(label="Left", p=1)
    boss.call("update_shelf", id=shelf.pk, values={"label": "Right"})
    shelf.refresh_from_db()
    assert (shelf.label, shelf.p) == ("Right", 1)
    field = boss.tools()["update_shelf"].input_schema["properties"]["values"]["properties"]["p"]
    assert field["type"] == "array"
    assert field["items"]["enum"] == ["wide", "deep"]
    boss.call("update_shelf", id=shelf.pk, values={"p": ["Wide", "deep"]})
    shelf.refresh_from_db()
    assert shelf.p == 3
    assert "wide, deep" in boss.refused("update_shelf", id=shelf.pk, values={"p": ["high"]})


class WithOptions(forms.ModelForm):
    """Makes a field of each option, which it knows only once it has its row."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("width", "depth"):
            self.fields[name] = forms.IntegerField(required=False)
            self.initial[name] = self.instance.options.get(name)

    def save(self, commit: bool = True) -> Any:
        self.instance.options = {name: self.cleaned_data[name] for name in ("width", "depth")}
        return super().save(commit)


class WithOptionsAdmin(admin.ModelAdmin):
    form, fieldsets = WithOptions, [(None, {"fields": ["label"]})]

    def render_change_form(self, request: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
        form = context["adminform"].form
        context["adminform"] = AdminForm(form, [(None, {"fields": list(form.fields)})], {})
        return super().render_change_form(request, context, *args, **kwargs)


def test_fields_that_a_form_adds_to_its_row_are_read_and_written_where_the_page_shows_them():
    boss, shelf = boss_of((Shelf, WithOptionsAdmin)), Shelf.objects.create(label="Left", options={"width": 8})
    assert {"label", "width", "depth"} <= boss.call("describe_shelf")["values"].keys()
    boss.call("update_shelf", id=shelf.pk, values={"depth": 3})
    found = boss.call("get_shelf", id=shelf.pk)
    assert (found["label"], found["width"], found["depth"]) == ("Left", 8, 3)


class Kind(Enum):
    SAW = "s"
    DRILL = "d"


class KindAdmin(admin.ModelAdmin):
    list_filter = ("kind",)
    readonly_fields = ("best",)

    def best(self, machine: Machine) -> Kind:
        return Kind(machine.kind)


def test_a_member_of_an_enum_is_read_filtered_and_described_by_its_value(monkeypatch):
    monkeypatch.setattr(Machine._meta.get_field("kind"), "choices", [(kind, kind.name) for kind in Kind])
    boss = boss_of((Machine, KindAdmin))
    for code, kind in (("S-1", "s"), ("D-1", "d")):
        Machine.objects.create(code=code, serial=code, kind=kind)
    assert boss.call("get_machine", id="S-1")["best"] == "s"
    assert boss.call("describe_machine")["filters"]["kind"] == ["s", "d"]
    assert [row["id"] for row in boss.call("list_machine", filters={"kind": "d"})["rows"]] == ["D-1"]
    assert [row["id"] for row in boss.call("list_machine", filters={"kind": "SAW"})["rows"]] == ["S-1"]


class PagedFormSet(BaseInlineFormSet):
    """Shows the rows of its first page, and says on the page that there are more."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._queryset = Paginator(self.queryset, 2).page(1).object_list


class PagedInline(admin.TabularInline):
    model, formset, ordering, extra = Part, PagedFormSet, ["pk"], 0


class PagedAdmin(admin.ModelAdmin):
    inlines = [PagedInline]


def test_an_inline_that_shows_the_first_of_its_pages_says_that_there_are_more_rows():
    boss, machine = boss_of((Machine, PagedAdmin)), Machine.objects.create(code="S-1", serial="A 1")
    names = ["Blade", "Belt"]
    parts = [Part.objects.create(machine=machine, name=name) for name in names]
    assert [row["name"] for row in boss.call("get_machine", id="S-1")["parts"]] == names
    Part.objects.create(machine=machine, name="Bolt")
    assert boss.call("get_machine", id="S-1")["parts"][2:] == [{"more": True}]
    boss.call("update_machine", id="S-1", values={"kind": "d", "parts": [{"id": parts[0].pk, "name": "Saw"}]})
    assert list(Part.objects.order_by("pk").values_list("name", flat=True)) == ["Saw", "Belt", "Bolt"]


class ThemedAdmin(admin.ModelAdmin):
    actions = ("mute",)

    def mute(self, request: Any, queryset: Any) -> HttpResponse:
        frame = '<aside>Works, signed in as boss</aside><main><ol class="breadcrumb"><li>Home</li></ol>{}</main>'
        return HttpResponse(f"<body>{frame.format('<p>They cannot be heard any more.</p>')}</body>")


def test_the_frame_that_a_theme_puts_around_a_page_is_not_what_the_page_says():
    boss, tag = boss_of((Tag, ThemedAdmin)), Tag.objects.create(name="loud")
    assert boss.call("action_tag", action="mute", ids=[tag.pk])["says"] == "They cannot be heard any more."


class ScanInput(forms.MultiWidget):
    def __init__(self) -> None:
        super().__init__([forms.ClearableFileInput(), forms.TextInput()])

    def decompress(self, value: Any) -> list[Any]:
        return [value, "centre"]


class ScanField(forms.MultiValueField):
    """A file and what to do with it."""

    def __init__(self, **kwargs: Any) -> None:
        parts = (forms.FileField(required=False), forms.CharField(required=False))
        super().__init__(parts, widget=ScanInput(), require_all_fields=False, **kwargs)

    def compress(self, parts: list[Any]) -> Any:
        return parts[0] if parts else None


class ScannedForm(forms.ModelForm):
    scan = ScanField(required=False)

    class Meta:
        model = Case
        fields: ClassVar = ["title", "scan"]


class ScannedAdmin(admin.ModelAdmin):
    form = ScannedForm


@pytest.mark.parametrize("alone", [True, False])
def test_a_file_with_an_input_beside_it_is_stored_and_removed(alone, tmp_path, settings):
    settings.MEDIA_ROOT = tmp_path
    boss = boss_of((Case, ScannedAdmin))
    case = make_case(boss.user)
    file = {"name": "deed.txt", "content": base64.b64encode(b"Deed").decode()}
    boss.call("update_case", id=case.pk, values={"scan": file if alone else [file, "left"]})
    case.refresh_from_db()
    assert (tmp_path / case.scan.name).read_bytes() == b"Deed"
    boss.call("update_case", id=case.pk, values={"title": "Found deed"})
    boss.call("update_case", id=case.pk, values={"scan": None})
    case.refresh_from_db()
    assert (case.title, case.scan.name) == ("Found deed", "")


class HiddenPartForm(forms.ModelForm):
    class Meta:
        model = Part
        fields: ClassVar = ["name"]
        widgets: ClassVar = {"name": forms.PasswordInput}


class HiddenPartInline(admin.TabularInline):
    model, form, extra = Part, HiddenPartForm, 0


class LateInlinesAdmin(admin.ModelAdmin):
    """Names its inlines when it is asked, as those do that put them between the fieldsets."""

    def get_inlines(self, request: Any, obj: Any) -> Any:
        return [HiddenPartInline]


class PartAdmin(admin.ModelAdmin):
    fields = list_display = ["name"]


def test_inlines_that_a_hook_names_are_known_to_the_audit_and_to_relations():
    boss = boss_of((Machine, LateInlinesAdmin), (Part, PartAdmin))
    Machine.objects.create(code="S-1", serial="A 1")
    boss.call("update_machine", id="S-1", values={"parts": [{"name": "Hunter2"}]})
    assert Part.objects.get().name == "Hunter2"
    assert "Hunter2" not in str(ToolCall.objects.get(tool="update_machine").arguments)
    assert boss.call("related_machine", id="S-1")["counts"] == {"parts": 1}


class LaterInlinesAdmin(admin.ModelAdmin):
    """Names its inlines from a certain day on."""

    begins = False

    def get_inlines(self, request: Any, obj: Any) -> Any:
        return [HiddenPartInline] if LaterInlinesAdmin.begins else []


def test_an_inline_that_a_hook_names_later_is_known_to_the_audit_from_then_on(monkeypatch: pytest.MonkeyPatch):
    boss = boss_of((Machine, LaterInlinesAdmin))
    Machine.objects.create(code="S-1", serial="A 1")
    boss.call("update_machine", id="S-1", values={"serial": "A 2"})
    monkeypatch.setattr(LaterInlinesAdmin, "begins", True)
    boss.call("update_machine", id="S-1", values={"parts": [{"name": "Hunter2"}]})
    assert "Hunter2" not in str(ToolCall.objects.latest("pk").arguments)
