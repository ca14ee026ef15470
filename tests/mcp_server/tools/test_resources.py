"""Resources and prompts, through a real client."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from mcp import MCPError
from mcp_types import PromptReference, ResourceTemplateReference

from shop.models import MAX_STOCK, Category, Product
from tests.factories import make_product, make_user
from tests.mcp_server.tools.conftest import Agent


def test_the_field_reference_tells_what_the_models_say(agent: Agent) -> None:
    fields = json.loads(agent.read("shop://reference/fields"))["product"]["fields"]

    assert fields["sku"]["max_length"] == 20
    assert fields["sku"]["help"] == Product._meta.get_field("sku").help_text
    assert fields["status"]["choices"] == Product.Status.values
    assert fields["category"]["refers_to"] == "category"
    assert (fields["stock"]["min"], fields["stock"]["max"]) == (0, MAX_STOCK)
    assert fields["price"]["min"] == "0.01"
    assert [name for name, field in fields.items() if field["required"]] == ["sku", "name", "category", "price"]


def test_every_field_of_a_product_is_in_the_reference(agent: Agent) -> None:
    fields = json.loads(agent.read("shop://reference/fields"))["product"]["fields"]

    assert fields.keys() == {f.name for f in (*Product._meta.fields, *Product._meta.many_to_many)} - {"id"}


def test_the_categories_are_a_tree_with_counts(agent: Agent) -> None:
    furniture = Category.objects.create(name="Furniture", slug="furniture")
    make_product(category=Category.objects.create(name="Desks", slug="desks", parent=furniture))

    desks = {"slug": "desks", "name": "Desks", "products": 1, "children": []}
    assert json.loads(agent.read("shop://categories")) == [
        {"slug": "furniture", "name": "Furniture", "products": 0, "children": [desks]}
    ]


def test_the_style_guide_is_markdown(agent: Agent) -> None:
    [content] = agent.ask(lambda client: client.read_resource("shop://style-guide"))

    assert content.mime_type == "text/markdown"
    assert content.text.startswith("# Style guide")


def test_a_product_is_a_resource_too(agent: Agent) -> None:
    make_product()

    [content] = agent.ask(lambda client: client.read_resource("shop://products/sku0043"))

    assert content.mime_type == "application/json"
    assert json.loads(content.text) == agent.call("get_product", sku="SKU0043")


@pytest.mark.parametrize("sku", ["SKU9999", "%00", "a%20b", "x" * 500])
def test_an_unknown_product_is_an_error_that_says_where_to_look(
    agent: Agent, sku: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        text = agent.unreadable(f"shop://products/{sku}")

    assert "There is no product" in text or "not found" in text
    assert len(text) < 1000
    assert "Traceback" not in caplog.text


def test_who_may_not_see_products_finds_no_resource_with_them(agent_of: Callable[..., Agent]) -> None:
    make_product()
    agent = agent_of(make_user("grace"))

    listed = agent.ask(lambda client: client.list_resources())

    assert [str(resource.uri) for resource in listed] == ["shop://style-guide"]
    assert agent.ask(lambda client: client.list_resource_templates()) == []
    for uri in ("shop://products/SKU0043", "shop://categories", "shop://reference/fields"):
        assert "not found" in agent.unreadable(uri)


def test_the_restock_prompt_names_category_and_weeks(agent: Agent) -> None:
    text = agent.prompt("restock_plan", category="desks", weeks="6")

    assert 'low_stock_report with category "desks"' in text
    assert "covers 6 weeks" in text
    assert "the whole shop" in agent.prompt("restock_plan")


def test_the_triage_prompt_names_status_and_days(agent: Agent) -> None:
    text = agent.prompt("order_triage", status="paid", days="7")

    assert "list_orders with status paid" in text
    assert "older than 7 days" in text


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("restock_plan", {"weeks": "0"}, "weeks: Give a whole number from 1 to 52."),
        ("restock_plan", {"weeks": "1" * 5000}, "weeks: Give a whole number from 1 to 52."),
        ("restock_plan", {"weeks": "²"}, "weeks: Give a whole number from 1 to 52."),
        ("order_triage", {"days": "soon"}, "days: Give a whole number from 1 to 365."),
        ("order_triage", {"status": "lost"}, "status: Use one of: placed, paid, shipped, cancelled."),
    ],
)
def test_wrong_arguments_of_a_prompt_are_refused(agent: Agent, name: str, arguments: dict[str, str], said: str) -> None:
    with pytest.raises(MCPError, match=said):
        agent.prompt(name, **arguments)


def test_prompts_describe_their_arguments_and_need_what_they_use(agent: Agent, agent_of: Callable[..., Agent]) -> None:
    prompts = agent.ask(lambda client: client.list_prompts())

    assert {prompt.name for prompt in prompts} == {"restock_plan", "order_triage"}
    assert all(argument.description for prompt in prompts for argument in prompt.arguments)
    assert agent_of(make_user("grace")).ask(lambda client: client.list_prompts()) == []


def test_arguments_are_completed_for_those_who_may_use_them(agent: Agent, agent_of: Callable[..., Agent]) -> None:
    make_product("SKU0001", name="Oak desk")
    make_product("SKU0002", name="Floor lamp")
    product = ResourceTemplateReference(uri="shop://products/{sku}")
    questions = [
        (product, "sku", "sku", ["SKU0001", "SKU0002"]),
        (product, "sku", "lamp", ["SKU0002"]),
        (product, "sku", "\x00", []),
        (PromptReference(name="restock_plan"), "category", "des", ["desks"]),
        (PromptReference(name="restock_plan"), "weeks", "4", []),
        (PromptReference(name="order_triage"), "status", "p", ["placed", "paid"]),
    ]
    grace = agent_of(make_user("grace"))
    for ref, name, value, expected in questions:
        assert completed(agent, ref, name, value) == expected
        assert completed(grace, ref, name, value) == []
    # The prompt needs no right to see categories, their names do.
    planner = agent_of(make_user("mary", "shop.view_product", "shop.view_stockadjustment"))
    assert completed(planner, PromptReference(name="restock_plan"), "category", "des") == []


def completed(who: Agent, ref: Any, name: str, value: str) -> list[str]:
    return list(who.ask(lambda client: client.complete(ref, {"name": name, "value": value})).values)
