"""One call is one pass through the middleware, whatever the protocol asks of the SDK behind it."""

from typing import Annotated, Any

import pytest
from fastmcp import FastMCP
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from pydantic import Field
from starlette.applications import Starlette

from mcp_server.asgi import build_app
from mcp_server.permissions import READ_ONLY
from tests.mcp_server.clients import http, running
from tests.mcp_server.wire import ERAS, MODERN, answer, call, post
from tokens.models import MCPToken


class Methods(Middleware):
    def __init__(self) -> None:
        self.seen: list[str | None] = []

    async def on_message(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        self.seen.append(context.method)
        return await call_next(context)


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_with_arguments_runs_no_list_through_the_middleware(
    server: FastMCP[Any], app: Starlette, token: MCPToken, era: str
) -> None:
    methods = Methods()
    server.add_middleware(methods)
    async with running(app), http(app) as client:
        methods.seen.clear()
        response = await post(client, era, call(era, "create_group", name="Carpenters"), token.token)
    assert answer(response)["result"]["content"][0]["text"] == "Carpenters"
    # Without the SDK's look-up in asgi.look_schemas_up_directly there is a tools/list before each call.
    assert methods.seen == ["tools/call"]


async def test_a_tool_registered_while_the_server_runs_can_be_called(
    server: FastMCP[Any], app: Starlette, token: MCPToken
) -> None:
    async with running(app), http(app) as client:

        @server.tool
        def add(first: int, second: int) -> int:
            """Add."""
            return first + second

        response = await post(client, MODERN, call(MODERN, "add", first=1, second=2), token.token)
        assert answer(response)["result"]["structuredContent"] == {"result": 3}
        wrong = await post(client, MODERN, call(MODERN, "add", first="one"), token.token)
        assert answer(wrong)["result"]["isError"] is True


async def test_a_call_looks_its_tool_up_once_and_the_next_call_again(
    server: FastMCP[Any], app: Starlette, token: MCPToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, look_up = [], server.local_provider._get_tool

    async def counting(name: str, version: Any = None) -> Any:
        names.append(name)
        return await look_up(name, version)

    monkeypatch.setattr(server.local_provider, "_get_tool", counting)
    async with running(app), http(app) as client:
        await post(client, MODERN, call(MODERN, "who_am_i"), token.token)
        await post(client, MODERN, call(MODERN, "list_groups", limit=2), token.token)
        assert names == ["who_am_i", "list_groups"]
        server.disable(names={"who_am_i"})
        response = await post(client, MODERN, call(MODERN, "who_am_i"), token.token)
        assert answer(response)["result"]["content"][0]["text"] == "Unknown tool: 'who_am_i'"


async def test_a_header_that_a_tool_declares_for_an_argument_has_to_say_the_same(
    server: FastMCP[Any], token: MCPToken
) -> None:
    @server.tool(annotations=READ_ONLY)
    def weather(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]) -> str:
        """Tell the weather."""
        return f"Rain in {region}"

    app = build_app(server)
    async with running(app), http(app) as client:
        body = call(MODERN, "weather", region="north")
        told = await post(client, MODERN, body, token.token, **{"mcp-param-region": "north"})
        assert answer(told)["result"]["structuredContent"] == {"result": "Rain in north"}
        refused = await post(client, MODERN, body, token.token, **{"mcp-param-region": "south"})
        assert (refused.status_code, "does not match" in refused.text) == (400, True)
