"""What helpdesks, forums, wikis and networks of organizations expect of a page, each made small."""

from typing import Any, ClassVar

import pytest
from django import forms
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import DateTimeField
from django.forms.models import BaseInlineFormSet
from django.utils import timezone
from django.utils.functional import cached_property

from tests.mcp_server.derive.admin.conftest import boss_of, caller_of, site_of
from tests.mcp_server.derive.admin.workshop.models import Job, Machine, Note, Part, Payment, Shelf, Tag

pytestmark = pytest.mark.django_db


class Markup:
    """What a column of marked-up text gives: not the text, but a view of the row it is in."""

    def __init__(self, row: Any) -> None:
        self.row = row

    def __str__(self) -> str:
        return str(vars(self.row)["text"])


class MarkupColumn:
    def __get__(self, row: Any, kind: Any = None) -> Any:
        return self if row is None else Markup(row)

    def __set__(self, row: Any, value: Any) -> None:
        vars(row)["text"] = str(value)


@pytest.fixture
def note(monkeypatch: pytest.MonkeyPatch) -> Note:
    monkeypatch.setattr(Note, "text", MarkupColumn())
    monkeypatch.setattr(Note, "__str__", lambda note: note.object_id)
    kind = ContentType.objects.get_for_model(Machine)
    return Note.objects.create(text=" *Mind* the knots ", content_type=kind, object_id="S-1")


class NoteAdmin(admin.ModelAdmin):
    fields = ("text", "object_id")


def test_a_column_that_shows_itself_as_an_object_changes_only_when_its_text_does(note: Note):
    boss = boss_of((Note, NoteAdmin))
    answer = boss.call("update_note", id=note.pk, values={"object_id": "D-1"})
    assert answer["changed"] == {"object_id": ["S-1", "D-1"]}
    assert Note.objects.values_list("text", flat=True).get() == " *Mind* the knots "
    answer = boss.call("update_note", id=note.pk, values={"text": "*Mind* the dog"})
    assert answer["changed"] == {"text": [" *Mind* the knots ", "*Mind* the dog"]}


def test_what_a_label_remembers_is_not_remembered_from_before_the_change(monkeypatch: pytest.MonkeyPatch):
    shout = cached_property(lambda tag: tag.name.upper())
    shout.__set_name__(Tag, "shout")
    monkeypatch.setattr(Tag, "shout", shout, raising=False)
    monkeypatch.setattr(Tag, "__str__", lambda tag: tag.shout)
    Tag.objects.create(name="oak")
    boss = boss_of((Tag, admin.ModelAdmin))
    assert boss.call("update_tag", id="OAK", values={"name": "elm"})["updated"]["label"] == "ELM"
    assert LogEntry.objects.get().object_repr == "ELM"


class LastModified(DateTimeField):
    """Sets itself whenever its row is saved, as the time stamps of many packages do."""

    def pre_save(self, row: Any, add: bool) -> Any:
        setattr(row, self.attname, timezone.now())
        return getattr(row, self.attname)


class ShelfAdmin(admin.ModelAdmin):
    fields = ("label", "seen")
    readonly_fields: ClassVar = ("seen",)


def test_a_time_stamp_that_sets_itself_is_no_change(monkeypatch: pytest.MonkeyPatch):
    seen = Shelf._meta.get_field("seen")
    monkeypatch.setattr(seen, "__class__", LastModified)
    shelf = Shelf.objects.create(label="Top")
    boss = boss_of((Shelf, ShelfAdmin))
    assert boss.call("update_shelf", id=shelf.pk, values={"label": "Top"})["changed"] == {}
    assert not LogEntry.objects.exists()
    assert boss.call("update_shelf", id=shelf.pk, values={"label": "Low"})["changed"] == {"label": ["Top", "Low"]}


class AlwaysSavedForm(forms.ModelForm):
    """Saves the row that a page shows empty, with the values it begins with."""

    name = forms.CharField(initial="Blade")

    def has_changed(self) -> bool:
        return self.instance._state.adding or super().has_changed()


class AlwaysOneInline(admin.TabularInline):
    model = Part
    form = AlwaysSavedForm
    max_num = 1


class AlwaysOneAdmin(admin.ModelAdmin):
    inlines = (AlwaysOneInline,)


def test_a_row_that_the_page_saves_though_nobody_fills_it_is_saved():
    machine = Machine.objects.create(code="S-1", serial="A 1")
    boss = boss_of((Machine, AlwaysOneAdmin))
    added = boss.call("update_machine", id="S-1", values={"kind": "d"})["changed"]["parts"]["added"]
    assert [row["label"] for row in added] == ["Blade"]
    assert boss.call("update_machine", id="S-1", values={"kind": "s"})["changed"] == {"kind": ["d", "s"]}
    boss.call("create_machine", values={"code": "S-2", "serial": "A 2", "parts": [{"name": "Belt"}]})
    assert [part.name for part in Part.objects.order_by("pk")] == ["Blade", "Belt"]
    assert machine.parts.count() == 1


class NeverEmptyFormSet(BaseInlineFormSet):
    def _construct_form(self, i: int, **kwargs: Any) -> Any:
        form = super()._construct_form(i, **kwargs)
        form.empty_permitted = False
        return form


class NeverEmptyInline(admin.TabularInline):
    model = Part
    formset = NeverEmptyFormSet
    extra = 1


class NeverEmptyAdmin(admin.ModelAdmin):
    inlines = (NeverEmptyInline,)


def test_a_row_that_the_page_demands_by_code_is_demanded():
    boss = boss_of((Machine, NeverEmptyAdmin))
    new = {"code": "S-1", "serial": "A 1"}
    assert "parts (row 1 of at least 1).name: This field is required." in boss.refused("create_machine", values=new)
    boss.call("create_machine", values=new | {"parts": [{"name": "Blade"}]})
    assert "row 2 of at least 2" in boss.refused("update_machine", id="S-1", values={"kind": "d"})


