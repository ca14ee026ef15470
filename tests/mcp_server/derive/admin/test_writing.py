"""Creating, changing and deleting through the admin's own views."""

import base64
from datetime import date

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.storage import default_storage
from django.db import transaction

from shop.models import Category, Order, Product, StockAdjustment, Supplier, Tag
from tests.factories import make_order, make_product, make_user
from tests.mcp_server.derive.admin.conftest import FULL

pytestmark = pytest.mark.django_db

NEW = {"sku": "SKU0001", "name": "Lamp", "price": "10.50"}


@pytest.fixture
def desks():
    return Category.objects.create(name="Desks", slug="desks")


def test_a_row_is_created_by_the_admins_hooks_with_the_models_defaults(boss, desks):
    eco = Tag.objects.create(name="eco")
    made = boss.call("create_product", values={**NEW, "category": "Desks", "stock": 4, "tags": ["eco"]})
    product = Product.objects.get()
    assert made == {"created": {"id": product.pk, "label": "SKU0001 Lamp", "sku": "SKU0001"}}
    assert (product.category, product.status, product.reorder_level) == (desks, "draft", 5)
    assert list(product.tags.all()) == [eco]
    # save_model records the first stock under the caller's name.
    assert product.adjustments.get().adjusted_by == boss.user
    [log] = LogEntry.objects.all()
    assert (log.get_change_message(), log.user, log.object_id) == ("Added.", boss.user, str(product.pk))


def test_a_selection_may_change_in_part(boss):
    product = make_product()
    eco, oak, new = (Tag.objects.create(name=name) for name in ("eco", "oak", "new"))
    product.tags.set([eco, oak])
    part = {"add": ["new", {"id": eco.pk}], "remove": ["oak"]}
    changed = boss.call("update_product", id=product.pk, values={"tags": part})["changed"]
    assert [[tag["label"] for tag in side] for side in changed["tags"]] == [["eco", "oak"], ["eco", "new"]]
    assert set(product.tags.all()) == {eco, new}
    again = boss.call(
        "bulk_product", operation="update", ids=[product.pk], values={"tags": {"remove": ["new", oak.pk]}}
    )
    assert again["results"][0]["changed"]["tags"][1] == [{"id": eco.pk, "label": "eco"}]
    assert "Nothing changed" in boss.call("update_product", id=product.pk, values={"tags": {"add": ["eco"]}})["note"]
    made = boss.call("create_product", values={**NEW, "category": "Desks", "tags": {"add": ["eco"]}})["created"]
    assert list(Product.objects.get(pk=made["id"]).tags.all()) == [eco]


def test_an_update_touches_what_was_given_and_nothing_else(boss):
    product = make_product(description="Solid", attributes={"colour": "oak"}, launched_on=date(2026, 1, 5))
    product.tags.add(Tag.objects.create(name="eco"))
    before = Product.objects.filter(pk=product.pk).values().get()
    answer = boss.call("update_product", sku="SKU0043", values={"price": "199.00"})
    assert answer == {
        "updated": {"id": product.pk, "label": "SKU0043 Oak desk", "sku": "SKU0043"},
        "changed": {"price": ["249.00", "199.00"]},
    }
    after = Product.objects.filter(pk=product.pk).values().get()
    assert {name for name in before if before[name] != after[name]} == {"price", "updated_at"}
    assert product.tags.count() == 1


@pytest.mark.parametrize(
    "values",
    [
        {"attributes": {"colour": "oak"}},
        {"datasheet": None},
        {"price": "249.00", "reorder_level": {"add": 0}},
        {"tags": ["eco"], "category": "desks"},
        {},
    ],
)
def test_what_is_given_as_it_is_already_is_no_change_and_not_logged(boss, values):
    product = make_product(attributes={"colour": "oak"})
    product.tags.add(Tag.objects.create(name="eco"))
    assert boss.call("update_product", id=product.pk, values=values)["changed"] == {}
    assert not LogEntry.objects.exists()
    assert boss.call("update_product", id=product.pk, values={"attributes": {"colour": "ash"}})["changed"]
    assert LogEntry.objects.get().get_change_message() == "Changed Attributes."


