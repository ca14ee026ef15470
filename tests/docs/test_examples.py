"""What docs/tools.md and docs/derive.md show does what they say."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from fastmcp import FastMCP

from mcp_server.derive.admin.search import register_search_tools
from mcp_server.derive.prompt_settings import prompts_problems
from mcp_server.derive.prompts import register_settings_prompts
from mcp_server.server import create_server
from shop.models import Supplier
from tests.factories import make_order, make_product, make_user
from tests.mcp_server.derive.callers import Caller, text_of

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXAMPLES = [
    (page, number, example)
    for page in ("tools.md", "derive.md")
    for number, example in enumerate(re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL))
    if "def register(mcp)" in example
]


def example_with(text: str) -> str:
    [found] = [example for _, _, example in EXAMPLES if text in example]
    return found


def registered(example: str) -> FastMCP[Any]:
    module: dict[str, Any] = {"__name__": "mcp_tools"}
    exec(compile(example, "mcp_tools.py", "exec"), module)  # noqa: S102  (it is what is tested)
    mcp = create_server()
    module["register"](mcp)
    return mcp


@pytest.fixture
def boss(db: None) -> Any:
    make_product(description="Solid oak.")
    return make_user("boss", superuser=True)


@pytest.mark.parametrize(("page", "number", "example"), EXAMPLES)
def test_every_example_registers_something(db, page, number, example):
    mcp = registered(example)
    tools = asyncio.run(mcp.list_tools(run_middleware=False))
    templates = asyncio.run(mcp.list_resource_templates(run_middleware=False))
    assert [*tools, *templates], (page, number)


@pytest.mark.parametrize(
    ("text", "tool", "arguments", "answer"),
    [
        ("count_orders", "count_orders", {"status": "placed"}, "1"),
        ("class FindPrice", "find_price", {"sku": "SKU0043"}, '{"sku":"SKU0043","price":"249.00"}'),
        ("class FindPrice", "find_price", {"sku": "X"}, "There is no product X."),
        ("def stock_of", "stock_of", {"sku": "SKU0043"}, "9"),
    ],
)
def test_the_examples_of_tools_answer(boss, text, tool, arguments, answer):
    make_order(boss, ("SKU0043", 1))
    assert text_of(Caller(registered(example_with(text)), boss).call(tool, **arguments)) == answer


def test_the_example_of_a_resource_is_read(boss):
    assert Caller(registered(example_with("description://")), boss).read("description://SKU0043") == "Solid oak."


def test_the_example_of_the_api_lists_products(boss):
    caller = Caller(registered(example_with("register_viewset_tools")), boss)
    assert {"goods_list", "goods_retrieve", "goods_create", "order_list", "order_cancel"} <= set(caller.tools())
    assert caller.call("goods_list").structured_content["count"] == 1


def test_the_example_of_pages_reads_and_submits(boss):
    order = make_order(boss, ("SKU0043", 1))
    caller = Caller(registered(example_with("register_view_tools")), boss)
    assert "read_datasheet" not in caller.tools()
    [row] = caller.call("read_home", q="oak").structured_content["results"]
    assert (row["sku"], row["price"], row["stock"]) == ("SKU0043", "249.00", 9)
    assert text_of(caller.call("submit_cancel_order", number=order.number)) == f"{order.number} is cancelled."


def test_the_example_of_models_writes_where_it_was_asked_for(boss):
    caller = Caller(registered(example_with("register_model_tools")), boss)
    made = caller.call("supplier_create", name="Nordwood Mills", email="orders@nordwood.example").structured_content
    assert Supplier.objects.get().name == made["name"]
    assert {"order_list", "order_retrieve"} <= set(caller.tools())
    assert "order_create" not in caller.tools()
    order = make_order(boss, ("SKU0043", 1))
    assert order.number in caller.read(f"model://shop.order/{order.pk}")


def test_the_example_of_settings_makes_a_prompt_and_a_search_tool(boss):
    [text] = re.findall(r"```python\n(MCP_PROMPTS.*?)```", (DOCS / "derive.md").read_text(), re.DOTALL)
    chosen: dict[str, Any] = {}
    exec(compile(text, "settings.py", "exec"), chosen)  # noqa: S102
    assert list(prompts_problems(chosen["MCP_PROMPTS"])) == []
    mcp = create_server()
    assert register_settings_prompts(mcp, chosen["MCP_PROMPTS"]) == ["tidy_category"]
    assert register_search_tools(mcp, chosen["MCP_SEARCH_MODELS"]) == ["search_product"]
    assert "SKU0043" in text_of(Caller(mcp, boss).call("search_product", q="oak"))
