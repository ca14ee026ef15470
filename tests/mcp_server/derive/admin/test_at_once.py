"""Calls at the same time, each on a connection of its own: nothing that one of them wrote is lost."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from django.contrib import admin
from django.db import OperationalError
from fastmcp import Client
from psycopg.errors import DeadlockDetected

from tests.everything.models import Gadget, Part
from tests.factories import make_user
from tests.mcp_server.derive.admin.conftest import boss_of, server_of, text_of
from tests.mcp_server.derive.admin.workshop.models import Machine, Press
from tokens.models import MCPToken

pytestmark = pytest.mark.django_db(transaction=True)

site = admin.AdminSite(name="at-once")
site.register((Part, Machine, Press))
CALLS = 8
ONE_MORE = {"count": {"add": 1}}


class PartInline(admin.TabularInline):
    model = Part


@admin.register(Gadget, site=site)
class GadgetAdmin(admin.ModelAdmin):
    fields = ("name", "count")
    inlines = [PartInline]


class UnluckyAdmin(admin.ModelAdmin):
    def save_model(self, *args: Any) -> None:
        raise OperationalError from DeadlockDetected()


Call = tuple[str, dict[str, Any]]


@pytest.fixture
def all_at_once(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make each list of calls one after the other, and the lists at the same time."""
    token = MCPToken.objects.create(user=make_user("boss", superuser=True), name="agent")
    monkeypatch.setenv("MCP_TOKEN", token.token)
    server = server_of(site)

    async def one_by_one(calls: Sequence[Call]) -> list[Any]:
        async with Client(server) as client:
            results = [await client.call_tool(tool, values, raise_on_error=False) for tool, values in calls]
        assert not [text_of(result) for result in results if result.is_error]
        return [result.structured_content for result in results]

    async def all_of(*lists: Sequence[Call]) -> list[Any]:
        return await asyncio.gather(*map(one_by_one, lists))

    return lambda *lists: asyncio.run(all_of(*lists))


def test_a_relative_change_counts_beside_changes_of_other_fields(all_at_once):
    lamp = Gadget.objects.create(name="Lamp")
    counting = [("update_gadget", {"id": lamp.pk, "values": ONE_MORE})] * CALLS
    naming = [("update_gadget", {"id": lamp.pk, "values": {"name": f"Lamp {number}"}}) for number in range(CALLS)]
    all_at_once(counting, naming, counting)
    lamp.refresh_from_db()
    assert (lamp.name, lamp.count) == (f"Lamp {CALLS - 1}", 2 * CALLS)


def test_a_relative_change_counts_whether_it_came_through_an_inline_or_the_rows_own_page(all_at_once):
    bulb = Part.objects.create(gadget=Gadget.objects.create(name="Lamp"), name="Bulb", quantity=1)
    one_more = {"quantity": {"add": 1}}
    inline = {"id": bulb.gadget_id, "values": {"parts": [{"id": bulb.pk} | one_more]}}
    own = {"id": bulb.pk, "values": one_more}
    all_at_once([("update_gadget", inline)] * CALLS, [("update_part", own)] * CALLS)
    bulb.refresh_from_db()
    assert bulb.quantity == 1 + 2 * CALLS


def test_changes_of_many_rows_wait_for_each_other_in_any_order(all_at_once):
    pks = [Gadget.objects.create(name=name).pk for name in ("Lamp", "Clock", "Radio")]
    there = {"operation": "update", "ids": pks, "values": ONE_MORE}
    back = there | {"ids": pks[::-1]}
    all_at_once([("bulk_gadget", there)] * CALLS, [("bulk_gadget", back)] * CALLS)
    assert set(Gadget.objects.values_list("count", flat=True)) == {2 * CALLS}


def test_a_change_through_the_parents_page_counts_beside_one_through_the_childs(all_at_once):
    Press.objects.create(code="P-1", serial="A 1", tons=0)
    writing = [("update_machine", {"id": "P-1", "values": {"serial": f"B {number}"}}) for number in range(CALLS)]
    reading: Call = ("get_machine", {"id": "P-1", "fields": ["serial"]})
    pressing = [("update_press", {"id": "P-1", "values": {"tons": {"add": 1}}})] * CALLS
    answers, _ = all_at_once([call for write in writing for call in (write, reading)], pressing)
    assert [answer["serial"] for answer in answers[1::2]] == [f"B {number}" for number in range(CALLS)]
    assert Press.objects.get().tons == CALLS


def test_a_call_that_another_one_kept_from_its_rows_may_be_tried_again():
    machine = Machine.objects.create(code="S-1", serial="A 1")
    refusal = boss_of((Machine, UnluckyAdmin)).refused("update_machine", id=machine.pk, values={"kind": "d"})
    assert refusal == "Other calls are at work on the same rows. Nothing was changed. Try again."
