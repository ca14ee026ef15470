"""What a model that knows nothing but the tool list reads: answers without a needless look-up, errors that name it."""

import pytest

from shop.models import Category, Order, Supplier, Tag
from tests.factories import make_order, make_product, make_user

pytestmark = pytest.mark.django_db


def test_the_admins_own_sentence_about_a_saved_row_is_not_repeated_whatever_its_label(boss):
    assert "messages" not in boss.call("create_tag", values={"name": "Oak & <b>ash</b>"})
    assert "messages" not in boss.call("update_tag", id="Oak & <b>ash</b>", values={"name": "Oak & 'elm'"})


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ({"placed_at": "2026-01-21"}, 1),
        ({"placed_at__lte": "2026-01-21"}, 2),
        ({"placed_at__lt": "2026-01-21"}, 1),
        ({"placed_at__gt": "2026-01-21"}, 1),
        ({"placed_at__gte": "2026-01-21"}, 2),
        ({"placed_at__gt": "2026-01-20", "placed_at__lte": "2026-01-21"}, 1),
        ({"placed_at__lte": "2026-01-21T08:00:00+00:00"}, 1),
    ],
)
def test_a_day_is_the_whole_day_in_every_comparison(boss, filters, numbers):
    bob = make_user("bob")
    for day in ("20", "21", "22"):
        Order.objects.filter(pk=make_order(bob).pk).update(placed_at=f"2026-01-{day}T09:30:00Z")
    assert boss.call("list_order", filters=filters, count_only=True) == {"total": numbers}


def test_a_filter_of_the_wrong_type_says_what_it_takes(boss):
    assert "YYYY-MM-DD" in boss.refused("list_product", filters={"launched_on": 2025})
    assert "__gt, __lt, __isnull" in boss.refused("list_product", filters={"launched_on__week": 25})


@pytest.mark.parametrize(("given", "number"), [(True, 1), ("True", 1), ("1", 1), (False, 0), ("False", 0), (0, 0)])
def test_what_has_no_value_is_found_by_every_way_to_say_true(boss, given, number):
    make_product(supplier=None)
    assert boss.call("list_product", filters={"supplier__isnull": given}, count_only=True) == {"total": number}


def test_a_filter_for_no_value_takes_nothing_but_true_and_false(boss):
    assert "give true or false" in boss.refused("list_product", filters={"supplier__isnull": "yes"})


@pytest.mark.parametrize("filters", [{"sku__in": "SKU0001,SKU0002"}, {"category__in": "Desks, Lamps"}])
def test_several_values_in_one_text_are_refused(boss, filters):
    make_product("SKU0001")
    [name] = filters
    assert boss.refused("list_product", filters=filters) == f'filters: {name}: give a list, such as ["A", "B"].'


def test_a_single_value_is_a_list_of_one(boss):
    make_product("SKU0001", name="Desk, small")
    for filters in ({"sku__in": "SKU0001"}, {"stock__in": 10}, {"name__in": ["Desk, small"]}):
        assert boss.call("list_product", filters=filters)["total"] == 1


def test_get_gives_the_inlines_that_fields_asks_for(boss):
    order = make_order(make_user("bob"))
    answer = boss.call("get_order", id=order.number, fields=["status", "lines"])
    assert [line["quantity"] for line in answer["lines"]] == [1]
    assert "note" not in answer
    assert "Allowed: number, owner" in (text := boss.refused("get_order", id=order.number, fields=["line"]))
    assert "lines" in text


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ([{"product": "SKU0001", "quantity": 99}], "lines.0.quantity: Only 10 of SKU0001 are in stock"),
        (
            [{"product": "SKU0001", "quantity": 1}, {"product": "SKU0043", "quantity": 2}],
            "lines.1: ",
        ),
        ([{"product": "SKU0001", "qty": 1}], "lines.0.qty is no field. Fields you may write: product, quantity."),
        ([{"product": "SKU0001", "quantity": 1}, {"id": "1 x SKU0043", "quantity": 99}], "lines.1.quantity: Only"),
        ([{"id": "1 x SKU0043", "delete": True}], "lines: at least 1 row is needed."),
    ],
)
def test_an_error_in_an_inline_row_is_named_by_its_place_in_the_call(boss, lines, text):
    order = make_order(make_user("bob"))
    make_product("SKU0001")
    assert text in boss.refused("update_order", id=order.number, values={"lines": lines})
    assert order.lines.count() == 1


