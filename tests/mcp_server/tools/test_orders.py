"""Tools of the orders, through a real client."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User

from shop.models import Order, OrderLine, Product, StockAdjustment
from tests.factories import make_order, make_product, make_user
from tests.mcp_server.tools.conftest import Agent


def numbers(page: Any) -> list[str]:
    return [order["number"] for order in page["orders"]]


@pytest.fixture
def grace(db: None) -> User:
    return make_user("grace")


def test_a_placed_order_belongs_to_the_caller_and_takes_stock(agent: Agent) -> None:
    make_product(stock=10)
    make_product("SKU0050", name="Oak shelf", price="19.90", stock=5)

    items = [{"sku": "sku0043", "quantity": 2}, {"sku": "SKU0050", "quantity": 1}, {"sku": "SKU0043", "quantity": 1}]
    placed = agent.call("place_order", items=items, note="Ring twice")

    order = Order.objects.get()
    assert (order.owner, order.note, placed["number"]) == (agent.user, "Ring twice", order.number)
    assert (placed["status"], placed["units"], placed["total"], placed["can_be_cancelled"]) == (
        "placed", 4, "766.90", True,
    )  # fmt: skip
    assert [(line["sku"], line["quantity"], line["total"]) for line in placed["lines"]] == [
        ("SKU0043", 3, "747.00"),
        ("SKU0050", 1, "19.90"),
    ]
    assert Product.objects.get(sku="SKU0043").stock == 7


@pytest.mark.parametrize(
    ("items", "named", "allowed"),
    [
        ([], "items", "at least 1 item"),
        ([("SKU0043", 0)], "items.0.quantity", "greater than or equal to 1"),
        ([("SKU0043", -3)], "items.0.quantity", "greater than or equal to 1"),
        ([("SKU0043", 1.5)], "items.0.quantity", "valid integer"),
        ([("SKU0043", 2_000_000)], "items.0.quantity", "1000000"),
        ([("", 1)], "items.0.sku", "at least 1"),
        ([("SKU0043", 11)], "quantity", "Ask for 10 or fewer"),
        ([("SKU0043", 6), ("SKU0043", 5)], "quantity", "Only 10 of SKU0043"),
        ([("SKU0043", 1), ("SKU9999", 1)], "sku", '"SKU9999"'),
        ([("SKU0043", 1), ("SKU0044", 1)], "sku", "status is draft"),
        ([("SKU0043", 1)] * 101, "items", "at most 100"),
    ],
)
def test_an_order_that_cannot_be_served_whole_leaves_nothing_behind(
    agent: Agent, items: list[tuple[str, Any]], named: str, allowed: str
) -> None:
    make_product(stock=10)
    make_product("SKU0044", status="draft")

    text = agent.refused("place_order", items=[{"sku": sku, "quantity": quantity} for sku, quantity in items])

    assert text.startswith(f"{named}: ")
    assert allowed in text
    assert not Order.objects.exists()
    assert not StockAdjustment.objects.exists()
    assert Product.objects.get(sku="SKU0043").stock == 10


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "items is required."),
        ({"items": "SKU0043"}, "items: Input should be a valid list."),
        ({"items": [{"sku": "SKU0043"}]}, "items.0.quantity"),
        ({"items": [{"sku": "SKU0043", "quantity": 1}], "note": "x" * 501}, "note: "),
        ({"items": [{"sku": "SKU0043", "quantity": 1}], "note": "a\x00"}, "note: NUL"),
        ({"items": [{"sku": "SKU0043", "quantity": 1}], "owner": "grace"}, "owner is not an argument"),
        ({"items": [{"sku": "SKU0043", "quantity": 1}], "user": 1}, "user is not an argument"),
    ],
)
def test_arguments_of_an_order_are_checked(agent: Agent, arguments: dict[str, Any], said: str) -> None:
    make_product()

    assert agent.refused("place_order", **arguments).startswith(said)
    assert not Order.objects.exists()


def test_a_cancelled_order_gives_its_stock_back_once(agent: Agent) -> None:
    make_product(stock=10)
    order = make_order(agent.user, ("SKU0043", 4))

    cancelled = agent.call("cancel_order", order=order.number.lower())

    assert (cancelled["status"], cancelled["can_be_cancelled"]) == ("cancelled", False)
    assert cancelled["cancelled_at"]
    assert agent.refused("cancel_order", order=order.number) == (
        f"order: {order.number} cannot be cancelled: it is cancelled. "
        "Only orders that are placed or paid can be cancelled."
    )
    assert Product.objects.get(sku="SKU0043").stock == 10
    assert StockAdjustment.objects.filter(reason="cancellation").count() == 1


def test_a_shipped_order_is_not_cancelled(agent: Agent) -> None:
    order = make_order(agent.user, status="shipped")

    assert "it is shipped" in agent.refused("cancel_order", order=order.number)
    assert Order.objects.get().status == "shipped"


def test_the_order_of_somebody_else_is_unknown(agent: Agent, grace: User) -> None:
    order = make_order(grace)
    unknown = f'order: There is no order "{order.number}" that you may see. Look its number up with list_orders.'

    assert agent.refused("get_order_status", order=order.number) == unknown
    assert agent.refused("cancel_order", order=order.number) == unknown
    assert agent.call("list_orders")["orders"] == []
    assert Order.objects.get().status == "placed"


def test_an_unknown_order_is_refused_in_the_same_words(agent: Agent) -> None:
    text = agent.refused("get_order_status", order="ORD-999999")

    assert text == 'order: There is no order "ORD-999999" that you may see. Look its number up with list_orders.'


def test_who_may_see_all_orders_sees_them(agent_of: Callable[..., Agent], grace: User) -> None:
    order = make_order(grace)
    boss = agent_of(make_user("linus", "shop.view_order", "shop.view_all_orders"))

    assert numbers(boss.call("list_orders")) == [order.number]
    assert boss.call("get_order_status", order=order.number)["owner"] == "grace"


def test_seeing_all_orders_is_not_changing_them(agent_of: Callable[..., Agent], grace: User) -> None:
    order = make_order(grace)
    clerk = agent_of(make_user("linus", "shop.view_order", "shop.add_order", "shop.view_all_orders"))

    assert "cancel_order" not in clerk.tools()
    assert "Unknown tool" in clerk.refused("cancel_order", order=order.number)
    assert Order.objects.get().status == "placed"


def test_a_token_narrowed_to_own_orders_does_not_see_all(agent_of: Callable[..., Agent], grace: User) -> None:
    boss = make_user("linus", "shop.view_order", "shop.view_all_orders")
    foreign, own = make_order(grace), make_order(boss)
    narrowed = agent_of(boss, access="limited")
    narrowed.token.permissions.add(Permission.objects.get(codename="view_order"))

    assert numbers(narrowed.call("list_orders")) == [own.number]
    assert "that you may see" in narrowed.refused("get_order_status", order=foreign.number)


def test_orders_are_listed_newest_first_and_filtered(agent: Agent) -> None:
    make_product(stock=100)
    days = {}
    for day, status in ((1, "shipped"), (15, "paid"), (31, "placed")):
        order = make_order(agent.user, ("SKU0043", day), status=status)
        Order.objects.filter(pk=order.pk).update(placed_at=datetime(2026, 3, day, 23, 30, tzinfo=UTC))
        days[day] = order.number

    assert numbers(agent.call("list_orders")) == [days[31], days[15], days[1]]
    assert numbers(agent.call("list_orders", status="paid")) == [days[15]]
    assert numbers(agent.call("list_orders", placed_from="2026-03-15", placed_to="2026-03-15")) == [days[15]]
    assert numbers(agent.call("list_orders", limit=1, offset=1)) == [days[15]]
    [row] = agent.call("list_orders", status="paid")["orders"]
    assert (row["units"], row["total"], row["placed_at"]) == (15, "3735.00", "2026-03-15T23:30:00+00:00")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"status": "lost"}, "status: Input should be 'placed', 'paid', 'shipped' or 'cancelled'."),
        ({"placed_from": "last week"}, "placed_from: Write the date as YYYY-MM-DD, for example 2026-03-31."),
        ({"placed_from": "0001-01-01"}, "placed_from: Write the date as YYYY-MM-DD, for example 2026-03-31."),
        ({"placed_to": "9999-12-31"}, "placed_to: Write the date as YYYY-MM-DD, for example 2026-03-31."),
        ({"placed_from": "2026-04-01", "placed_to": "2026-03-01"}, "placed_from: It must not be after placed_to"),
        ({"limit": -1}, "limit: Input should be greater than or equal to 1."),
    ],
)
def test_filters_of_orders_are_checked(agent: Agent, arguments: dict[str, Any], said: str) -> None:
    assert agent.refused("list_orders", **arguments).startswith(said)


def test_a_hundred_orders_cost_as_many_queries_as_twenty(agent: Agent) -> None:
    product = make_product()
    orders = Order.objects.bulk_create(Order(number=f"ORD-9{n:05d}", owner=agent.user) for n in range(110))
    OrderLine.objects.bulk_create(
        OrderLine(order=order, product=product, quantity=2, unit_price=product.price) for order in orders
    )

    few, many = agent.queries("list_orders", limit=20), agent.queries("list_orders", limit=100)

    assert len(few) == len(many) <= 5
    assert sum('FROM "shop_' in sql for sql in many) == 1


def test_many_lines_cost_as_many_queries_as_one(agent: Agent) -> None:
    skus = [make_product(f"SKU01{n:02d}").sku for n in range(30)]
    small, large = make_order(agent.user, (skus[0], 1)), make_order(agent.user, *((sku, 1) for sku in skus))

    few = agent.queries("get_order_status", order=small.number)

    assert len(few) == len(agent.queries("get_order_status", order=large.number)) <= 5
