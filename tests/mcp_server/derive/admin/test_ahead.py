"""Forms that look at what was sent while they are built, as selects do that depend on one another."""

from typing import Any

import pytest
from django import forms
from django.contrib import admin

from tests.mcp_server.derive.admin.conftest import Caller, boss_of, caller_of, site_of
from tests.mcp_server.derive.admin.workshop.models import Job, Machine, Part

pytestmark = pytest.mark.django_db


class UrgentForm(forms.ModelForm):
    """Offers drills for what is urgent, and saws for all else."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        urgent = "urgent" in self.data if self.is_bound else self.instance.urgent
        machine: Any = self.fields["machine"]
        machine.queryset = Machine.objects.filter(kind="d" if urgent else "s")


class UrgentAdmin(admin.ModelAdmin):
    form = UrgentForm
    fields = ("name", "urgent", "machine")


@pytest.fixture
def boss(db: None) -> Caller:
    Machine.objects.create(code="S-1", serial="A 1")
    Machine.objects.create(code="D-1", serial="B 1", kind="d")
    return boss_of((Job, UrgentAdmin), (Machine, admin.ModelAdmin))


def test_choices_that_follow_from_another_value_are_those_of_the_value_that_was_given(boss: Caller):
    boss.call("create_job", values={"name": "Drill holes", "urgent": True, "machine": "B 1"})
    boss.call("create_job", values={"name": "Cut planks", "machine": "S-1"})
    assert "machine" in boss.refused("create_job", values={"name": "Cut boards", "machine": "D-1"})
    assert set(Job.objects.values_list("name", "machine__kind")) == {("Drill holes", "d"), ("Cut planks", "s")}


def test_what_a_call_leaves_out_has_to_fit_what_it_gives(boss: Caller):
    job = Job.objects.create(name="Cut planks", machine=Machine.objects.get(pk="S-1"))
    refusal = boss.refused("update_job", id=str(job.pk), values={"urgent": True})
    assert refusal == "machine: Select a valid choice. That choice is not one of the available choices."
    boss.call("update_job", id=str(job.pk), values={"urgent": True, "machine": "Drill D-1"})
    boss.call("update_job", id=str(job.pk), values={"name": "Drill holes"})
    assert list(Job.objects.values_list("name", "urgent", "machine__kind")) == [("Drill holes", True, "d")]


def test_a_reference_that_is_no_choice_any_more_stays_where_nothing_that_was_sent_narrowed_it(boss: Caller):
    job = Job.objects.create(name="Cut planks", machine=Machine.objects.get(pk="D-1"))
    boss.call("update_job", id=str(job.pk), values={"name": "Drill holes"})
    assert Job.objects.get().machine.kind == "d"


class KeyForm(forms.ModelForm):
    """Wants a key for locks."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.data.get(self.add_prefix("name")) == "Lock":
            self.fields["api_key"].required = True


class KeyInline(admin.TabularInline):
    model = Part
    form = KeyForm


class KeysAdmin(admin.ModelAdmin):
    inlines = (KeyInline,)

    def get_form(self, request: Any, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        # A drill has no serial number that anybody may set.
        exclude = ["serial"] if request.POST.get("kind") == "d" else []
        return super().get_form(request, obj, change, exclude=exclude, **kwargs)


def test_rows_of_an_inline_and_a_get_form_find_what_the_page_sends():
    machine = Machine.objects.create(code="S-1", serial="A 1")
    boss = boss_of((Machine, KeysAdmin))
    parts = [{"name": "Blade"}, {"name": "Lock"}]
    refusal = boss.refused("update_machine", id="S-1", values={"parts": parts})
    assert refusal == "parts.1.api_key: This field is required."
    boss.call("update_machine", id="S-1", values={"parts": [parts[0]], "serial": "A 2", "kind": "s"})
    refusal = boss.refused("update_machine", id="S-1", values={"serial": "A 3", "kind": "d"})
    assert "serial cannot be written here" in refusal
    machine.refresh_from_db()
    assert (machine.serial, machine.kind) == ("A 2", "s")


class CountingForm(forms.ModelForm):
    def clean(self) -> Any:
        rows = range(int(self.data["parts-TOTAL_FORMS"]))
        names = [self.data.get(f"parts-{row}-name") for row in rows if f"parts-{row}-DELETE" not in self.data]
        if not any(names):
            raise forms.ValidationError("A machine has parts.")
        return super().clean()


class PartInline(admin.TabularInline):
    model = Part
    extra = 0


class CountedAdmin(admin.ModelAdmin):
    form = CountingForm
    inlines = (PartInline,)


def test_a_form_that_counts_the_rows_of_an_inline_finds_those_the_call_leads_to():
    boss = boss_of((Machine, CountedAdmin))
    new = {"code": "S-1", "serial": "A 1"}
    assert boss.refused("create_machine", values=new) == "A machine has parts."
    boss.call("create_machine", values=new | {"parts": [{"name": "Blade"}]})
    boss.call("update_machine", id="S-1", values={"kind": "d"})
    gone = [{"id": "Blade", "delete": True}]
    assert boss.refused("update_machine", id="S-1", values={"parts": gone}) == "A machine has parts."
    boss.call("update_machine", id="S-1", values={"parts": [*gone, {"name": "Disc"}]})
    assert list(Part.objects.values_list("name", flat=True)) == ["Disc"]


class PlainAdmin(admin.ModelAdmin):
    inlines = (PartInline,)


def test_rows_of_an_inline_go_for_who_may_delete_them_and_not_change_them():
    Part.objects.create(machine=Machine.objects.create(code="S-1", serial="A 1"), name="Blade")
    may = ("view_machine", "change_machine", "view_part", "delete_part")
    ann = caller_of(site_of((Machine, PlainAdmin)), *(f"workshop.{name}" for name in may))
    assert "cannot be changed" in ann.refused(
        "update_machine", id="S-1", values={"parts": [{"id": "Blade", "name": "Disc"}]}
    )
    changed = ann.call("update_machine", id="S-1", values={"parts": [{"id": "Blade", "delete": True}]})["changed"]
    assert changed == {"parts": {"deleted": ["Blade"]}}
    assert not Part.objects.exists()


class BuiltForm(forms.ModelForm):
    """Notes how often one is built for a row; it looks at what was sent only if told so."""

    built = 0
    looks = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        BuiltForm.built += bool(self.instance.pk)
        if self.looks:
            dict(self.data.items())


class BuiltInline(admin.TabularInline):
    model = Part
    form = BuiltForm
    extra = 0


class BuiltAdmin(admin.ModelAdmin):
    form = BuiltForm
    inlines = (BuiltInline,)


@pytest.mark.parametrize(("looks", "built"), [(False, 2), (True, 4)])
def test_only_a_form_that_looks_is_built_twice(looks: bool, built: int, monkeypatch: pytest.MonkeyPatch):
    Part.objects.create(machine=Machine.objects.create(code="S-1", serial="A 1"), name="Blade")
    boss = boss_of((Machine, BuiltAdmin))
    monkeypatch.setattr(BuiltForm, "built", 0)
    monkeypatch.setattr(BuiltForm, "looks", looks)
    boss.call("update_machine", id="S-1", values={"serial": "A 2"})
    assert BuiltForm.built == built
