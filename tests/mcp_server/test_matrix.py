"""Every kind of token on every transport, doing every kind of thing, through real clients."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.utils import timezone
from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from starlette.applications import Starlette

from tests.mcp_server.clients import HTTP_TRANSPORTS, mcp_client, running
from tests.mcp_server.world import ADD, VIEW
from tests.tokens.people import make_token, make_user
from tokens.models import MCPToken

ALL_TOOLS = {"who_am_i", "list_groups", "count_groups", "create_group", "touch", "sleep", "broken"}
READ_TOOLS = ALL_TOOLS - {"create_group", "touch"}
OPEN_TOOLS = READ_TOOLS - {"list_groups", "count_groups"}

REFUSED = ["none", "wrong", "expired", "revoked", "inactive user"]
# What each valid token sees; its user may view and add groups.
SEES = {
    "full": (ALL_TOOLS, True),
    "restricted": ({"who_am_i", "create_group"}, True),
    "read": (READ_TOOLS, True),
    "limited to viewing": (READ_TOOLS, True),
    "limited to nothing": (OPEN_TOOLS, False),
    "limited to more than the user has": (OPEN_TOOLS, False),
    "of nobody": (OPEN_TOOLS | {"touch"}, False),
}
TRANSPORTS = [*HTTP_TRANSPORTS, "stdio"]
STDIO_SERVER = ["-m", "tests.mcp_server.stdio_server"]


# What makes each kind: fields of the token, and the permissions a limited one is given.
FIELDS: dict[str, dict[str, Any]] = {
    "revoked": {"is_active": False},
    "restricted": {"allowed_tools": ["who_am_i", "create_group"]},
    "read": {"access": "read"},
    "limited to viewing": {"access": "limited"},
    "limited to nothing": {"access": "limited"},
    "limited to more than the user has": {"access": "limited"},
}
GIVEN = {"limited to viewing": [VIEW], "limited to more than the user has": ["auth.delete_group"]}


def make(kind: str) -> str | None:
    """Return a plain token of this kind."""
    user = make_user("ada", *(() if kind == "of nobody" else (VIEW, ADD)), is_active=kind != "inactive user")
    if kind == "none":
        return None
    if kind == "wrong":
        return MCPToken(user=user).token
    token = make_token(user, *GIVEN.get(kind, []), **FIELDS.get(kind, {}))
    if kind == "expired":
        MCPToken.objects.filter(pk=token.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    return token.token


def client_of(app: Starlette, transport: str, token: str | None) -> AbstractAsyncContextManager[Client[Any]]:
    if transport != "stdio":
        return mcp_client(app, transport, token)
    return Client(StdioTransport(sys.executable, STDIO_SERVER, env=stdio_environment(token), keep_alive=False))


def stdio_environment(token: str | None) -> dict[str, str]:
    return {**os.environ, "MCP_TOKEN": token or "", "TEST_DATABASE_NAME": connection.settings_dict["NAME"]}


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("kind", SEES)
async def test_a_token_sees_and_uses_what_it_allows_and_nothing_else(
    app: Starlette, transactional_db: None, transport: str, kind: str
) -> None:
    token = await sync_to_async(make)(kind)
    tools, views = SEES[kind]
    async with running(app), client_of(app, transport, token) as client:
        assert {tool.name for tool in await client.list_tools()} == tools
        for name in ("create_group", "list_groups", "touch"):
            arguments = {"name": "Carpenters"} if name == "create_group" else {}
            result = await client.call_tool(name, arguments, raise_on_error=False)
            assert result.is_error == (name not in tools)
            assert name in tools or result.content[0].text == f"Unknown tool: {name!r}"
        await expect_others(client, views)


@pytest.mark.parametrize("kind", REFUSED)
async def test_a_refused_token_is_one_line_on_stderr_over_stdio(transactional_db: None, kind: str) -> None:
    token = await sync_to_async(make)(kind)
    process = await asyncio.create_subprocess_exec(
        sys.executable, *STDIO_SERVER, env=stdio_environment(token), stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate()
    assert (process.returncode, out) == (1, b"")
    assert len(err.splitlines()) == 1
    assert err.startswith(b"CommandError: MCP_TOKEN was refused.")
    assert token is None or token.encode() not in err


async def expect_others(client: Client[Any], views: bool) -> None:
    assert {str(r.uri) for r in await client.list_resources()} == {"world://open"} | (
        {"world://groups"} if views else set()
    )
    assert bool(await client.list_resource_templates()) == views
    assert bool(await client.list_prompts()) == views
    assert (await client.read_resource("world://open"))[0].text == "open"
    for uri in ("world://groups", "world://groups/Carpenters"):
        if not views:
            with pytest.raises(Exception, match="not found"):
                await client.read_resource(uri)
    if views:
        assert "Tidy" in (await client.get_prompt("tidy_groups")).messages[0].content.text
    else:
        with pytest.raises(Exception, match="Unknown prompt"):
            await client.get_prompt("tidy_groups")


@pytest.mark.parametrize("transport", HTTP_TRANSPORTS)
@pytest.mark.parametrize("kind", REFUSED)
async def test_a_refused_token_gets_a_401_and_nothing_else(
    app: Starlette, transactional_db: None, transport: str, kind: str
) -> None:
    token = await sync_to_async(make)(kind)
    uses = (
        lambda client: client.list_tools(),
        lambda client: client.call_tool("who_am_i"),
        lambda client: client.read_resource("world://open"),
        lambda client: client.get_prompt("tidy_groups"),
    )
    statuses: list[int] = []
    async with running(app):
        for use in uses:
            with pytest.raises(Exception, match="error"):
                async with mcp_client(app, transport, token, statuses=statuses) as client:
                    await use(client)
    assert set(statuses) == {401}
