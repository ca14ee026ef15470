"""The database bridge: enough threads, one a message, nothing leaked, tests see their transaction."""

import asyncio
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import Group, User
from django.db import connection, connections
from django.db.backends.signals import connection_created
from django.test import TestCase
from fastmcp import Client, Context, FastMCP
from pytest_django import Settings
from starlette.applications import Starlette

from mcp_server.context import get_mcp_user
from mcp_server.orm import database_thread, database_threads, drop_stale_connections, in_database, orm_tool
from tests.mcp_server.clients import HTTP_TRANSPORTS, mcp_client, running
from tests.mcp_server.wire import MODERN
from tests.mcp_server.world import ADD, VIEW, make_server
from tests.tokens.people import make_token, make_user
from tokens.models import MCPToken, ToolCall


def database_thread_count() -> int:
    return sum(thread.name.startswith("mcp-database") for thread in threading.enumerate())


@pytest.mark.parametrize("transport", HTTP_TRANSPORTS)
async def test_five_database_calls_of_a_second_take_little_more_than_one(
    app: Starlette, token: MCPToken, transport: str
) -> None:
    async with running(app), mcp_client(app, transport, token.token) as client:
        await client.call_tool("sleep", {"seconds": 0})
        start = time.perf_counter()
        await asyncio.gather(*(client.call_tool("sleep", {"seconds": 1}) for _ in range(5)))
        assert time.perf_counter() - start < 1.5


async def test_database_threads_are_bounded(
    server: FastMCP[Any], settings: Settings, app: Starlette, token: MCPToken
) -> None:
    settings.MCP_DB_THREADS = 2
    async with running(app), mcp_client(app, MODERN, token.token) as client:
        await asyncio.gather(*(client.call_tool("sleep", {"seconds": 0.01}) for _ in range(20)))
        assert 1 <= database_thread_count() <= 2


async def test_the_same_message_uses_one_thread_for_everything(
    server: FastMCP[Any], app: Starlette, token: MCPToken
) -> None:
    seen: list[str] = []

    def note() -> None:
        seen.append(threading.current_thread().name)

    @server.tool
    async def mixed(ctx: Context) -> int:
        """Use the ORM in every way there is."""
        await sync_to_async(note)()
        await in_database(note)
        with_note = Group.objects.all()
        await sync_to_async(lambda: (note(), with_note.count()))()
        user = await get_mcp_user(ctx)
        assert isinstance(user, User)
        async for _ in user.mcp_tokens.all():
            await sync_to_async(note)()
        return await Group.objects.acount()

    async with running(app), mcp_client(app, MODERN, token.token) as client:
        assert (await client.call_tool("mixed")).data == 0
    assert len(seen) == 4
    assert len(set(seen)) == 1
    assert seen[0].startswith("mcp-database")


async def test_djangos_async_orm_uses_the_connections_of_the_database_threads(app: Starlette, token: MCPToken) -> None:
    threads: set[str] = set()

    def note(**kwargs: Any) -> None:
        threads.add(threading.current_thread().name)

    connection_created.connect(note)
    try:
        async with running(app), mcp_client(app, MODERN, token.token) as client:
            for _ in range(3):
                await client.call_tool("count_groups")
                await client.call_tool("list_groups")
                await client.call_tool("create_group", {"name": f"Carpenters {_}"})
    finally:
        connection_created.disconnect(note)
    assert threads
    assert all(name.startswith("mcp-database") for name in threads)


async def test_a_tool_that_waits_for_something_else_starves_nobody(
    server: FastMCP[Any], settings: Settings, app: Starlette, token: MCPToken
) -> None:
    settings.MCP_DB_THREADS = 1
    waiting, go_on = asyncio.Event(), asyncio.Event()

    @server.tool
    async def ask_the_supplier() -> int:
        """Read, wait for somebody far away, read again."""
        before = await Group.objects.acount()
        waiting.set()
        await go_on.wait()
        return before + await Group.objects.acount()

    async with running(app), mcp_client(app, MODERN, token.token) as client:
        slow = asyncio.create_task(client.call_tool("ask_the_supplier"))
        await waiting.wait()
        for _ in range(5):
            await client.call_tool("list_groups")
        go_on.set()
        assert (await slow).data == 0