@pytest.mark.parametrize("price", ["1.299,00", "12,50", "€12.50"])
def test_a_number_for_a_new_row_is_asked_for_plainly(boss, price):
    make_product()
    values = {"sku": "SKU0001", "name": "Clip", "price": price, "category": "Desks"}
    text = boss.refused("create_product", values=values)
    assert text == 'price: Give a number with a point and no separators, such as "1299.50".'
    text = boss.refused("update_product", id="SKU0043", values={"price": price})
    assert '{"multiply": "1.10"}' in text


def test_a_name_that_is_almost_right_is_answered_with_what_it_may_mean(boss):
    Supplier.objects.create(name="Alder and Ash", email="a@example.com")
    make_product()
    for text in (
        boss.refused("get_supplier", name="alder"),
        boss.refused("list_product", filters={"supplier": "alder"}),
        boss.refused("update_product", id="SKU0043", values={"supplier": "alder"}),
    ):
        assert "You see no supplier 'alder'. Similar: Alder and Ash." in text
    assert "Similar" not in boss.refused("get_supplier", name="zinc")


def test_similar_names_are_only_those_of_rows_the_caller_sees(caller):
    make_order(make_user("bob"), note="Ring twice")
    clerk = caller("clerk", "shop.view_order", "shop.view_product", "shop.change_product")
    assert "Similar" not in clerk.refused("get_order", id="ring")
    # Whom the admin's autocomplete would refuse, a wrong guess tells nothing either.
    Supplier.objects.create(name="Alder and Ash", email="a@example.com")
    assert "Similar" not in clerk.refused("update_product", id="SKU0043", values={"supplier": "alder"})


def test_rows_around_a_row_do_not_repeat_it(boss):
    product = make_product()
    answer = boss.call("related_category", id="Desks", relation="products")
    assert answer["rows"][0]["sku"] == product.sku
    assert "category" not in answer["rows"][0]


def test_a_bulk_refusal_says_the_same_only_once(boss):
    for number in range(3):
        Tag.objects.create(name=f"tag{number}")
    text = boss.refused("bulk_tag", operation="update", ids=["tag0", "tag1", "tag2"], values={"nam": "x"})
    assert text.count("nam is no field") == 1
    assert "tag0, tag1, tag2: " in text
    assert "3 of 3" in text


def test_a_bulk_update_names_rows_by_any_unique_field(boss):
    Category.objects.create(name="Desks", slug="desks")
    items = [{"slug": "desks", "values": {"name": "Tables"}}]
    assert boss.call("bulk_category", operation="update", items=items)["results"][0]["updated"]["label"] == "Tables"


def test_what_no_right_could_allow_is_not_blamed_on_a_right(boss):
    make_product()
    made = boss.call("create_stockadjustment", values={"product": "SKU0043", "delta": 2, "reason": "delivery"})
    assert boss.tools()["bulk_stockadjustment"].input_schema["properties"]["operation"]["enum"] == ["create"]
    pk = made["created"]["id"]
    text = boss.refused("bulk_stockadjustment", operation="delete", ids=[pk])
    assert "You may not delete stock adjustments: the admin forbids it for every row (The history" in text


def test_blocking_rows_are_counted_and_relation_tables_are_not_named_row_by_row(boss):
    product = make_product()
    eco = Tag.objects.create(name="eco")
    product.tags.add(eco)
    make_product("SKU0044")
    assert "2 x product (Product: " in boss.refused("delete_category", id="Desks")
    sofas = Category.objects.create(name="Sofas", slug="sofas")
    text = boss.refused("action_category", action="delete_selected", ids=["Desks", sofas.pk], confirm=True)
    assert text.startswith("These categories cannot be deleted, because of protected rows: 2 x product (")
    answer = boss.call("delete_tag", id="eco", dry_run=True)
    assert answer["rows"] == {"tags": 1, "product-tag relationships": 1}
    assert "with_it" not in answer


def test_a_refusal_says_to_programs_what_it_says_in_words(boss):
    product = make_product()
    for call in (
        ("delete_category", {"id": "Desks"}),
        ("action_category", {"action": "delete_selected", "ids": ["Desks"]}),
    ):
        result = boss.result(call[0], **call[1])
        assert result.is_error
        assert result.structured_content == {
            "not_deleted": [{"id": product.category_id, "label": "Desks", "name": "Desks", "slug": "desks"}],
            "protected": {"product": 1},
            "protected_rows": ["Product: SKU0043 Oak desk"],
        }
    order = make_order(make_user("bob"))
    told = boss.result("delete_order", id=order.number).structured_content
    row = {"id": order.pk, "label": order.number, "number": order.number}
    assert told == {"not_deleted": [row], "forbidden": [order.number]}


