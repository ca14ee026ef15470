"""What helpdesks, forums, wikis and networks of organizations expect of a page, each made small."""

from typing import Any, ClassVar

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import DateTimeField
from django.utils import timezone
from django.utils.functional import cached_property

from tests.mcp_server.derive.admin.conftest import boss_of
from tests.mcp_server.derive.admin.workshop.models import Machine, Note, Shelf, Tag

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
    monkeypatch.setattr(seen, "editable", False)
    shelf = Shelf.objects.create(label="Top")
    boss = boss_of((Shelf, ShelfAdmin))
    assert boss.call("update_shelf", id=shelf.pk, values={"label": "Top"})["changed"] == {}
    assert not LogEntry.objects.exists()
    assert boss.call("update_shelf", id=shelf.pk, values={"label": "Low"})["changed"] == {"label": ["Top", "Low"]}