def test_foreign_keys_and_selections_read_as_old_and_new_labels(boss):
    product = make_product()
    sofas, eco = Category.objects.create(name="Sofas", slug="sofas"), Tag.objects.create(name="eco")
    values = {"category": {"name": "Sofas"}, "tags": [eco.pk], "supplier": None}
    changed = boss.call("update_product", id=product.pk, values=values)["changed"]
    assert [side["label"] for side in changed["category"]] == ["Desks", "Sofas"]
    assert changed["tags"] == [[], [{"id": eco.pk, "label": "eco"}]]
    assert "supplier" not in changed
    product.refresh_from_db()
    assert product.category == sofas


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"stock": 5}, "stock cannot be written here: it is read-only"),
        ({"stock_value": 5}, "stock_value cannot be written here"),
        ({"id": 9}, "id cannot be written here"),
        ({"colour": "oak"}, "colour is no field. Fields you may write: sku, name"),
        ({"price": "cheap"}, "price: Give a number"),
        ({"price": "0"}, "price: Ensure this value is greater than or equal to 0.01"),
        ({"price": True}, "price: Give a number"),
        ({"status": "gone"}, "status: 'gone' is not allowed. Use one of: draft, active, discontinued"),
        ({"status": "discontinued"}, "reorder_level: A discontinued product is not ordered again"),
        ({"category": "Sofas"}, "category: You see no category 'Sofas'"),
        ({"category": 99999}, "category: Select a valid choice"),
        ({"category": None}, "category: This field is required"),
        ({"tags": "eco"}, "tags: Give a list"),
        ({"tags": {"replace": ["eco"]}}, 'tags: Give {"add": [...], "remove": [...]}, or a list'),
        ({"tags": {"add": "eco"}}, "tags: Give a list"),
        ({"name": ["a"]}, "name: Give text"),
        ({"name": "a\x00b"}, "name: Null characters are not allowed"),
        ({"launched_on": "tomorrow"}, "launched_on: Give a date as YYYY-MM-DD"),
        ({"attributes": [1]}, "attributes: Give a JSON object"),
        ({"datasheet": "/etc/passwd"}, 'datasheet: Give {"name"'),
        ({"datasheet": {"name": "a.txt", "content": "%"}}, "not base64"),
        ({"datasheet": {"name": "a.exe", "content": "TVo="}}, "exe"),
    ],
)
def test_a_value_is_refused_beside_its_field_and_nothing_is_written(boss, values, text):
    product = make_product()
    before = Product.objects.values().get()
    assert text in boss.refused("update_product", id=product.pk, values=values)
    assert Product.objects.values().get() == before
    assert not LogEntry.objects.exists()


def test_all_errors_come_at_once(boss):
    text = boss.refused("create_product", values={"sku": "sku 1", "price": "x"})
    assert "sku: Use capital letters" in text
    assert "price: Give a number" in text
    assert "category: This field is required" in text


def test_a_write_that_changes_nothing_is_not_logged(boss):
    product = make_product()
    answer = boss.call("update_product", id=product.pk, values={"price": "249.00", "name": "Oak desk"})
    assert answer["changed"] == {}
    assert "Nothing changed" in answer["note"]
    assert not LogEntry.objects.exists()


def test_long_values_are_cut_where_old_and_new_are_told(boss):
    product = make_product(description=("Oak. " * 700).strip(), attributes={"parts": ["Leg"] * 40_000})
    longer = f"{product.description} Ash."
    values = {"description": longer, "attributes": {"parts": ["Leg"] * 40_000 + ["Top"]}}
    told = boss.call("update_product", id=product.pk, values=values)["changed"]
    assert told["description"] == ["… Oak. Oak. Oak. Oak.", "… Oak. Oak. Oak. Oak. Ash."]
    assert [value[-7:] for value in told["attributes"]] == ['"Leg"]}', '"Top"]}']
    [entry] = boss.call("history_product", id=product.pk)["entries"]
    assert entry["changes"] == told
    # What was written and what the log keeps is whole.
    product.refresh_from_db()
    assert (product.description, product.attributes) == (longer, values["attributes"])
    assert longer in LogEntry.objects.get().change_message
    dry = {"sku": "SKU0044", "name": "Shelf", "category": product.category_id, "price": "9.00"} | values
    tried = boss.call("create_product", values=dry, dry_run=True)["values"]
    assert (tried["description"][-6:], len(tried["attributes"])) == ("Oak. …", 201)


def test_numbers_change_relatively_rounded_and_validated(boss):
    product = make_product(price="10.05", reorder_level=5)
    values = {"price": {"multiply": "1.10"}, "reorder_level": {"add": -3}}
    changed = boss.call("update_product", id=product.pk, values=values)["changed"]
    assert changed == {"price": ["10.05", "11.06"], "reorder_level": [5, 2]}
    refusal = boss.refused("update_product", id=product.pk, values={"reorder_level": {"add": -3}})
    assert "reorder_level: Ensure this value is greater than or equal to 0" in refusal


