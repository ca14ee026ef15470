"""Derived tools behind the whole ASGI app, on database threads of their own."""

import pytest
from asgiref.sync import sync_to_async

from mcp_server.asgi import build_app
from mcp_server.derive.drf import register_api_tools
from mcp_server.derive.views import register_view_tools
from mcp_server.server import create_server
from tests.factories import make_product, make_user
from tests.mcp_server.clients import HTTP_TRANSPORTS, mcp_client, running
from tests.tokens.people import make_token


@pytest.mark.parametrize("transport", HTTP_TRANSPORTS)
async def test_they_answer_over_every_transport_with_the_host_of_the_caller(transactional_db, transport):
    token = await _prepared()
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


async def _prepared() -> str:
    def prepare() -> str:
        make_product("SKU0001")
        make_product("SKU0002")
        return make_token(make_user("boss", superuser=True)).token or ""

    return await sync_to_async(prepare)()
