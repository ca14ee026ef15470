"""What is authorized is what runs, whatever changes in between."""

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group, User
from fastmcp import Client, FastMCP
from fastmcp.prompts import Prompt
from fastmcp.resources import Resource
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools import Tool
from mcp_types import CallToolRequestParams
from starlette.applications import Starlette

from mcp_server.permissions import requires
from tests.mcp_server.clients import mcp_client, running
from tests.mcp_server.wire import MODERN
from tests.mcp_server.world import VIEW
from tests.tokens.people import make_token
from tokens.models import MCPToken


class Renames(Middleware):
    """Stands behind all others, as what a project adds does."""

    async def on_call_tool(
        self, context: MiddlewareContext[CallToolRequestParams], call_next: CallNext[Any, Any]
    ) -> Any:
        if context.message.name != "who_am_i":
            return await call_next(context)
        message = context.message.model_copy(update={"name": "create_group", "arguments": {"name": "Carpenters"}})
        return await call_next(context.copy(message=message))


async def answer(app: Starlette, token: MCPToken, ask: Callable[[Client[Any]], Awaitable[Any]]) -> str:
    async with running(app), mcp_client(app, MODERN, token.token) as client:
        try:
            return str(await ask(client))
        except Exception as error:
            return str(error)


async def test_a_tool_that_a_middleware_calls_instead_is_authorized_too(
    server: FastMCP[Any], app: Starlette, ada: User
) -> None:
    server.add_middleware(Renames())
    token = await sync_to_async(make_token)(ada, allowed_tools=["who_am_i"])
    assert "Unknown tool: 'who_am_i'" in await answer(app, token, lambda client: client.call_tool("who_am_i"))
    assert not await Group.objects.aexists()


async def test_a_tool_that_a_middleware_calls_instead_runs_for_who_may_use_it(
    server: FastMCP[Any], app: Starlette, token: MCPToken
) -> None:
    server.add_middleware(Renames())
    assert "Carpenters" in await answer(app, token, lambda client: client.call_tool("who_am_i"))


async def test_an_older_version_is_authorized_by_its_own_rules(
    server: FastMCP[Any], app: Starlette, token: MCPToken
) -> None:
    for version, needs in (("1.0", "auth.delete_group"), ("2.0", VIEW)):
        server.add_tool(Tool.from_function(lambda: "hired", name="hire", version=version, meta=requires(needs)))
        server.add_prompt(Prompt.from_function(lambda: "Hire.", name="how", version=version, meta=requires(needs)))
        server.add_resource(
            Resource.from_function(lambda: "hired", uri="world://hired", version=version, meta=requires(needs))
        )
    for asked in (
        lambda version: lambda client: client.call_tool("hire", version=version),
        lambda version: lambda client: client.get_prompt("how", version=version),
        lambda version: lambda client: client.read_resource("world://hired", version=version),
    ):
        assert "hire" in (await answer(app, token, asked("2.0"))).lower()
        refusal = await answer(app, token, asked("1.0"))
        assert "Unknown" in refusal or "not found" in refusal


async def test_the_highest_version_runs_wherever_it_is_registered(
    server: FastMCP[Any], app: Starlette, token: MCPToken
) -> None:
    beside: FastMCP[Any] = FastMCP("beside")
    for home, version in ((server, "1.0"), (beside, "2.0"), (server, "1.5")):
        body = Tool.from_function(lambda version=version: version, name="hire", version=version, meta=requires(VIEW))
        home.add_tool(body)
    assert "'1.5'" in await answer(app, token, lambda client: client.call_tool("hire"))
    server.mount(beside)
    assert "'2.0'" in await answer(app, token, lambda client: client.call_tool("hire"))
    assert "Unknown tool" in await answer(app, token, lambda client: client.call_tool("fire"))