def test_a_dry_run_shows_everything_and_leaves_nothing(boss, desks, django_capture_on_commit_callbacks):
    product = make_product()
    with django_capture_on_commit_callbacks() as callbacks:
        answer = boss.call("update_product", id=product.pk, values={"price": "1.00"}, dry_run=True)
        made = boss.call("create_product", values={**NEW, "category": desks.pk, "stock": 2}, dry_run=True)
    assert (answer["dry_run"], answer["changed"]) == (True, {"price": ["249.00", "1.00"]})
    assert made["values"]["price"] == "10.50"
    assert made["values"]["category"]["label"] == "Desks"
    assert callbacks == []
    assert Product.objects.get().price == 249
    assert not LogEntry.objects.exists()
    assert not StockAdjustment.objects.exists()


def test_a_file_is_stored_replaced_and_removed_and_a_dry_run_stores_none(boss):
    product = make_product()

    def datasheet(text):
        return {"datasheet": {"name": "desk.txt", "content": base64.b64encode(text).decode()}}

    shown = boss.call("update_product", id=product.pk, values=datasheet(b"72 cm"), dry_run=True)
    name = shown["changed"]["datasheet"][1]["name"]
    assert name.endswith("desk.txt")
    assert not default_storage.exists(name)
    boss.call("update_product", id=product.pk, values=datasheet(b"72 cm"))
    product.refresh_from_db()
    with product.datasheet.open() as stored:
        assert stored.read() == b"72 cm"
    assert boss.call("get_product", id=product.pk)["datasheet"]["name"] == product.datasheet.name
    changed = boss.call("update_product", id=product.pk, values={"datasheet": None})["changed"]
    assert changed["datasheet"][1] is None
    product.refresh_from_db()
    assert not product.datasheet


def test_inlines_are_written_with_their_parent(boss):
    desk, lamp = make_product("SKU0001", stock=5), make_product("SKU0002", stock=5)
    make_user("bob")
    lines = [{"product": "SKU0001", "quantity": 2}, {"product": lamp.pk, "quantity": 1}]
    number = boss.call("create_order", values={"owner": "bob", "lines": lines})["created"]["number"]
    order = Order.objects.get(number=number)
    assert dict(order.lines.values_list("product__sku", "quantity")) == {"SKU0001": 2, "SKU0002": 1}
    first = order.lines.get(product=desk)
    changes = [{"id": first.pk, "quantity": 3}, {"id": "1 x SKU0002", "delete": True}]
    answer = boss.call("update_order", id=number, values={"lines": changes})
    assert answer["changed"]["lines"]["changed"][0]["changed"] == {"quantity": [2, 3]}
    assert answer["changed"]["lines"]["deleted"] == ["1 x SKU0002"]
    desk.refresh_from_db()
    lamp.refresh_from_db()
    assert (desk.stock, lamp.stock) == (2, 5)
    [entry, _] = boss.call("history_order", id=number)["entries"]
    assert entry["changes"] == {"3 x SKU0001: quantity": [2, 3]}


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ([], "lines: at least 1 row is needed"),
        ([{"product": "SKU0001", "quantity": 6}], "lines.0.quantity: Only 5 of SKU0001 are in stock"),
        ([{"product": "SKU0001", "quantity": 1, "unit_price": "0.01"}], "lines.0.unit_price cannot be written here"),
        ([{"product": "SKU9999", "quantity": 1}], "lines.0.product: You see no product"),
        ([{"id": 5, "quantity": 1}], "lines: no row '5'. Rows: none"),
        ("SKU0001", "lines: give a list of objects"),
    ],
)
def test_bad_inline_rows_are_refused_by_name_and_nothing_is_written(boss, lines, text):
    make_product("SKU0001", stock=5)
    assert text in boss.refused("create_order", values={"owner": "boss", "lines": lines})
    assert not Order.objects.exists()
    assert Product.objects.get().stock == 5


