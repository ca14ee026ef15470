"""What MCPAdminMixin says of inlines and of searches."""

from typing import Any

import pytest
from django.contrib import admin

from mcp_server.derive.admin import MCPAdminMixin
from tests.everything.models import Gadget, Part
from tests.mcp_server.derive.admin.conftest import Caller, boss_of
from tests.mcp_server.derive.admin.workshop.models import Machine

pytestmark = pytest.mark.django_db


class PartInline(MCPAdminMixin, admin.TabularInline):
    model = Part


def boss_with(**mixin: Any) -> Caller:
    inline = type("OwnInline", (PartInline,), mixin)
    return boss_of((Gadget, type("PartsAdmin", (admin.ModelAdmin,), {"fields": ("name",), "inlines": (inline,)})))


def writable(boss: Caller) -> Any:
    values = boss.tools()["update_gadget"].input_schema["properties"]["values"]["properties"]
    return values["parts"]["items"]["properties"].keys() if "parts" in values else None


@pytest.fixture
def part(db: None) -> Part:
    return Part.objects.create(gadget=Gadget.objects.create(name="Lamp"), name="Bulb", quantity=2)


@pytest.mark.parametrize(
    ("mixin", "shown", "written", "refusal"),
    [
        ({}, {"name", "quantity"}, {"name", "quantity"}, ""),
        ({"mcp_fields": ("quantity",)}, {"quantity"}, {"quantity"}, "parts.0.name cannot be written here"),
        ({"mcp_readonly": ("name",)}, {"name", "quantity"}, {"quantity"}, "parts.0.name cannot be written here"),
        ({"mcp_readonly": True}, {"name", "quantity"}, None, "rows cannot be changed here"),
        ({"mcp_expose": False}, None, None, "parts is no field"),
    ],
)
def test_an_inline_says_what_agents_get_of_its_rows(part: Part, mixin: Any, shown: Any, written: Any, refusal: str):
    boss = boss_with(**mixin)
    rows = boss.call("get_gadget", id=part.gadget_id).get("parts")
    assert (rows and rows[0].keys() - {"id", "label"}) == shown
    found = writable(boss)
    assert (found and found - {"id", "delete"}) == written
    change = {"id": part.gadget_id, "values": {"parts": [{"id": part.pk, "name": "Tube"}]}}
    said = boss.refused("update_gadget", **change) if refusal else str(boss.call("update_gadget", **change))
    assert refusal in said
    boss.call("update_gadget", id=part.gadget_id, values={"name": "Floor lamp"})
    assert Part.objects.get().quantity == 2


class FewFieldsAdmin(MCPAdminMixin, admin.ModelAdmin):
    search_fields = ("code", "serial")
    mcp_fields = ("code", "kind")


def test_a_field_that_the_mixin_leaves_out_is_not_searched():
    Machine.objects.create(code="S-1", serial="A 1")
    boss = boss_of((Machine, FewFieldsAdmin))
    assert boss.call("describe_machine")["search"] == ["code"]
    assert boss.call("list_machine", search="S-1")["total"] == 1
    assert boss.call("list_machine", search="A 1")["total"] == 0