async def test_a_connection_closed_between_calls_is_replaced(app: Starlette, token: MCPToken) -> None:
    async with running(app), mcp_client(app, MODERN, token.token) as client:
        await client.call_tool("list_groups")
        await in_database(lambda: connection.close())
        for _ in range(3):
            assert (await client.call_tool("list_groups")).data == []


async def test_connections_past_their_age_are_replaced(app: Starlette, token: MCPToken, settings: Settings) -> None:
    # A second one might take the next call while the first still notes that it is free.
    settings.MCP_DB_THREADS = 1
    created: list[str] = []

    def note(**kwargs: Any) -> None:
        created.append(threading.current_thread().name)

    async with running(app), mcp_client(app, MODERN, token.token) as client:
        await client.call_tool("list_groups")

        def outdated() -> None:
            connection.close_at = time.monotonic() - 1

        await in_database(outdated)
        connection_created.connect(note)
        try:
            await client.call_tool("list_groups")
        finally:
            connection_created.disconnect(note)
    assert len(created) == 1


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_disconnects_in_the_middle_of_calls_leak_nothing(
    server: FastMCP[Any], app: Starlette, token: MCPToken
) -> None:
    loop, started, ended = asyncio.get_running_loop(), asyncio.Semaphore(0), asyncio.Semaphore(0)
    go_on = threading.Event()

    @server.tool
    @orm_tool
    def long_report() -> int:
        """Take a while over a report."""
        loop.call_soon_threadsafe(started.release)
        go_on.wait()
        loop.call_soon_threadsafe(ended.release)
        return Group.objects.count()

    async def eight_calls(client: Client[Any], *, go_away: bool) -> None:
        go_on.clear()
        calls = [asyncio.create_task(client.call_tool("long_report")) for _ in range(8)]
        for _ in calls:
            await started.acquire()
        if go_away:
            for each in calls:
                each.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        go_on.set()
        await asyncio.gather(*calls, *(ended.acquire() for _ in calls), return_exceptions=True)

    async with running(app), mcp_client(app, MODERN, token.token) as client:
        await eight_calls(client, go_away=False)
        before, threads = open_files(), database_thread_count()
        await eight_calls(client, go_away=True)
        assert await asyncio.gather(*(client.call_tool("count_groups") for _ in range(8)))
        assert (database_thread_count(), open_files()) == (threads, before)
    # The calls had begun, so each has its audit row.
    rows = await sync_to_async(list)(ToolCall.objects.filter(tool="long_report").values_list("status", flat=True))
    assert sorted(rows) == ["error"] * 8 + ["ok"] * 8


async def test_nothing_inside_an_atomic_block_is_closed(transactional_db: None) -> None:
    async with database_thread():

        def begin() -> None:
            connection.set_autocommit(False)
            connection.in_atomic_block = True
            connection.close_at = time.monotonic() - 1

        def end() -> bool:
            alive = connection.connection is not None
            connection.in_atomic_block = False
            connection.rollback()
            connection.set_autocommit(True)
            return alive

        await in_database(lambda: connection.ensure_connection())
        await in_database(begin)
        await in_database(drop_stale_connections)
        assert await in_database(end)


async def test_a_message_outlives_the_closing_of_its_thread(transactional_db: None) -> None:
    async with database_thread():
        assert await Group.objects.acount() == 0
        await asyncio.to_thread(database_threads.close)
        assert await Group.objects.acount() == 0


async def held_thread() -> tuple[asyncio.Task[None], threading.Event]:
    """Return a call that has a database thread and keeps it, and what lets it go on."""
    started, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        started.set()
        go_on.wait()

    holding = asyncio.create_task(in_database(hold))
    await asyncio.to_thread(started.wait)
    return holding, go_on


