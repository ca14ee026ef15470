"""Lists, rows, relations, history and look-ups of the shop, through a real client."""

import pytest
from django.contrib import admin
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from shop.models import Category, Order, Product, Supplier, Tag
from tests.factories import make_order, make_product, make_user
from tests.mcp_server.derive.admin.conftest import FULL, VIEW_ALL, boss_of, caller_of, site_of, text_of

pytestmark = pytest.mark.django_db


def labels(answer):
    return [row["label"] for row in answer["rows"]]


def test_rows_carry_id_label_unique_fields_and_the_columns_of_the_admin(boss):
    product = make_product(supplier=Supplier.objects.create(name="Mill", email="mill@example.com"))
    [row] = boss.call("list_product")["rows"]
    assert row["id"] == product.pk
    assert row["label"] == "SKU0043 Oak desk"
    assert row["sku"] == "SKU0043"
    assert row["category"] == {"id": product.category_id, "label": "Desks"}
    assert row["supplier"]["label"] == "Mill"
    assert (row["price"], row["stock_value"], row["low_stock"]) == ("249.00", "2490.00", False)


def test_every_answer_names_its_row_by_id_label_and_unique_fields(boss):
    desks = Category.objects.create(name="Desks", slug="desks")
    row = {"id": desks.pk, "label": "Desks", "name": "Desks", "slug": "desks"}
    assert boss.call("related_category", slug="desks")["of"] == row
    assert boss.call("history_category", slug="desks")["of"] == row
    assert boss.call("autocomplete_category", search="Desk")["rows"] == [row]
    assert boss.call("action_category", action="delete_selected", ids=["desks"])["of"] == [row]
    written = boss.call("update_category", slug="desks", values={"description": "Of wood."})["updated"]
    deleted = boss.call("delete_category", slug="desks")["deleted"]
    assert written == deleted == row


def test_search_filters_and_order_are_the_admins_own(boss):
    make_product("SKU0001", name="Oak desk", price=10, stock=0)
    make_product("SKU0002", name="Lamp", price=30)
    make_product("SKU0003", name="Oak chair", price=20, status="draft")
    assert labels(boss.call("list_product", search="oak", order=["-price"])) == [
        "SKU0003 Oak chair",
        "SKU0001 Oak desk",
    ]
    assert labels(boss.call("list_product", filters={"level": "out"})) == ["SKU0001 Oak desk"]
    assert labels(boss.call("list_product", filters={"level": "Out of stock"})) == ["SKU0001 Oak desk"]
    assert labels(boss.call("list_product", filters={"status": "Draft"})) == ["SKU0003 Oak chair"]
    assert labels(boss.call("list_product", filters={"price__gte": "20", "category": "Desks"})) == [
        "SKU0002 Lamp",
        "SKU0003 Oak chair",
    ]
    assert boss.call("list_product", filters={"status": ["draft", "active"]}, count_only=True) == {"total": 3}


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"launched_on__year": 2026}, ["SKU0002 Oak desk", "SKU0003 Oak desk"]),
        ({"launched_on__year": "2026", "launched_on__month": 3}, ["SKU0003 Oak desk"]),
        ({"launched_on__year": 2026, "launched_on__month": 3, "launched_on__day": 7}, ["SKU0003 Oak desk"]),
        ({"launched_on__month": 3}, ["SKU0001 Oak desk", "SKU0003 Oak desk"]),
        ({"created_at__year": 2020}, []),
    ],
)
def test_the_date_hierarchy_narrows_to_a_year_a_month_or_a_day(boss, filters, found):
    for sku, day in (("SKU0001", "2025-03-07"), ("SKU0002", "2026-01-07"), ("SKU0003", "2026-03-07")):
        make_product(sku, launched_on=day)
    assert labels(boss.call("list_product", filters=filters)) == found


def test_filters_are_typed_arguments(boss):
    def types(noun):
        filters = boss.tools()[f"list_{noun}"].input_schema["properties"]["filters"]["properties"]
        return {
            name: schema.get("format") or schema.get("type") or "enum" in schema for name, schema in filters.items()
        }

    # A foreign key takes an id or a label.
    keys = dict.fromkeys(("category", "supplier", "tags"), False)
    assert types("product") == {"level": True, "status": True, "launched_on": "date", **keys}
    assert types("supplier") == {"lead_time_days": "integer"}
    assert types("order") == {"status": True, "placed_at": "date", "owner": False}


