"""What only PostgreSQL can show: connections that die, backends that are counted, a database that freezes."""

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import connection
from pytest_django import Settings
from starlette.applications import Starlette

from mcp_server.orm import database_threads, in_database
from tests.mcp_server.clients import HTTP_TRANSPORTS, mcp_client, running
from tests.mcp_server.wire import MODERN
from tokens.models import MCPToken


def administrate(sql: str) -> list[Any]:
    """Run SQL on a connection of its own, which Django knows nothing of."""
    names = {"HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password", "NAME": "dbname"}
    settings = {key: connection.settings_dict[name] for name, key in names.items() if connection.settings_dict[name]}
    with psycopg.connect(**settings, autocommit=True) as own:
        return own.execute(sql).fetchall()


Ask = Callable[[str], list[Any]]


@pytest.fixture
def of_the_server(transactional_db: None) -> Ask:
    """Ask about the backends of the server under test: neither the question's own nor that of the fixtures."""
    connection.ensure_connection()
    own = connection.connection.info.backend_pid

    def ask(select: str) -> list[Any]:
        where = f"datname = current_database() AND pid NOT IN (pg_backend_pid(), {own})"
        return administrate(f"SELECT {select} FROM pg_stat_activity WHERE {where}")  # noqa: S608  (nobody's input)

    return ask


@pytest.mark.parametrize("seconds", [0, 3600])
@pytest.mark.parametrize("transport", HTTP_TRANSPORTS)
async def test_calls_recover_without_one_failure_after_all_connections_were_killed(
    app: Starlette, token: MCPToken, settings: Settings, of_the_server: Ask, transport: str, seconds: float
) -> None:
    settings.MCP_TOKEN_CACHE_SECONDS = seconds
    async with running(app), mcp_client(app, transport, token.token) as client:
        await asyncio.gather(*(client.call_tool("sleep", {"seconds": 0.05}) for _ in range(8)))
        assert len(of_the_server("pg_terminate_backend(pid)")) >= 2
        results = [await client.call_tool(name) for name in ("list_groups", "count_groups", "list_groups")]
        results += await asyncio.gather(*(client.call_tool("count_groups") for _ in range(16)))
        assert not any(result.is_error for result in results)
        assert (await client.call_tool("create_group", {"name": "Carpenters"})).data == "Carpenters"


async def test_async_and_sync_code_of_a_tool_share_one_backend(server: Any, app: Starlette, token: MCPToken) -> None:
    from asgiref.sync import sync_to_async
    from django.contrib.auth.models import Group
    from django.db.models import Func, IntegerField

    def pid() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return int(cursor.fetchone()[0])

    @server.tool
    async def backends() -> list[int]:
        """Return the backend of each way to the database."""
        await Group.objects.aget_or_create(name="Carpenters")
        annotated = Group.objects.annotate(pid=Func(function="pg_backend_pid", output_field=IntegerField()))
        own = [row.pid async for row in annotated] + [await in_database(pid), await sync_to_async(pid)()]
        return own

    async with running(app), mcp_client(app, MODERN, token.token) as client:
        found = await asyncio.gather(*(client.call_tool("backends") for _ in range(5)))
    assert all(len(result.data) == 3 and len(set(result.data)) == 1 for result in found)


async def test_disconnects_leave_no_backend_behind(app: Starlette, token: MCPToken, of_the_server: Ask) -> None:
    async with running(app), mcp_client(app, MODERN, token.token) as client:
        await asyncio.gather(*(client.call_tool("sleep", {"seconds": 0.1}) for _ in range(8)))
        before = len(of_the_server("pid"))
        calls = [asyncio.create_task(client.call_tool("sleep", {"seconds": 0.2})) for _ in range(8)]
        await asyncio.sleep(0)
        for each in calls:
            each.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await asyncio.gather(*(client.call_tool("list_groups") for _ in range(8)))
        assert len(of_the_server("pid")) <= before
    await asyncio.to_thread(database_threads.close)
    assert of_the_server("pid") == []