async def test_messages_that_wait_while_threads_close_are_served(settings: Settings, transactional_db: None) -> None:
    settings.MCP_DB_THREADS = 1
    holding, go_on = await held_thread()
    waiting = [asyncio.create_task(in_database(Group.objects.count)) for _ in range(3)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(asyncio.to_thread(database_threads.close))
    go_on.set()
    assert await asyncio.gather(holding, closing, *waiting) == [None, None, 0, 0, 0]


async def test_a_short_call_never_waits_behind_a_long_one_while_a_thread_is_free(
    settings: Settings, transactional_db: None
) -> None:
    settings.MCP_DB_THREADS = 2
    holding, go_on = await held_thread()
    assert await asyncio.gather(*(in_database(Group.objects.count) for _ in range(20))) == [0] * 20
    go_on.set()
    await holding


async def test_closing_waits_no_longer_than_told_for_a_call_that_never_ends(transactional_db: None) -> None:
    holding, go_on = await held_thread()
    database_threads.close(seconds=0)
    assert not holding.done()
    go_on.set()
    await holding


async def test_leaving_the_interpreter_on_a_database_thread_is_an_error_of_the_call(transactional_db: None) -> None:
    with pytest.raises(RuntimeError, match="SystemExit"):
        await in_database(sys.exit, 3)
    assert await in_database(Group.objects.count) == 0


async def test_closing_leaves_no_thread_and_no_connection(transactional_db: None) -> None:
    await in_database(Group.objects.count)
    assert database_thread_count() >= 1
    database_threads.close()
    assert database_thread_count() == 0
    assert await in_database(Group.objects.count) == 0


class InsideATestCase(TestCase):
    """A project's own tests, which never commit, see and share their rows with tools."""

    user: User

    @classmethod
    def setUpTestData(cls) -> None:
        cls.user = make_user("ada", VIEW, ADD)
        # The text, not the token: Django hands each test a copy, and copies of a token know no secret.
        cls.secret = str(make_token(cls.user).token)

    async def use_tools(self, make: Any) -> None:
        app = make(make_server())
        for transport in HTTP_TRANSPORTS:
            async with running(app), mcp_client(app, transport, self.secret) as client:
                assert "Painters" in (await client.call_tool("list_groups")).data
                before = (await client.call_tool("count_groups")).data
                await client.call_tool("create_group", {"name": f"Carpenters {transport}"})
                assert (await client.call_tool("count_groups")).data == before + 1

    async def test_an_async_test_sees_its_rows(self) -> None:
        from mcp_server.asgi import build_app

        await Group.objects.acreate(name="Painters")
        await self.use_tools(build_app)
        assert await Group.objects.acount() == 4
        assert await ToolCall.objects.filter(user_id=self.user.pk).acount() == 12

    def test_a_sync_test_sees_its_rows(self) -> None:
        from mcp_server.asgi import build_app

        Group.objects.create(name="Painters")
        async_to_sync(self.use_tools)(build_app)
        assert Group.objects.count() == 4
        assert ToolCall.objects.filter(user_id=self.user.pk).count() == 12

    async def test_the_server_alone_sees_its_rows_too(self) -> None:
        os.environ["MCP_TOKEN"] = self.secret
        try:
            await Group.objects.acreate(name="Painters")
            async with Client(make_server()) as client:
                assert (await client.call_tool("list_groups")).data == ["Painters"]
        finally:
            del os.environ["MCP_TOKEN"]


def test_the_testcase_left_nothing(db: None) -> None:
    assert not Group.objects.exists()
    assert not ToolCall.objects.exists()


@pytest.mark.django_db
def test_a_connection_opened_within_a_wrapper_keeps_it_no_longer_than_that() -> None:
    fresh = connections.create_connection("default")

    def note(execute: Any, *statement: Any) -> Any:
        return execute(*statement)

    try:
        with fresh.execute_wrapper(note):
            fresh.connect()
        assert note not in fresh.execute_wrappers
    finally:
        fresh.close()