def test_errors_come_back_per_field(boss):
    order = make_order(make_user("bob"))
    lines = [{"id": "1 x SKU0043", "quantity": 99}, {"product": "SKU0044", "quantity": 1}]
    told = boss.result("update_order", id=order.number, values={"note": "x" * 501, "lines": lines})
    assert told.structured_content["errors"].keys() == {"note", "lines.1.product"}
    told = boss.result("create_product", values={"sku": "a b", "name": "", "category": "Desks", "price": "1"})
    assert told.structured_content == {
        "errors": {
            "sku": ["Use capital letters, digits and hyphens only, for example SKU0043."],
            "name": ["This field is required."],
        }
    }


def test_an_all_or_nothing_refusal_has_a_result_for_each_item_that_failed(boss):
    product = make_product()
    told = boss.result("bulk_product", operation="update", ids=[product.sku, "SKU9"], values={"name": "Lamp"})
    assert (told.structured_content["done"], told.structured_content["failed"]) == (0, 1)
    [failed] = told.structured_content["results"]
    assert failed["item"] == "SKU9"
    assert "You see no product" in failed["error"]


def test_what_an_action_asked_for_is_named_in_its_refusal(boss):
    make_product()
    asked = {"action": "change_price", "ids": ["SKU0043"], "confirm": True}
    assert boss.refused("action_product", **asked) == "parameters: percent: This field is required."
    text = boss.refused("action_product", **asked, parameters={"percent": "10,5"})
    assert text == "parameters: percent: Enter a number."


def test_an_action_that_changed_nothing_of_a_row_is_not_logged_as_its_change(boss):
    order = make_order(make_user("bob"))
    make_product("SKU0044")
    boss.call("action_order", action="mark_shipped", ids=[order.number])
    boss.call("action_product", action="export_csv", ids=["SKU0044"])
    [entry] = boss.call("history_order", id=order.number)["entries"]
    assert entry["what"] == "Ran “Mark as shipped”."
    assert "changes" not in entry
    assert boss.call("history_product", id="SKU0044")["entries"][0]["what"] == "Ran “Export as CSV”."


def test_a_file_of_text_is_handed_over_as_text(boss):
    make_product(name="Ñandu desk")
    result = boss.result("action_product", action="export_csv", ids=["SKU0043"])
    [file] = [block.resource for block in result.content if block.type == "resource"]
    assert file.text.splitlines()[1].split(",")[1:3] == ["SKU0043", "Ñandu desk"]


def test_values_for_the_foreign_key_of_an_inline_can_be_looked_up(boss, caller):
    make_product()
    assert "lines.product" in boss.call("describe_order")["foreign_keys"]
    [row] = boss.call("autocomplete_order", field="lines.product", search="oak")["rows"]
    assert row["sku"] == "SKU0043"
    assert "lines.product" in boss.refused("autocomplete_order", field="product")
    clerk = caller("clerk", "shop.view_order", "shop.view_orderline")
    assert (
        clerk.refused("autocomplete_order", field="lines.product") == "field: there is none to look up; leave it out."
    )


def test_describe_speaks_of_types_a_model_knows_and_of_what_must_be_given(boss):
    told = boss.call("describe_product")
    assert (told["filters"]["sku"], told["filters"]["stock"], told["filters"]["description"]) == (
        "text",
        "integer",
        "text",
    )
    assert told["values"]["status"]["default"] == "draft"
    assert "required" not in told["values"]["status"]
    assert told["values"]["sku"]["required"] is True


def test_the_schema_of_create_says_what_the_form_will_ask(boss):
    tools = boss.tools()
    order = tools["create_order"].input_schema["properties"]["values"]
    assert order["required"] == ["owner", "lines"]
    assert order["properties"]["lines"]["items"]["properties"]["quantity"]["minimum"] == 1
    supplier = tools["create_supplier"].input_schema["properties"]["values"]["properties"]
    assert (supplier["lead_time_days"]["minimum"], supplier["lead_time_days"]["maximum"]) == (0, 365)
    assert tools["create_order"].description == "Add one order."


@pytest.mark.parametrize("value", [{"a": 1}, [], ["delete"], 5, True])
def test_a_choice_that_is_no_text_is_refused_by_name(boss, value):
    product = make_product()
    assert "operation: give a string" in boss.refused("bulk_product", operation=value, ids=[product.pk])
    assert "action: give a string" in boss.refused("action_product", action=value, ids=[product.pk])
    assert "relation: give a string" in boss.refused("related_product", id=product.pk, relation=value)