def test_a_row_of_an_inline_is_taken_as_it_was_read(boss):
    make_product("SKU0001", stock=5)
    order = make_order(boss.user, ("SKU0001", 2))
    [line] = boss.call("get_order", id=order.pk)["lines"]
    assert line.keys() == {"id", "label", "product", "quantity", "unit_price", "line_total"}
    answer = boss.call("update_order", id=order.pk, values={"lines": [line | {"quantity": 3}]})
    assert answer["changed"]["lines"]["changed"][0]["changed"] == {"quantity": [2, 3]}
    # What was read meanwhile is old.
    for name in ("label", "line_total"):
        refusal = boss.refused("update_order", id=order.pk, values={"lines": [{"id": line["id"], name: line[name]}]})
        assert f"lines.0.{name} " in refusal
    new = {"label": "1 x SKU0001", "product": "SKU0001", "quantity": 1}
    assert "lines.0.label is no field" in boss.refused("update_order", id=order.pk, values={"lines": [new]})


def test_a_field_the_form_itself_fixes_is_refused(boss):
    make_product("SKU0002")
    order = make_order(make_user("bob"))
    line = order.lines.get()
    refusal = boss.refused("update_order", id=order.pk, values={"lines": [{"id": line.pk, "product": "SKU0002"}]})
    assert "product cannot be written here" in refusal


@pytest.mark.parametrize(("status", "allowed"), [("placed", True), ("shipped", False), ("cancelled", False)])
def test_a_frozen_row_is_refused_with_its_name_and_the_rule(boss, status, allowed):
    order = make_order(make_user("bob"), status=status)
    if allowed:
        boss.call("update_order", id=order.number, values={"note": "Ring"})
        return
    refusal = boss.refused("update_order", id=order.number, values={"note": "Ring"})
    assert order.number in refusal
    assert "a rule for this row forbids it" in refusal


def test_what_is_hidden_from_a_callers_form_cannot_be_written_by_that_caller(caller):
    make_product()
    make_user("bob")
    clerk = caller("clerk", *FULL)
    lines = [{"product": "SKU0043", "quantity": 1}]
    assert "owner cannot be written here" in clerk.refused("create_order", values={"owner": 1, "lines": lines})
    clerk.call("create_order", values={"lines": lines})
    assert Order.objects.get().owner == clerk.user


def test_inlines_need_permissions_of_their_own(caller):
    make_product()
    rights = [name for name in FULL if not name.endswith(("add_orderline", "delete_orderline"))]
    clerk = caller("clerk", *rights, "shop.view_all_orders")
    order = make_order(make_user("bob"))
    refusal = clerk.refused("update_order", id=order.pk, values={"lines": [{"product": "SKU0043", "quantity": 1}]})
    assert "lines: rows cannot be added here" in refusal
    line = order.lines.get()
    refusal = clerk.refused("update_order", id=order.pk, values={"lines": [{"id": line.pk, "delete": True}]})
    assert "lines: rows cannot be deleted here" in refusal


def test_an_adjustment_goes_through_the_service(boss):
    make_product("SKU0001", stock=5)
    boss.call("create_stockadjustment", values={"product": "SKU0001", "delta": -2, "reason": "Damage"})
    assert Product.objects.get().stock == 3
    assert LogEntry.objects.get().object_id == str(StockAdjustment.objects.get().pk)
    refusal = boss.refused("create_stockadjustment", values={"product": "SKU0001", "delta": -9, "reason": "damage"})
    assert "delta: SKU0001 has 3 in stock" in refusal


def test_a_delete_goes_through_the_admin_and_names_what_went_along(boss):
    order = make_order(make_user("bob"), status="cancelled")
    shown = boss.call("delete_order", id=order.number, dry_run=True)
    assert shown["rows"] == {"orders": 1, "order lines": 1}
    assert shown["with_it"] == ["Order line: 1 x SKU0043"]
    assert Order.objects.exists()
    assert boss.call("delete_order", id=order.number)["deleted"]["number"] == order.number
    assert not Order.objects.exists()
    assert LogEntry.objects.get().is_deletion()


def test_a_delete_is_refused_in_one_verdict(boss):
    order = make_order(make_user("bob"))
    refusal = boss.refused("delete_order", id=order.number)
    assert f"You may not delete order {order.number}: a rule for this row forbids it" in refusal
    refusal = boss.refused("delete_product", sku="SKU0043")
    assert "SKU0043 Oak desk cannot be deleted" in refusal
    assert "1 x order line, 1 x stock adjustment" in refusal
    assert Order.objects.exists()


def test_a_delete_needs_the_right_to_everything_that_goes_along(caller):
    order = make_order(make_user("bob"), status="cancelled")
    rights = [name for name in FULL if name != "shop.delete_order"]
    clerk = caller("clerk", *rights, "shop.view_all_orders")
    assert "Unknown tool" in clerk.refused("delete_order", id=order.pk)


