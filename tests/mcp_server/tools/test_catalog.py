"""What is offered to whom, and that a model can use it."""

from collections.abc import Callable

import pytest

from mcp_server.catalog import all_tools
from mcp_server.checks import check_tools
from mcp_server.permissions import is_read_only, required_permissions
from shop.models import Order, Product, StockAdjustment
from tests.factories import make_product, make_user
from tests.mcp_server.tools.conftest import Agent

PERMISSIONS = {
    "list_products": "shop.view_product",
    "search_products": "shop.view_product",
    "get_product": "shop.view_product",
    "create_product": "shop.add_product",
    "update_product": "shop.change_product",
    "list_orders": "shop.view_order",
    "get_order_status": "shop.view_order",
    "place_order": "shop.add_order",
    "cancel_order": "shop.change_order",
    "adjust_stock": "shop.add_stockadjustment",
    "list_stock_adjustments": "shop.view_stockadjustment",
    "low_stock_report": "shop.view_product",
}
WRITING = {"create_product", "update_product", "place_order", "cancel_order", "adjust_stock"}
CALLS = {
    "create_product": {"sku": "SKU0900", "name": "Bench", "category": "desks", "price": "9.00"},
    "update_product": {"sku": "SKU0043", "name": "Bench"},
    "place_order": {"items": [{"sku": "SKU0043", "quantity": 1}]},
    "cancel_order": {"order": "ORD-000001"},
    "adjust_stock": {"sku": "SKU0043", "delta": 1, "reason": "delivery"},
}


def test_the_tools_need_the_permissions_that_django_has_for_them() -> None:
    assert {tool.name: " ".join(required_permissions(tool)) for tool in all_tools()} == PERMISSIONS


def test_the_tools_pass_the_project_s_own_checks() -> None:
    assert check_tools(None) == []


def test_every_tool_says_what_it_returns_and_where_it_belongs() -> None:
    for tool in all_tools():
        assert tool.output_schema, tool.name
        assert len(tool.tags) == 1, tool.name
        assert tool.annotations is not None, tool.name
        assert is_read_only(tool) == (tool.name not in WRITING)


def test_no_argument_is_shown_as_a_choice_with_null() -> None:
    for tool in all_tools():
        for name, schema in tool.parameters["properties"].items():
            assert "type" in schema, f"{tool.name}.{name}"
            assert "anyOf" not in schema, f"{tool.name}.{name}"


@pytest.mark.parametrize("permission", sorted(set(PERMISSIONS.values())))
def test_a_permission_opens_its_tools_and_no_other(agent_of: Callable[..., Agent], permission: str) -> None:
    agent = agent_of(make_user("grace", permission))

    assert agent.tools() == {name for name, needed in PERMISSIONS.items() if needed == permission}


@pytest.mark.parametrize("tool", sorted(WRITING))
def test_a_tool_the_user_may_not_use_is_unknown_and_changes_nothing(agent_of: Callable[..., Agent], tool: str) -> None:
    make_product()
    before = Product.objects.values().get()
    agent = agent_of(make_user("grace", "shop.view_product"))

    assert agent.refused(tool, **CALLS[tool]) == f"Unknown tool: '{tool}'"
    assert Product.objects.values().get() == before
    assert not Order.objects.exists()
    assert not StockAdjustment.objects.exists()


def test_a_read_token_of_a_manager_only_reads(agent_of: Callable[..., Agent], manager: object) -> None:
    agent = agent_of(manager, access="read")

    assert agent.tools() == PERMISSIONS.keys() - WRITING