def test_fields_choose_columns_and_pages_say_where_to_go_on(boss):
    for number in range(3):
        make_product(f"SKU000{number}")
    page = boss.call("list_product", fields=["reorder_level"], limit=2, order=["sku"])
    assert page["rows"][0].keys() == {"id", "label", "sku", "reorder_level"}
    assert page["next_offset"] == 2
    rest = boss.call("list_product", limit=2, offset=2, order=["sku"])
    assert (labels(rest), rest["total"]) == (["SKU0002 Oak desk"], 3)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"limit": 101}, "from 1 to 100"),
        ({"limit": "10"}, "limit: give an integer"),
        ({"offset": -1}, "from 0 up"),
        ({"colour": 1}, "colour is not an argument of this tool"),
        ({"filters": {"colour": 1}}, "colour is no filter. Allowed: level, status"),
        ({"filters": {"level": "nope"}}, "use one of: out, low, fine"),
        ({"filters": {"status": "nope"}}, "Use one of: draft, active, discontinued"),
        ({"filters": {"category": "Sofas"}}, "You see no category 'Sofas'"),
        ({"filters": {"price": "cheap"}}, "price"),
        ({"filters": {"category__parent__name": "x"}}, "is no filter"),
        ({"filters": {"created_at__gte": "soon"}}, "ISO 8601"),
        ({"filters": {"created_at__year": 10**6}}, "created_at__year: give a number from 1 to 9999"),
        ({"filters": {"created_at__year": "9" * 5000}}, "created_at__year: give a number from 1 to 9999"),
        ({"filters": {"launched_on__month": "May"}}, "launched_on__month: give a number from 1 to 12"),
        (
            {"filters": {"launched_on__year": 2026, "launched_on__month": 2, "launched_on__day": 30}},
            "does not take these, see describe_product",
        ),
        ({"filters": {"price__year": 2026}}, "is no filter"),
        ({"filters": {"status": []}}, "status takes at least 1 and at most 100 values"),
        ({"filters": {"created_at__gte": []}}, "created_at__gte takes at least 1 and at most 100 values"),
        ({"filters": {"level": []}}, "level takes at least 1 and at most 100 values"),
        ({"order": [7]}, "order: every item must be a string"),
        ({"fields": [{"sku": 1}, "sku"]}, "fields: every item must be a string"),
        ({"order": ["attributes"]}, "Allowed: sku, name"),
        ({"fields": ["password"]}, "cannot be read"),
        ({"search": "a\x00b"}, "NUL"),
        ({"filters": {"name__contains": "x" * 60_000}}, "name__contains: at most 500 characters"),
    ],
)
def test_a_list_names_what_it_does_not_take(boss, arguments, text):
    assert text in boss.refused("list_product", **arguments)


def test_a_name_of_any_length_names_no_row(boss):
    make_product("SKU0001")
    assert "You see no product" in boss.refused("get_product", sku="x" * 60_000)


def test_queries_do_not_grow_with_the_rows(boss):
    def fill(first, last):
        for number in range(first, last):
            category = Category.objects.create(name=f"Desks {number}", slug=f"desks-{number}")
            supplier = Supplier.objects.create(name=f"Mill {number}", email="mill@example.com")
            product = make_product(f"SKU{number:04d}", category=category, supplier=supplier)
            product.tags.add(Tag.objects.create(name=f"tag {number}"))
            make_order(make_user(f"buyer{number}"), (product.sku, 1))

    def count(tool, **arguments):
        boss.call(tool, **arguments)
        with CaptureQueriesContext(connection) as captured:
            boss.call(tool, **arguments)
        return len(captured)

    calls = [
        ("list_product", {"fields": ["category", "supplier", "tags"]}),
        ("list_order", {"can": True}),
        ("list_stockadjustment", {}),
        ("list_category", {}),
        ("related_category", {"id": "Desks 0", "relation": "products"}),
        ("autocomplete_stockadjustment", {"field": "product"}),
    ]
    with override_settings(MCP_TOKEN_CACHE_SECONDS=60):
        fill(0, 3)
        few = [count(tool, **arguments) for tool, arguments in calls]
        fill(3, 20)
        assert [count(tool, **arguments) for tool, arguments in calls] == few


def test_a_list_counts_nothing_and_fills_no_sidebar(boss):
    make_product()
    with override_settings(MCP_TOKEN_CACHE_SECONDS=60):
        boss.call("list_product")
        with CaptureQueriesContext(connection) as captured:
            boss.call("list_product", filters={"status": "active"})
    statements = [query["sql"] for query in captured if "shop_" in query["sql"]]
    assert len(statements) == 1
    assert "COUNT(*)" not in statements[0]


