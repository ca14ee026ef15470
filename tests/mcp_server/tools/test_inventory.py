"""Tools of the stock, through a real client."""

from datetime import UTC, datetime
from typing import Any

import pytest

from shop.models import Category, Product, StockAdjustment, Supplier
from tests.factories import make_order, make_product
from tests.mcp_server.tools.conftest import Agent


def test_an_adjustment_moves_the_stock_and_says_who_did_it(agent: Agent) -> None:
    make_product(stock=10)

    made = agent.call("adjust_stock", sku="sku0043", delta=-3, reason="damage", note="Broken in transit")

    assert (made["stock"], made["delta"], made["adjusted_by"]) == (7, -3, "ada")
    adjustment = StockAdjustment.objects.get()
    assert (adjustment.adjusted_by, adjustment.note) == (agent.user, "Broken in transit")
    assert made["created_at"] == adjustment.created_at.isoformat()
    assert Product.objects.get().stock == 7


@pytest.mark.parametrize(
    ("changed", "named", "allowed"),
    [
        ({"sku": "SKU9999"}, "sku", '"SKU9999"'),
        ({"delta": 0}, "delta", "not 0"),
        ({"delta": -11}, "delta", "from -10 to 999990"),
        ({"delta": 999_991}, "delta", "from -10 to 999990"),
        ({"delta": 10**12}, "delta", "1000000"),
        ({"delta": "a few"}, "delta", "valid integer"),
        ({"reason": "theft"}, "reason", "'delivery', 'correction' or 'damage'"),
        ({"reason": "sale"}, "reason", "'delivery', 'correction' or 'damage'"),
        ({"note": "x" * 501}, "note", "500"),
    ],
)
def test_a_wrong_adjustment_is_refused_and_changes_nothing(
    agent: Agent, changed: dict[str, Any], named: str, allowed: str
) -> None:
    make_product(stock=10)

    text = agent.refused("adjust_stock", **({"sku": "SKU0043", "delta": 1, "reason": "delivery"} | changed))

    assert text.startswith(f"{named}: ")
    assert allowed in text
    assert not StockAdjustment.objects.exists()
    assert Product.objects.get().stock == 10


def test_the_history_is_listed_newest_first_and_filtered(agent: Agent) -> None:
    make_product(stock=10)
    order = make_order(agent.user, ("SKU0043", 2))
    make_product("SKU0050")
    agent.call("adjust_stock", sku="SKU0050", delta=4, reason="delivery")
    StockAdjustment.objects.filter(reason="sale").update(created_at=datetime(2026, 3, 31, tzinfo=UTC))

    def listed(**filters: Any) -> list[Any]:
        page = agent.call("list_stock_adjustments", **filters)
        return [(row["sku"], row["delta"], row["note"]) for row in page["adjustments"]]

    sale, delivery = ("SKU0043", -2, order.number), ("SKU0050", 4, "")
    assert listed() == [delivery, sale]
    assert listed(sku="SKU0043") == listed(reason="sale") == listed(made_to="2026-03-31") == [sale]
    assert listed(made_from="2026-04-01") == [delivery]
    assert listed(limit=1, offset=1) == [sale]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"sku": "SKU43"}, 'sku: There is no product with the SKU "SKU43". Similar SKUs: SKU0043.'),
        ({"reason": "theft"}, "reason: Input should be 'delivery', 'sale'"),
        ({"made_from": "2026-13-01"}, "made_from: Write the date as YYYY-MM-DD"),
        ({"made_from": "2026-04-01", "made_to": "2026-03-01"}, "made_from: It must not be after made_to"),
    ],
)
def test_filters_of_the_history_are_checked(agent: Agent, arguments: dict[str, Any], said: str) -> None:
    make_product()

    assert agent.refused("list_stock_adjustments", **arguments).startswith(said)


def test_the_report_puts_the_largest_gap_first(agent: Agent) -> None:
    nordwood = Supplier.objects.create(name="Nordwood Mills", email="orders@nordwood.example", lead_time_days=14)
    make_product("SKU0001", stock=4, reorder_level=5)
    make_product("SKU0002", stock=0, reorder_level=8, supplier=nordwood)
    make_product("SKU0003", stock=6, reorder_level=5)
    make_product("SKU0004", stock=0, reorder_level=5, status="discontinued")

    report = agent.call("low_stock_report")

    assert [(row["sku"], row["short_by"]) for row in report["products"]] == [("SKU0002", 9), ("SKU0001", 2)]
    assert report["products"][0]["supplier"] == "Nordwood Mills"
    assert report["products"][0]["lead_time_days"] == 14
    assert report["products"][1]["supplier"] is None


def test_the_report_is_narrowed_to_a_category(agent: Agent) -> None:
    make_product("SKU0001", stock=0)
    make_product("SKU0002", stock=0, category=Category.objects.create(name="Chairs", slug="chairs"))

    [row] = agent.call("low_stock_report", category="Chairs")["products"]

    assert row["sku"] == "SKU0002"
    assert agent.refused("low_stock_report", category="lamps").startswith('category: There is no "lamps"')


@pytest.mark.parametrize("tool", ["low_stock_report", "list_stock_adjustments"])
def test_a_hundred_rows_cost_as_many_queries_as_twenty(agent: Agent, many_products: None, tool: str) -> None:
    Product.objects.update(stock=0)
    StockAdjustment.objects.bulk_create(
        StockAdjustment(product=product, delta=1, reason="delivery", adjusted_by=agent.user)
        for product in Product.objects.all()
    )

    few, many = agent.queries(tool, limit=20), agent.queries(tool, limit=100)

    assert len(few) == len(many) <= 5
    assert sum('FROM "shop_' in sql for sql in many) == 1
    assert agent.call(tool, limit=100)["more"] is True