class ModeForm(forms.ModelForm):
    """Asks, for the page's script alone, how a value is to be typed."""

    mode = forms.ChoiceField(choices=[("-", "Please choose"), ("free", "As text")])


class ModeAdmin(admin.ModelAdmin):
    form = ModeForm
    fields = ("mode", "name")


def test_a_select_of_the_form_alone_sends_its_first_choice_when_a_row_is_changed():
    Tag.objects.create(name="oak")
    boss = boss_of((Tag, ModeAdmin))
    assert boss.call("update_tag", id="oak", values={"name": "elm"})["changed"] == {"name": ["oak", "elm"]}
    assert "mode: This field is required." in boss.refused("create_tag", values={"name": "ash"})


class JobForm(forms.ModelForm):
    job = forms.ModelChoiceField(Job.objects.all(), required=False)

    def clean(self) -> Any:
        self.instance.name = str(self.cleaned_data.get("job"))
        return super().clean()


class NamedByJobAdmin(admin.ModelAdmin):
    form = JobForm
    fields = ("job",)


class NoneOfTheseAdmin(admin.ModelAdmin):
    def get_queryset(self, request: Any) -> Any:
        return super().get_queryset(request).none()


def test_a_row_that_the_form_offers_is_taken_by_its_key_though_its_own_list_hides_it():
    job = Job.objects.create(machine=Machine.objects.create(code="S-1", serial="A 1"), name="Cut")
    tag = Tag.objects.create(name="oak")
    boss = boss_of((Tag, NamedByJobAdmin), (Job, NoneOfTheseAdmin), (Machine, admin.ModelAdmin))
    for ref in (str(job.pk), {"id": str(job.pk), "label": "Cut"}):
        boss.call("update_tag", id=tag.pk, values={"job": ref})
        assert Tag.objects.get().name == "Cut on Saw S-1"
    assert "You see no job 'Cut'" in boss.refused("update_tag", id=tag.pk, values={"job": "Cut"})


class PartOfJobAdmin(admin.ModelAdmin):
    fields = readonly_fields = ("machine", "name")


def test_a_foreign_key_that_nothing_can_be_looked_up_for_is_not_told_of():
    assert "foreign_keys" not in boss_of((Part, PartOfJobAdmin)).call("describe_part")


class FormWithMore(forms.ModelForm):
    """Declares a field that the page does not show to everybody."""

    shout = forms.BooleanField(required=False)

    def clean(self) -> Any:
        if self.cleaned_data.get("shout"):
            self.cleaned_data["name"] = self.cleaned_data["name"].upper()
        return super().clean()


class PartWithMoreInline(admin.TabularInline):
    model = Part
    form = FormWithMore
    fields = ("name",)


class MachineWithMoreAdmin(admin.ModelAdmin):
    inlines = (PartWithMoreInline,)


class TagWithMoreAdmin(admin.ModelAdmin):
    form = FormWithMore

    def get_fieldsets(self, request: Any, obj: Any = None) -> Any:
        return [(None, {"fields": ["name", "shout"] if request.user.is_superuser else ["name"]})]


def test_a_field_of_the_form_that_the_page_does_not_show_is_not_written():
    tag = Tag.objects.create(name="oak")
    site = site_of((Tag, TagWithMoreAdmin), (Machine, MachineWithMoreAdmin))
    clerk = caller_of(site, "workshop.view_tag", "workshop.change_tag", username="clerk")
    assert "shout" not in clerk.call("describe_tag")["values"]
    refusal = clerk.refused("update_tag", id=tag.pk, values={"shout": True})
    assert refusal == "shout cannot be written here: it is read-only. Fields you may write: name."
    boss = caller_of(site)
    assert boss.call("update_tag", id=tag.pk, values={"shout": True})["updated"]["label"] == "OAK"
    new = {"code": "S-1", "serial": "A 1", "parts": [{"name": "Blade", "shout": True}]}
    assert "parts.0.shout cannot be written here" in boss.refused("create_machine", values=new)


class PickyField(forms.CharField):
    """Cannot read what it was not sent, as many fields of projects cannot."""

    def to_python(self, value: Any) -> Any:
        if not value.strip():
            raise forms.ValidationError("Paste a request.")
        return value


class PickyForm(forms.ModelForm):
    request = PickyField()


class PickyAdmin(admin.ModelAdmin):
    form = PickyForm


def test_a_field_that_cannot_read_nothing_refuses_as_it_does_on_the_page():
    assert "request: Paste a request." in boss_of((Tag, PickyAdmin)).refused("create_tag", values={"name": "oak"})


class PaymentAdmin(admin.ModelAdmin):
    list_display = ("id", "note")
    search_fields = ("note",)


def test_a_row_is_named_by_a_unique_column_called_id_as_well_as_by_its_key():
    payment = Payment.objects.create(id="pay_7", note="June")
    Payment.objects.create(id="pay_8")
    boss = boss_of((Payment, PaymentAdmin))
    assert [row["id"] for row in boss.call("list_payment", search="June")["rows"]] == ["pay_7"]
    for ref in ("pay_7", payment.pk, {"id": "pay_7"}, {"id": payment.pk}):
        assert boss.call("get_payment", id=ref)["note"] == "June"
    assert boss.call("update_payment", id="pay_7", values={"note": "July"})["changed"] == {"note": ["June", "July"]}
    assert boss.call("bulk_payment", operation="delete", ids=["pay_7"])["done"] == 1
    assert "You see no payment 'pay_9'" in boss.refused("get_payment", id="pay_9")
