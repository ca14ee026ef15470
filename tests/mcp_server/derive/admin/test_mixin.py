"""What MCPAdminMixin says of inlines and of searches."""

from typing import Any

import pytest
from django.contrib import admin
from django.forms import BaseInlineFormSet

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


@pytest.mark.parametrize("mixin", [{"mcp_fields": ("quantity",)}, {"mcp_readonly": ("name",)}])
def test_rows_that_need_more_than_tools_write_are_not_offered_to_be_added(part: Part, mixin: Any):
    boss = boss_with(**mixin)
    tools, told = boss.tools(), boss.call("describe_gadget")["values"]["parts"]
    assert "parts" not in tools["create_gadget"].input_schema["properties"]["values"]["properties"]
    parts = tools["update_gadget"].input_schema["properties"]["values"]["properties"]["parts"]
    assert parts["items"]["required"] == ["id"]
    assert (told["only"], told["description"]) == ("update", "No row can be added: tools do not write name")
    change = {"id": part.gadget_id, "values": {"parts": [{"quantity": 3}]}}
    refusal = "parts.0.name: This is required and tools do not write it, so no row can be added."
    assert boss.refused("update_gadget", **change) == refusal
    change["values"] = {"parts": [{"id": part.pk, "quantity": 3}]}
    assert boss.call("update_gadget", **change)["changed"]["parts"]["changed"]


def test_rows_whose_other_fields_have_values_can_be_added(part: Part):
    boss = boss_with(mcp_readonly=("quantity",))
    parts = boss.tools()["update_gadget"].input_schema["properties"]["values"]["properties"]["parts"]
    assert "required" not in parts["items"]
    boss.call("update_gadget", id=part.gadget_id, values={"parts": [{"name": "Cable"}]})
    assert Part.objects.get(name="Cable").quantity == 1


class NamingFormSet(BaseInlineFormSet):
    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        form.fields["name"].required = False


def test_rows_that_the_projects_own_code_completes_can_be_added(part: Part):
    boss = boss_with(mcp_readonly=("name",), formset=NamingFormSet)
    parts = boss.tools()["update_gadget"].input_schema["properties"]["values"]["properties"]["parts"]
    assert "required" not in parts["items"]
    assert boss.call("update_gadget", id=part.gadget_id, values={"parts": [{"quantity": 3}]})["changed"]


class FewFieldsAdmin(MCPAdminMixin, admin.ModelAdmin):
    search_fields = ("code", "serial")
    mcp_fields = ("code", "kind")


def test_a_field_that_the_mixin_leaves_out_is_not_searched():
    Machine.objects.create(code="S-1", serial="A 1")
    boss = boss_of((Machine, FewFieldsAdmin))
    assert boss.call("describe_machine")["search"] == ["code"]
    assert boss.call("list_machine", search="S-1")["total"] == 1
    assert boss.call("list_machine", search="A 1")["total"] == 0
