"""Derived tools behind the whole ASGI app, on database threads of their own."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from mcp_types import ResourceTemplateReference

from mcp_server.asgi import build_app
from mcp_server.derive.admin import register_admin_tools
from mcp_server.derive.drf import register_api_tools
from mcp_server.derive.views import register_view_tools
from mcp_server.server import create_server
from tests.factories import make_product, make_user
from tests.mcp_server.clients import HTTP_TRANSPORTS, mcp_client, running
from tests.tokens.people import make_token


@pytest.mark.parametrize("transport", HTTP_TRANSPORTS)
async def test_they_answer_over_every_transport_with_the_host_of_the_caller(transactional_db, transport):
    (token,) = await _prepared([])
    mcp = create_server()
    register_api_tools(mcp)
    register_view_tools(mcp)
    app = build_app(mcp)
    async with running(app), mcp_client(app, transport, token) as client:
        listed = (await client.call_tool("product_list", {"limit": 1})).structured_content
        assert (listed["count"], listed["next"]) == (2, "http://localhost/api/products/?limit=1&offset=1")
        changed = await client.call_tool("product_update", {"id": listed["results"][0]["id"], "price": "3.00"})
        assert changed.structured_content["price"] == "3.00"
        page = await client.call_tool("read_home", {})
        assert "SKU0002 | Oak desk" in page.content[0].text


@pytest.mark.parametrize("transport", HTTP_TRANSPORTS)
async def test_two_tokens_at_once_each_have_their_own_tools_only(transactional_db, transport):
    few, more = await _prepared(["get_product"], ["get_product", "list_product"])
    register_admin_tools(mcp := create_server())
    app = build_app(mcp)
    template, asked = ResourceTemplateReference(uri="django://shop.product/{pk}"), {"name": "pk", "value": "SKU0001"}
    async with running(app), mcp_client(app, transport, few) as one, mcp_client(app, transport, more) as other:
        found = await asyncio.gather(*(client.complete(template, asked) for client in (one, other) * 3))
    assert [len(completion.values) for completion in found] == [0, 1] * 3


async def _prepared(*tools: list[str]) -> list[str]:
    """Make two products, and tokens of a superuser that have these tools each."""

    def prepare() -> list[str]:
        make_product("SKU0001")
        make_product("SKU0002")
        boss = make_user("boss", superuser=True)
        return [make_token(boss, allowed_tools=list(names)).token or "" for names in tools]

    return await sync_to_async(prepare)()