def test_uuid_keys_make_the_round_trip(boss):
    made = boss.call("create_supplier", values={"name": "Mill", "email": "mill@example.com"})["created"]
    supplier = Supplier.objects.get()
    assert made["id"] == str(supplier.pk)
    boss.call("update_supplier", id=made["id"], values={"lead_time_days": 3})
    supplier.refresh_from_db()
    assert supplier.lead_time_days == 3
    make_product()
    boss.call("update_product", sku="SKU0043", values={"supplier": made["id"]})
    assert Product.objects.get().supplier == supplier


def test_bulk_is_all_or_nothing_unless_told_otherwise(boss):
    make_product("SKU0001", price=10)
    make_product("SKU0002", price=20, reorder_level=1)
    items = [
        {"id": "SKU0001", "values": {"reorder_level": {"add": -3}}},
        {"id": "SKU0002", "values": {"reorder_level": {"add": -3}}},
        {"id": "SKU0009", "values": {"name": "x"}},
    ]
    refusal = boss.refused("bulk_product", operation="update", items=items)
    assert "Nothing was changed: 2 of 3 items were refused" in refusal
    assert "SKU0002: reorder_level: Ensure" in refusal
    assert "SKU0009: You see no product" in refusal
    assert Product.objects.get(sku="SKU0001").reorder_level == 5
    answer = boss.call("bulk_product", operation="update", items=items, atomic=False)
    assert (answer["done"], answer["failed"]) == (1, 2)
    assert Product.objects.get(sku="SKU0001").reorder_level == 2
    assert LogEntry.objects.count() == 1


def test_bulk_changes_many_rows_the_same_way(boss):
    for number in range(3):
        make_product(f"SKU000{number}", price=10 * (number + 1))
    values = {"price": {"multiply": "1.10"}}
    names = ["SKU0000", "SKU0001", "SKU0002"]
    shown = boss.call("bulk_product", operation="update", ids=names, values=values, dry_run=True)
    assert [item["changed"]["price"][1] for item in shown["results"]] == ["11.00", "22.00", "33.00"]
    assert set(Product.objects.values_list("price", flat=True)) == {10, 20, 30}
    boss.call("bulk_product", operation="update", ids=names, values=values)
    assert set(Product.objects.values_list("price", flat=True)) == {11, 22, 33}
    assert LogEntry.objects.count() == 3


def test_bulk_creates_and_deletes(boss):
    answer = boss.call("bulk_tag", operation="create", items=[{"name": "eco"}, {"name": "new"}])
    assert [item["created"]["label"] for item in answer["results"]] == ["eco", "new"]
    boss.call("bulk_tag", operation="delete", ids=["eco", "new"])
    assert not Tag.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"operation": "update", "ids": ["eco", 1], "values": {"name": "x"}}, "named more than once"),
        ({"operation": "update", "ids": ["eco"]}, "ids with values"),
        ({"operation": "update", "items": [{"name": "x"}]}, "An item of an update is"),
        ({"operation": "delete", "items": [{"id": 1}]}, "delete takes ids only"),
        ({"operation": "create", "ids": [1]}, "create takes items only"),
        ({"operation": "create"}, "create takes items only"),
        ({"operation": "merge"}, "use one of: create, update, delete"),
        ({"operation": "delete", "ids": list(range(101))}, "At most 100"),
        ({"operation": "create", "items": ["eco"]}, "object"),
    ],
)
def test_bulk_says_what_it_takes(boss, arguments, text):
    tag = Tag.objects.create(name="eco")
    if arguments.get("ids") == ["eco", 1]:
        arguments = {**arguments, "ids": ["eco", tag.pk]}
    assert text in boss.refused("bulk_tag", **arguments)
    assert Tag.objects.get().name == "eco"


def test_bulk_asks_for_the_right_of_each_operation(caller):
    Tag.objects.create(name="eco")
    clerk = caller("clerk", "shop.view_tag", "shop.add_tag")
    assert "You may not delete tags" in clerk.refused("bulk_tag", operation="delete", ids=["eco"])
    assert "You may not change tags" in clerk.refused("bulk_tag", operation="update", ids=["eco"], values={"name": "x"})
    clerk.call("bulk_tag", operation="create", items=[{"name": "new"}])


def test_a_write_is_one_transaction(boss):
    product = make_product()
    with transaction.atomic():
        boss.refused("update_product", id=product.pk, values={"name": "Lamp", "price": "-1"})
    product.refresh_from_db()
    assert product.name == "Oak desk"
