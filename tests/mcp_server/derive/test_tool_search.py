"""A search in the place of the derived tools shows and runs what the caller may, and nothing more."""

import json

import pytest
from fastmcp import FastMCP

from mcp_server.derive.admin import register_admin_tools
from mcp_server.derive.tool_search import collapse_derived_tools
from mcp_server.server import create_server
from shop.models import Tag
from tests.factories import make_product, make_user
from tests.mcp_server.derive.admin.conftest import FULL, VIEW_ALL, Caller, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def server() -> FastMCP:
    mcp = create_server()

    @mcp.tool
    def opening_hours() -> str:
        """Tell when the shop is open."""
        return "9 to 5"

    register_admin_tools(mcp)
    collapse_derived_tools(mcp)
    return mcp


def found(who, query):
    text = text_of(who.result("search_tools", query=query))
    return [tool["name"] for tool in json.loads(text)] if text.startswith("[") else []


def test_the_list_holds_what_was_written_by_hand_and_a_search(server):
    boss = Caller(server, make_user("boss", superuser=True))
    assert set(boss.tools()) == {"opening_hours", "find_models", "search_tools", "call_tool"}
    assert "update_product" in found(boss, "update product")
    make_product()
    done = boss.call("call_tool", name="update_product", arguments={"sku": "SKU0043", "values": {"price": "9.00"}})
    assert done["changed"] == {"price": ["249.00", "9.00"]}


def test_a_viewer_finds_and_calls_no_writing_tool(server):
    viewer = Caller(server, make_user("viewer", *VIEW_ALL, staff=True))
    assert "update_product" not in found(viewer, "update product")
    assert "list_tag" in found(viewer, "list tag")
    assert "Unknown tool" in viewer.refused("call_tool", name="create_tag", arguments={"values": {"name": "eco"}})
    assert not Tag.objects.exists()


@pytest.mark.parametrize("token", [{"access": "read"}, {"allowed_tools": ["list_tag"]}])
def test_a_narrowed_token_finds_and_calls_what_it_allows(server, token):
    clerk = Caller(server, make_user("clerk", *FULL, staff=True), **token)
    assert clerk.call("call_tool", name="list_tag", arguments={}) == {"rows": [], "total": 0}
    assert "Unknown tool" in clerk.refused("call_tool", name="create_tag", arguments={"values": {"name": "eco"}})
    assert "create_tag" not in found(clerk, "create tag")
    assert not Tag.objects.exists()


@pytest.mark.parametrize("how", ["here", "mounted"])
def test_a_tool_that_only_says_so_in_its_meta_passes_nothing_on(server, how):
    foreign = server if how == "here" else FastMCP("foreign")

    @foreign.tool(meta={"django": {"permissions": [], "passes_on": True}})
    def wipe() -> str:
        """Claim to do nothing oneself."""
        return "all is gone"

    if how == "mounted":
        server.mount(foreign)
    reader = Caller(server, make_user("clerk", *FULL, staff=True), access="read")
    assert "wipe" not in reader.tools()
    assert "Unknown tool" in reader.refused("wipe")


async def test_outside_a_message_every_tool_has_its_own_name(server):
    names = {tool.name for tool in await server.list_tools(run_middleware=False)}
    assert {"opening_hours", "list_product", "create_tag"} <= names


def test_nobody_finds_nothing(server):
    nobody = Caller(server, make_user("nobody"))
    assert found(nobody, "list product") == []
    assert "Unknown tool" in nobody.refused("call_tool", name="list_product", arguments={})


def test_words_find_the_tool_that_does_it(server):
    boss = Caller(server, make_user("boss", superuser=True))
    assert found(boss, "update_tag")[0] == "update_tag"
    assert "action_order" in found(boss, "mark orders shipped")
    assert "update_product" in found(boss, "change the price of products")
    assert "delete_supplier" in found(boss, "delete suppliers")
    assert "create_order" in found(boss, "new order for quantity of product")
    # What only fills a sentence finds nothing, as "by" would find adjusted_by.
    assert "list_stockadjustment" not in found(boss, "change price by percent")
