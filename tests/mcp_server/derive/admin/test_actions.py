"""Running the actions of the admin's lists."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import CHANGE, DELETION, LogEntry

from shop.models import Product
from tests.factories import make_order, make_product, make_user
from tests.mcp_server.derive.admin.conftest import VIEW_ALL, boss_of, text_of
from tests.mcp_server.derive.admin.workshop.models import Machine

pytestmark = pytest.mark.django_db


def test_actions_are_listed_as_the_caller_has_them(boss, caller):
    names = [item["action"] for item in boss.call("actions_product")["actions"]]
    assert names == ["delete_selected", "mark_discontinued", "change_price", "export_csv"]
    viewer = caller("viewer", *VIEW_ALL)
    assert [item["action"] for item in viewer.call("actions_product")["actions"]] == ["export_csv"]
    assert "action: use one of: export_csv" in viewer.refused("action_product", action="change_price", ids=[1])


def test_an_action_tells_its_messages_and_is_logged_once_per_row(boss):
    make_product("SKU0001")
    make_product("SKU0002", status="discontinued")
    done = boss.call("action_product", action="mark_discontinued", ids=["SKU0001", "SKU0002"])
    assert done["messages"] == ["Marked as discontinued: SKU0001.", "1 already discontinued: nothing to do."]
    assert [row["label"] for row in done["of"]] == ["SKU0001 Oak desk", "SKU0002 Oak desk"]
    assert done["changed"][0]["changed"]["status"] == ["active", "discontinued"]
    assert LogEntry.objects.count() == 2
    [entry] = boss.call("history_product", sku="SKU0001")["entries"]
    assert entry["changes"]["status"] == ["active", "discontinued"]


def test_an_action_that_asks_first_explains_itself_and_changes_nothing(boss):
    make_product("SKU0001", price="10.05")
    asked = boss.call("action_product", action="change_price", ids=["SKU0001"])
    assert "Call again with confirm=true and parameters" in asked["confirm"]
    assert "SKU0001 Oak desk: 10.05" in asked["says"]
    assert asked["parameters"] == {"percent": {"type": "number", "step": "0.01", "required": True}}
    assert str(Product.objects.get().price) == "10.05"
    assert not LogEntry.objects.exists()


def test_a_confirmed_action_posts_the_pages_form(boss):
    make_product("SKU0001", price="10.05")
    done = boss.call(
        "action_product", action="change_price", ids=["SKU0001"], confirm=True, parameters={"percent": "10"}
    )
    assert done["messages"] == ["Changed 1 prices by 10 %."]
    assert done["changed"][0]["changed"] == {"price": ["10.05", "11.06"]}
    assert str(Product.objects.get().price) == "11.06"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"parameters": {"percent": "0"}}, "and not 0"),
        ({"parameters": {}}, "This field is required"),
        ({"parameters": {"amount": 1}}, "parameters: amount cannot be given. Allowed: percent"),
    ],
)
def test_a_page_that_is_not_satisfied_says_why_and_nothing_is_changed(boss, arguments, text):
    make_product("SKU0001", price="10.05")
    refusal = boss.refused("action_product", action="change_price", ids=["SKU0001"], confirm=True, **arguments)
    assert text in refusal
    assert str(Product.objects.get().price) == "10.05"


def test_an_action_without_a_page_takes_no_parameters(boss):
    make_product()
    refusal = boss.refused("action_product", action="mark_discontinued", ids=["SKU0043"], parameters={"x": 1})
    assert "takes none" in refusal
    assert Product.objects.get().status == "active"


def test_an_action_can_be_tried(boss):
    make_product()
    shown = boss.call("action_product", action="mark_discontinued", ids=["SKU0043"], dry_run=True)
    assert shown["dry_run"] is True
    assert shown["messages"] == ["Marked as discontinued: SKU0043."]
    assert Product.objects.get().status == "active"
    assert not LogEntry.objects.exists()


def test_an_action_that_answers_with_a_file_gives_the_file(boss):
    make_product(name="Oak desk")
    result = boss.result("action_product", action="export_csv", ids=["SKU0043"])
    assert "products.csv" in text_of(result)
    [file] = [block.resource for block in result.content if block.type == "resource"]
    assert (file.mime_type, str(file.uri)) == ("text/csv", "file:///products.csv")
    assert "SKU0043,Oak desk" in file.text
    assert "dry_run" not in result.structured_content
    tried = boss.call("action_product", action="export_csv", ids=["SKU0043"], dry_run=True)
    assert (tried["file"], tried["dry_run"]) == ("products.csv", True)


def test_an_action_reaches_only_rows_in_sight(caller):
    order = make_order(make_user("bob"))
    clerk = caller("clerk", "shop.view_order", "shop.change_order")
    assert "You see no order" in clerk.refused("action_order", action="mark_paid", ids=[order.number])


def test_messages_of_an_action_that_could_not_are_told(boss):
    bob = make_user("bob")
    placed, shipped = make_order(bob), make_order(bob, status="shipped")
    done = boss.call("action_order", action="mark_paid", ids=[placed.number, shipped.number])
    assert done["messages"] == [
        f"{shipped.number} cannot be changed so: it is shipped. It must be placed.",
        f"Marked as paid: {placed.number}.",
    ]


def test_the_admins_own_delete_action_asks_and_obeys_the_rules(boss):
    bob = make_user("bob")
    kept, gone = make_order(bob), make_order(bob, status="cancelled")
    refusal = boss.refused("action_order", action="delete_selected", ids=[kept.pk, gone.pk], confirm=True)
    assert f"You may not delete order {kept.number}: a rule for this row forbids it" in refusal
    assert gone.number not in refusal
    asked = boss.call("action_order", action="delete_selected", ids=[gone.pk])
    assert gone.number in asked["says"]
    done = boss.call("action_order", action="delete_selected", ids=[gone.pk], confirm=True)
    assert done["messages"] == ["Successfully deleted 1 order."]
    assert [entry.is_deletion() for entry in LogEntry.objects.all()] == [True]


class SawsAdmin(admin.ModelAdmin):
    actions = ("make_drill", "scrap")

    def get_queryset(self, request: Any) -> Any:
        return super().get_queryset(request).filter(kind="s")

    def make_drill(self, request: Any, rows: Any) -> None:
        rows.update(kind="d")

    def scrap(self, request: Any, rows: Any) -> None:
        rows.delete()


@pytest.mark.parametrize(
    ("action", "flag", "told"),
    [
        ("make_drill", CHANGE, {"changed": [{"id": "S-1", "changed": {"kind": ["s", "d"]}}]}),
        ("scrap", DELETION, {"deleted": ["S-1"]}),
    ],
)
def test_what_an_action_takes_out_of_sight_is_told_and_logged(db, action, flag, told):
    Machine.objects.create(code="S-1", serial="A 1")
    boss = boss_of((Machine, SawsAdmin))
    tried = boss.call("action_machine", action=action, ids=["S-1"], dry_run=True)
    done = boss.call("action_machine", action=action, ids=["S-1"])
    assert tried == done | {"dry_run": True}
    assert {name: done.get(name) for name in told} == told
    assert list(LogEntry.objects.values_list("object_id", "action_flag")) == [("S-1", flag)]
