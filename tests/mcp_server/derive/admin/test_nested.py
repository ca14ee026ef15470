"""Inlines within inlines, as extensions of the admin make them: their rows stay, and go with their parent."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.contenttypes.admin import GenericTabularInline
from django.forms import BaseInlineFormSet

from tests.mcp_server.derive.admin.conftest import boss_of
from tests.mcp_server.derive.admin.workshop.models import Job, Machine, Note

pytestmark = pytest.mark.django_db


class PostedFormSet(BaseInlineFormSet):
    """Looks in what was posted for the rows it has."""

    def get_queryset(self) -> Any:
        if not self.data:
            return super().get_queryset()
        keys = [self.data[f"{self.prefix}-{number}-id"] for number in range(self.initial_form_count())]
        return Job.objects.filter(pk__in=keys).order_by("name")


class NotesOfJob(GenericTabularInline):
    model = Note


class JobsOfMachine(admin.TabularInline):
    model, formset, fields = Job, PostedFormSet, ["name"]

    def get_inline_instances(self, request: Any, obj: Any = None) -> list[Any]:
        return [NotesOfJob(Job, self.admin_site)]


class NestedAdmin(admin.ModelAdmin):
    inlines = [JobsOfMachine]

    def _create_formsets(self, request: Any, obj: Any, change: bool) -> Any:
        formsets, inlines = super()._create_formsets(request, obj, change)
        for form in list(formsets[0].forms) if request.method == "POST" else []:
            for inline in inlines[0].get_inline_instances(request, obj):
                kind = inline.get_formset(request, form.instance)
                formsets.append(kind(request.POST.copy(), instance=form.instance, prefix=f"{form.prefix}-notes"))
                inlines.append(inline)
        return formsets, inlines


@pytest.fixture
def boss(db):
    machine = Machine.objects.create(code="S-1", serial="A/1")
    for name in ("Cut", "Plane"):
        job = Job.objects.create(machine=machine, name=name)
        Note.objects.create(about=job, text=f"Mind the {name}")
    return boss_of((Machine, NestedAdmin))


def test_rows_within_rows_stay_as_they_are(boss):
    boss.call("update_machine", id="S-1", values={"kind": "d"})
    changed = boss.call("update_machine", id="S-1", values={"jobs": [{"id": "Cut on Drill S-1", "name": "Saw"}]})
    assert changed["changed"]["jobs"]["changed"][0]["changed"] == {"name": ["Cut", "Saw"]}
    boss.call("update_machine", id="S-1", values={"jobs": [{"name": "Sand"}]})
    assert sorted(Job.objects.values_list("name", flat=True)) == ["Plane", "Sand", "Saw"]
    assert sorted(str(note.about) for note in Note.objects.all()) == ["Plane on Drill S-1", "Saw on Drill S-1"]


def test_rows_within_a_deleted_row_go_with_it(boss):
    boss.call("update_machine", id="S-1", values={"jobs": [{"id": "Cut on Saw S-1", "delete": True}]})
    assert [job.name for job in Job.objects.all()] == ["Plane"]
    assert [note.text for note in Note.objects.all()] == ["Mind the Plane"]


def test_rows_within_rows_cannot_be_given(boss):
    values = {"jobs": [{"name": "Sand", "notes": [{"text": "Mind"}]}]}
    assert "jobs.0.notes is no field" in boss.refused("update_machine", id="S-1", values=values)