@pytest.mark.parametrize(
    ("arguments", "total", "counts"),
    [
        ({"limit": 2}, None, 0),
        ({"limit": 2, "total": True}, 3, 1),
        ({"limit": 1, "offset": 1, "total": True}, 3, 1),
        # The last page knows it, and one beyond the last does not.
        ({"limit": 3, "total": True}, 3, 0),
        ({"offset": 9, "total": True}, 3, 1),
        ({"offset": 9}, None, 0),
        ({"limit": 1, "total": True, "filters": {"status": "draft"}}, 1, 0),
        ({"count_only": True}, 3, 1),
    ],
)
def test_a_list_counts_all_rows_only_when_asked(boss, arguments, total, counts):
    for number, status in enumerate(["active", "active", "draft"]):
        make_product(f"SKU000{number}", status=status)
    with CaptureQueriesContext(connection) as captured:
        answer = boss.call("list_product", **arguments)
    assert answer.get("total") == total
    assert sum("COUNT(" in query["sql"] and "shop_product" in query["sql"] for query in captured) == counts
    assert ("rows" in answer) is not arguments.get("count_only", False)


@pytest.mark.parametrize("name", [{"id": 1}, {"id": "SKU0043"}, {"sku": "SKU0043"}, {"id": "SKU0043 Oak desk"}])
def test_a_row_is_named_by_its_id_a_unique_field_or_its_label(boss, name):
    product = make_product()
    if name == {"id": 1}:
        name = {"id": product.pk}
    assert boss.call("get_product", **name)["sku"] == "SKU0043"


def test_a_tool_says_what_its_id_may_be(boss):
    properties = boss.tools()["get_product"].input_schema["properties"]
    assert properties["id"] == {"description": "Id, sku or label"}
    assert "sku is not an argument" in boss.refused("list_product", sku="SKU0043")


def test_a_value_that_names_two_rows_is_never_guessed(boss):
    first = make_product("SKU0001")
    make_product(str(first.pk))
    assert "names several products" in boss.refused("get_product", id=str(first.pk))
    assert boss.call("get_product", sku=str(first.pk))["sku"] == str(first.pk)
    assert boss.call("get_product", id=first.pk)["sku"] == "SKU0001"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "Name one row by id or sku"),
        ({"id": 1, "sku": "SKU0043"}, "Name one row by id or sku"),
        ({"sku": "SKU9999"}, "You see no product"),
        ({"id": 10**30}, "You see no product"),
        ({"id": [1]}, "is named by its id"),
    ],
)
def test_a_row_that_is_not_there_is_said_so(boss, arguments, text):
    make_product()
    assert text in boss.refused("get_product", **arguments)


def test_a_row_shows_the_forms_fields_the_read_only_ones_and_the_inlines(boss):
    order = make_order(make_user("bob"), note="Ring twice")
    shown = boss.call("get_order", id=order.number, can=True)
    assert shown.keys() == {
        "id", "label", "number", "owner", "status", "note", "total", "placed_at", "cancelled_at", "lines", "can",
    }  # fmt: skip
    assert shown["owner"] == {"id": order.owner_id, "label": "bob"}
    [line] = shown["lines"]
    assert line["product"]["label"] == "SKU0043 Oak desk"
    assert (line["quantity"], line["unit_price"], line["line_total"]) == (1, "249.00", "249.00")
    assert shown["can"] == {"change": True, "delete": False}


def test_rows_out_of_sight_are_nowhere(caller):
    order = make_order(make_user("bob"))
    clerk = caller("clerk", *FULL)
    assert clerk.call("list_order")["rows"] == []
    for tool, arguments in [
        ("get_order", {}),
        ("history_order", {}),
        ("update_order", {"values": {"note": "x"}}),
        ("delete_order", {}),
    ]:
        assert "You see no order" in clerk.refused(tool, id=order.pk, **arguments)
    assert "You see no order" in clerk.refused("action_order", action="mark_paid", ids=[order.pk])
    refusal = clerk.refused("bulk_order", operation="update", ids=[order.pk], values={"note": "x"})
    assert "You see no order" in refusal
    assert clerk.call("autocomplete_order", search="ORD")["rows"] == []
    order.refresh_from_db()
    assert (order.note, order.status) == ("", "placed")


