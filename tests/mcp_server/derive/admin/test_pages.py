"""Pages of the admin that are not all there, or are another ModelAdmin's."""

from typing import Any, ClassVar

import pytest
from django import forms
from django.contrib import admin
from django.core.files.base import ContentFile
from django.db.models import CharField
from django.db.models.signals import post_delete
from django.http import HttpResponse
from django.urls import path

from mcp_server.derive.admin import MCPAdminMixin
from tests.everything.models import Gadget
from tests.mcp_server.derive.admin.conftest import Caller, boss_of, caller_of, site_of
from tests.mcp_server.derive.admin.workshop.models import Machine, OldMachine, Part, Press
from tests.mcp_server.derive.admin.workshop.urls_of_rows import SITE_OF_ROWS
from tokens.models import ToolCall

pytestmark = pytest.mark.django_db


class KindsAdmin(admin.ModelAdmin):
    """Leaves every row to the ModelAdmin of its own kind, and asks for a new one's kind first."""

    def of(self, pk: str) -> Any:
        return self.admin_site._registry[Press if Press.objects.filter(pk=pk).exists() else OldMachine]

    def add_view(self, *args: Any) -> HttpResponse:
        return HttpResponse("Which kind?")

    def change_view(self, request: Any, object_id: str, *args: Any) -> Any:
        return self.of(object_id).change_view(request, object_id, *args)

    def delete_view(self, request: Any, object_id: str, *args: Any) -> Any:
        return self.of(object_id).delete_view(request, object_id, *args)


class LightPressAdmin(admin.ModelAdmin):
    fields = ["serial", "tons"]

    def get_queryset(self, request: Any) -> Any:
        return super().get_queryset(request).filter(tons__lt=100)


class ManualAdmin(admin.ModelAdmin):
    fields = ("name", "manual")


class SpecialPart(Part):
    class Meta:
        app_label = "workshop"
        proxy = True


class SpecialPartAdmin(admin.ModelAdmin):
    fields = ("name",)


class PartKindsAdmin(admin.ModelAdmin):
    def change_view(self, *args: Any) -> Any:
        return self.admin_site._registry[SpecialPart].change_view(*args)


class SafePressAdmin(LightPressAdmin):
    formfield_overrides: ClassVar = {CharField: {"widget": forms.PasswordInput}}


class HiddenPressAdmin(MCPAdminMixin, LightPressAdmin):
    mcp_tools = ("list",)


class FewPagesAdmin(admin.ModelAdmin):
    """Settings of one's own, say: no list, nothing to add or delete, and always one's own row."""

    def get_urls(self) -> Any:
        return [path("", self.change_view, name="workshop_machine_change")]

    def change_view(self, request: Any, object_id: str, *args: Any) -> Any:
        return super().change_view(request, "MINE", *args)


# Sites whose pages have addresses: the tests below make this module the URLconf.
KINDS = site_of((Machine, KindsAdmin), (Press, LightPressAdmin), name="kinds")
HIDDEN = site_of((Machine, KindsAdmin), (Press, HiddenPressAdmin), name="hidden")
SAFE = site_of((Machine, KindsAdmin), (Press, SafePressAdmin), name="safe")
PARTS = site_of((Part, PartKindsAdmin), (SpecialPart, SpecialPartAdmin), name="parts")
LAMPS = site_of((Gadget, ManualAdmin), name="lamps")
FEW = site_of((Machine, FewPagesAdmin), name="few")
urlpatterns = [path(f"{site.name}/", site.urls) for site in (KINDS, HIDDEN, SAFE, PARTS, LAMPS, FEW)]
routed = pytest.mark.urls(__name__)


@routed
def test_a_row_of_a_special_kind_is_left_to_the_admin_of_its_kind():
    Press.objects.create(code="P-1", serial="A 1", tons=2)
    boss = caller_of(KINDS)
    assert boss.call("get_machine", id="P-1")["tons"] == 2
    changed = boss.call("update_machine", id="P-1", values={"tons": 3})["changed"]
    assert changed == {"tons": [2.0, 3.0]}
    assert boss.call("history_machine", id="P-1")["entries"][0]["changes"] == changed
    assert "Fields you may write: serial, tons" in boss.refused("update_machine", id="P-1", values={"kind": "d"})
    assert "use create_press" in boss.refused("create_machine", values={})
    done = boss.call("bulk_machine", operation="delete", ids=["P-1"])
    assert done["done"] == 1
    assert not Machine.objects.exists()


@routed
def test_a_kind_is_found_by_any_kind_of_key():
    part = Part.objects.create(machine=Machine.objects.create(code="S-1", serial="A 1"), name="Blade")
    boss = caller_of(PARTS)
    assert boss.call("get_part", id=part.pk) == {"id": part.pk, "label": "Blade", "name": "Blade"}
    boss.call("update_part", id=part.pk, values={"name": "Disc"})
    part.refresh_from_db()
    assert part.name == "Disc"


