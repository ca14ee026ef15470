"""Hooks that do not what the page says was done: an answer says what happened, with the reason the hook gave."""

from typing import Any

import pytest
from django.contrib import admin, messages

from tests.mcp_server.derive.admin.conftest import Caller, boss_of
from tests.mcp_server.derive.admin.workshop.models import Machine, Part, Shelf

pytestmark = pytest.mark.django_db


class DrillsStayAdmin(admin.ModelAdmin):
    """Neither takes drills in nor gives them away, and says so beside the form."""

    def save_model(self, request: Any, obj: Machine, *args: Any) -> None:
        if obj.kind == "d":
            messages.warning(request, "No drills, please.")
        else:
            super().save_model(request, obj, *args)

    def delete_model(self, request: Any, obj: Machine) -> None:
        if obj.kind == "d":
            messages.error(request, "Drills stay.")
        else:
            super().delete_model(request, obj)


@pytest.fixture
def boss(db: None) -> Caller:
    Machine.objects.create(code="S-1", serial="A 1")
    Machine.objects.create(code="D-1", serial="B 1", kind="d")
    return boss_of((Machine, DrillsStayAdmin))


def test_a_row_that_save_model_leaves_out_is_not_created(boss: Caller):
    new = {"code": "D-2", "serial": "B 2"}
    assert boss.refused("create_machine", values=new | {"kind": "d"}) == "Not saved: No drills, please."
    boss.call("create_machine", values=new)
    assert set(Machine.objects.values_list("code", flat=True)) == {"S-1", "D-1", "D-2"}


def test_a_change_that_save_model_leaves_out_is_refused_in_its_words(boss: Caller):
    refusal = boss.refused("update_machine", id="S-1", values={"kind": "d"})
    assert refusal == "kind: not taken: something keeps the old value. No drills, please."


def test_a_row_that_delete_model_leaves_as_it_is_is_not_deleted(boss: Caller):
    assert boss.refused("delete_machine", id="D-1") == "Not deleted. Drills stay."
    done = boss.call("bulk_machine", operation="delete", ids=["D-1", "S-1"], atomic=False)
    assert [(item.get("item"), "deleted" in item) for item in done["results"]] == [("D-1", False), (None, True)]
    assert Machine.objects.get().code == "D-1"


class MarkingAdmin(admin.ModelAdmin):
    def delete_model(self, request: Any, obj: Machine) -> None:
        Machine.objects.filter(pk=obj.pk).update(checked=False)


class HidingAdmin(admin.ModelAdmin):
    hidden: set[str] = set()

    def get_queryset(self, request: Any) -> Any:
        return super().get_queryset(request).exclude(pk__in=self.hidden)

    def delete_model(self, request: Any, obj: Machine) -> None:
        self.hidden.add(obj.pk)


class ElsewhereAdmin(admin.ModelAdmin):
    def save_model(self, request: Any, obj: Machine, *args: Any) -> None:
        Machine.objects.create(code=obj.code, serial=obj.serial, kind=obj.kind)


@pytest.mark.parametrize("model_admin", [MarkingAdmin, HidingAdmin])
def test_a_row_that_is_only_marked_or_hidden_counts_as_deleted(model_admin: Any):
    Machine.objects.create(code="S-1", serial="A 1")
    boss = boss_of((Machine, model_admin))
    assert boss.call("delete_machine", id="S-1")["deleted"]["id"] == "S-1"
    assert Machine.objects.exists()


def test_a_row_that_is_saved_by_another_object_is_created():
    boss = boss_of((Machine, ElsewhereAdmin))
    assert boss.call("create_machine", values={"code": "S-1", "serial": "A 1"})["created"]["id"] == "S-1"
    assert Machine.objects.get().serial == "A 1"


class PartInline(admin.TabularInline):
    model = Part
    extra = 0


class PickyAdmin(admin.ModelAdmin):
    """Adds no belts and keeps blades; without a word where the machine is a drill."""

    inlines = (PartInline,)

    def save_formset(self, request: Any, form: Any, formset: Any, change: bool) -> None:
        new = formset.save(commit=False)
        [row.save() for row in new if row.name != "Belt"]
        [row.delete() for row in formset.deleted_objects if row.name != "Blade"]
        if form.instance.kind == "s":
            messages.error(request, "Not these.")


def test_rows_of_an_inline_that_a_hook_leaves_out_are_told_apart():
    machine = Machine.objects.create(code="S-1", serial="A 1", kind="d")
    blade, disc = (Part.objects.create(machine=machine, name=name) for name in ("Blade", "Disc"))
    gone = [{"id": blade.pk, "delete": True}, {"id": disc.pk, "delete": True}]
    boss = boss_of((Machine, PickyAdmin))
    done = boss.call("update_machine", id="S-1", values={"parts": [*gone, {"name": "Belt"}, {"name": "Gear"}]})
    added = [{"id": Part.objects.get(name="Gear").pk, "label": "Gear"}]
    told = {"added": added, "deleted": ["Disc"], "not_added": ["Belt"], "not_deleted": ["Blade"]}
    assert done["changed"] == {"parts": told}
    Machine.objects.update(kind="s")
    for rows, refusal in (([{"name": "Belt"}], "not added: Belt"), (gone[:1], "not deleted: Blade")):
        assert boss.refused("update_machine", id="S-1", values={"parts": rows}) == f"parts: {refusal}. Not these."
    assert set(Part.objects.values_list("name", flat=True)) == {"Blade", "Gear"}


class ArchivedAdmin(admin.ModelAdmin):
    """Keeps what is in another database."""

    def get_queryset(self, request: Any) -> Any:
        return super().get_queryset(request).using("archive")

    def delete_model(self, request: Any, obj: Shelf) -> None:
        messages.error(request, "The archive keeps all.")


@pytest.mark.django_db(databases=["default", "archive"])
def test_a_row_is_looked_for_where_it_came_from():
    shelf = Shelf.objects.using("archive").create(label="Nails")
    archivist = boss_of((Shelf, ArchivedAdmin))
    assert archivist.refused("delete_shelf", id=shelf.pk) == "Not deleted. The archive keeps all."
    assert Shelf.objects.using("archive").get() == shelf