def test_related_rows_are_counted_and_listed(boss):
    desks = make_product().category
    assert boss.call("related_category", id="Desks")["counts"] == {"children": 0, "products": 1}
    [row] = boss.call("related_category", id=desks.pk, relation="products")["rows"]
    assert row["sku"] == "SKU0043"
    assert "use one of: children, products" in boss.refused("related_category", id=desks.pk, relation="users")


def test_relations_to_models_the_caller_may_not_see_do_not_exist(caller):
    make_product()
    partial = caller("partial", "shop.view_category")
    assert boss_counts(partial) == {"children": 0}
    assert partial.tools()["related_category"].input_schema["properties"]["relation"]["enum"] == ["children"]


@pytest.mark.parametrize(("lookup", "moment"), [("lte", "9999-12-31"), ("gte", "0001-01-01T00:00:00+14:00")])
def test_a_moment_beyond_the_calendar_is_compared_or_refused_in_words(boss, lookup, moment):
    make_order(make_user("bob"))
    result = boss.result("list_order", filters={f"placed_at__{lookup}": moment})
    # PostgreSQL's calendar goes further than Python's.
    assert "out of the range" in text_of(result) if result.is_error else result.structured_content["total"] == 1


def test_only_relations_whose_ties_are_shown_are_offered(db):
    without_parent = type("CategoryAdmin", (admin.ModelAdmin,), {"fields": ("name", "slug")})
    with_category = type("ProductAdmin", (admin.ModelAdmin,), {"fields": ("sku", "category")})
    boss = boss_of((Category, without_parent), (Product, with_category))
    assert boss.tools()["related_category"].input_schema["properties"]["relation"]["enum"] == ["products"]
    assert boss.call("describe_category")["relations"] == ["products"]
    assert "related_category" not in caller_of(site_of((Category, without_parent)), username="ann").tools()


def boss_counts(who):
    return who.call("related_category", id="Desks")["counts"]


def test_filters_through_models_the_caller_may_not_see_do_not_exist(caller):
    make_product()
    partial = caller("partial", "shop.view_product")
    assert "category is no filter" in partial.refused("list_product", filters={"category": "Desks"})
    assert "category" not in partial.tools()["list_product"].input_schema["properties"]["filters"]["properties"]


def test_autocomplete_finds_rows_and_values_for_a_foreign_key(boss):
    make_product()
    make_user("bob")
    assert labels(boss.call("autocomplete_category", search="des")) == ["Desks"]
    found = boss.call("autocomplete_order", field="owner", search="bo")["rows"]
    assert {"label": "bob", "username": "bob"}.items() <= found[0].items()
    assert "field: use one of: owner" in boss.refused("autocomplete_order", field="note")


def test_autocomplete_needs_the_right_to_see_both_models(caller):
    clerk = caller("clerk", *FULL)
    assert "field: use one of: lines.product" in clerk.refused("autocomplete_order", field="owner", search="b")


def test_describe_tells_fields_choices_inlines_and_rights(boss, caller):
    told = boss.call("describe_order")
    assert told["can"] == ["add", "change", "delete", "view"]
    assert "shipped or cancelled" in told["about"]
    line = told["values"]["lines"]["items"]["properties"]
    assert line.keys() == {"product", "quantity"}
    assert told["read_only"] == ["number", "status", "total", "placed_at", "cancelled_at"]
    viewer = caller("viewer", *VIEW_ALL).call("describe_order")
    assert viewer["can"] == ["view"]
    assert "values" not in viewer


def test_find_models_knows_what_the_caller_may_use(boss, caller):
    assert [row["model"] for row in boss.call("find_models", search="prod")["models"]] == ["shop.product"]
    few = caller("few", "shop.view_tag").call("find_models")["models"]
    assert few == [{"model": "shop.tag", "name": "tags", "tools": "*_tag", "can": ["view"]}]


def test_history_says_who_when_and_old_and_new(boss):
    product = make_product()
    boss.call("update_product", id=product.pk, values={"price": "199.00"})
    [entry] = boss.call("history_product", sku="SKU0043")["entries"]
    assert (entry["who"], entry["what"], entry["changes"]) == (
        "boss",
        "Changed Price.",
        {"price": ["249.00", "199.00"]},
    )


def test_nothing_was_written_by_reading(boss):
    make_order(make_user("bob"))
    before = (Product.objects.count(), Order.objects.count())
    for tool in ("list_order", "describe_order", "find_models", "actions_order"):
        boss.call(tool)
    assert (Product.objects.count(), Order.objects.count()) == before