@routed
def test_the_admin_of_a_kind_also_decides_which_of_its_rows_there_are():
    Press.objects.create(code="P-1", serial="A 1", tons=200)
    boss = caller_of(KINDS)
    for tool, arguments in (("get", {}), ("update", {"values": {"tons": 3}}), ("delete", {})):
        assert "You see no machine" in boss.refused(f"{tool}_machine", id="P-1", **arguments)


@routed
def test_the_tools_of_another_model_do_no_more_to_a_kind_than_its_own():
    Press.objects.create(code="P-1", serial="A 1")
    boss = caller_of(HIDDEN)
    refusal = boss.refused("update_machine", id="P-1", values={"tons": 3})
    assert refusal == "This machine is a press, for which there is no tool update."


@routed
def test_a_token_of_one_models_tools_does_nothing_to_the_rows_of_another_kind():
    Press.objects.create(code="P-1", serial="A 1", tons=2)
    boss = caller_of(KINDS)
    change = {"operation": "update", "ids": ["P-1"], "values": {"tons": 3}}
    calls = [("get", {"id": "P-1"}), ("history", {"id": "P-1"}), ("bulk", change)]
    for verb, arguments in [*calls, ("delete", {"id": "P-1"}), ("update", {"id": "P-1", "values": {"tons": 3}})]:
        few = Caller(boss.server, boss.user, allowed_tools=[f"{verb}_machine", "list_press"])
        assert "for which your token has no tool" in few.refused(f"{verb}_machine", **arguments)
    both = Caller(boss.server, boss.user, allowed_tools=["bulk_machine", "bulk_press"])
    assert both.call("bulk_machine", **change)["done"] == 1
    assert Press.objects.get().tons == 3


@routed
def test_what_the_form_of_a_kind_takes_unseen_is_in_no_audit_row():
    Press.objects.create(code="P-1", serial="A 1", tons=2)
    caller_of(SAFE).call("update_machine", id="P-1", values={"serial": "swordfish"})
    assert Press.objects.get().serial == "swordfish"
    assert ToolCall.objects.get().arguments["values"] == {"serial": "[secret]"}


@pytest.mark.urls("tests.mcp_server.derive.admin.workshop.urls_of_rows")
def test_addresses_that_are_rows_cost_no_model_its_tools():
    assert "update_machine" in caller_of(SITE_OF_ROWS).tools()


@routed
def test_what_has_no_page_has_no_tool_and_a_page_of_ones_own_changes_no_other():
    for code in ("MINE", "OTHER"):
        Machine.objects.create(code=code, serial=code)
    boss = caller_of(FEW)
    verbs = ("describe", "get", "update", "bulk")
    assert boss.tools().keys() == {"find_models", *(f"{verb}_machine" for verb in verbs)}
    bulk = boss.refused("bulk_machine", operation="delete", ids=["MINE"])
    assert "may not delete" in bulk
    assert boss.call("update_machine", id="MINE", values={"kind": "d"})["changed"] == {"kind": ["s", "d"]}
    assert "another row" in boss.refused("update_machine", id="OTHER", values={"kind": "d"})
    assert list(Machine.objects.filter(kind="d").values_list("code", flat=True)) == ["MINE"]


@pytest.fixture
def lamp() -> Any:
    """A row with a file, which goes when the row goes, and does not come back with a transaction."""
    lamp = Gadget.objects.create(name="Lamp", manual=ContentFile(b"%PDF", name="lamp.pdf"))
    forget = lambda instance, **rest: instance.manual.delete(save=False)  # noqa: E731
    post_delete.connect(forget, sender=Gadget)
    yield lamp
    post_delete.disconnect(forget, sender=Gadget)


@routed
def test_trying_a_delete_runs_nothing_that_no_rollback_brings_back(lamp):
    boss = caller_of(LAMPS)
    told = boss.call("delete_gadget", id=lamp.pk, dry_run=True)
    assert told == {"deleted": {"id": lamp.pk, "label": str(lamp)}, "rows": {"gadgets": 1}, "dry_run": True}
    boss.call("bulk_gadget", operation="delete", ids=[lamp.pk], dry_run=True)
    action = {"action": "delete_selected", "ids": [lamp.pk], "confirm": True}
    assert "confirm" in boss.call("action_gadget", **action, dry_run=True)
    assert lamp.manual.storage.exists(lamp.manual.name)
    boss.call("action_gadget", **action)
    assert not lamp.manual.storage.exists(lamp.manual.name)


def test_a_row_whose_file_is_gone_can_still_be_changed(lamp):
    lamp.manual.storage.delete(lamp.manual.name)
    answer = boss_of((Gadget, ManualAdmin)).call("update_gadget", id=lamp.pk, values={"name": "Desk lamp"})
    assert answer["changed"] == {"name": ["Lamp", "Desk lamp"]}
