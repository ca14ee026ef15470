"""One audit row for every call of a tool, whatever happens to the call, the client and the database."""

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import DataError
from fastmcp import FastMCP
from pytest_django import Settings
from starlette.applications import Starlette

from mcp_server.asgi import build_app
from mcp_server.audit_log import audit_log
from tests.mcp_server.clients import HTTP_TRANSPORTS, http, mcp_client, running
from tests.mcp_server.conftest import database_outage
from tests.mcp_server.wire import ERAS, MODERN, call, post
from tests.mcp_server.world import make_server
from tokens.models import MCPToken, ToolCall


@pytest.fixture(autouse=True)
def no_rows_left() -> Any:
    yield
    assert not audit_log._rows


async def rows(**filters: Any) -> list[ToolCall]:
    return [row async for row in ToolCall.objects.filter(**filters).order_by("pk")]


@pytest.fixture
def lazy_writer(settings: Settings) -> None:
    """Batches are written at the end only."""
    settings.MCP_AUDIT_FLUSH_SECONDS = 3600
    settings.MCP_TOKEN_CACHE_SECONDS = 3600


@pytest.mark.parametrize("transport", HTTP_TRANSPORTS)
async def test_a_row_says_who_did_what_when_from_where_and_how_it_ended(
    app: Starlette, ada: User, token: MCPToken, transport: str
) -> None:
    async with running(app), mcp_client(app, transport, token.token) as client:
        await client.call_tool("create_group", {"name": "Carpenters"})
    (row,) = await rows()
    assert (row.user_id, row.token_id, row.tool, row.status) == (ada.pk, token.pk, "create_group", "ok")
    assert (row.arguments, row.error, row.remote_address) == ({"name": "Carpenters"}, "", "127.0.0.1")
    assert len(row.correlation_id) == 16
    assert 0 <= row.duration_ms < 5000
    assert row.client_name == "mcp" if transport != "2025-11-25" else "python-httpx2"
    assert row.client_version


async def test_a_session_remembers_the_client_of_its_handshake(
    server: FastMCP[Any], settings: Settings, token: MCPToken
) -> None:
    settings.MCP_STATELESS_HTTP = False
    app = build_app(server)
    async with running(app), mcp_client(app, "2025-11-25", token.token) as client:
        await client.call_tool("touch")
    (row,) = await rows()
    assert (row.client_name, bool(row.client_version)) == ("mcp", True)


@pytest.mark.parametrize("transport", HTTP_TRANSPORTS)
async def test_every_way_to_end_has_its_status(app: Starlette, token: MCPToken, transport: str) -> None:
    await MCPToken.objects.filter(pk=token.pk).aupdate(access="read")
    calls: list[tuple[str, dict[str, Any]]] = [
        ("who_am_i", {}),
        ("list_groups", {"limit": 0}),
        ("broken", {}),
        ("create_group", {"name": "Carpenters"}),
        ("no_such_tool", {}),
        ("x" * 500, {}),
    ]
    async with running(app), mcp_client(app, transport, token.token) as client:
        for name, arguments in calls:
            await client.call_tool(name, arguments, raise_on_error=False)
    found = [(row.tool, row.status, row.error[:30]) for row in await rows()]
    assert found == [
        ("who_am_i", "ok", ""),
        ("list_groups", "error", "limit: Input should be greater"),
        ("broken", "error", "Something went wrong on the se"),
        ("create_group", "denied", "Unknown tool: 'create_group'"),
        ("no_such_tool", "denied", "Unknown tool: 'no_such_tool'"),
        ("x" * 64, "denied", "Unknown tool: 'xxxxxxxxxxxxxxx"),
    ]


@pytest.mark.parametrize("transport", HTTP_TRANSPORTS)
async def test_writers_are_stored_before_the_answer_and_readers_in_batches(
    app: Starlette, token: MCPToken, lazy_writer: None, transport: str
) -> None:
    async with running(app), mcp_client(app, transport, token.token) as client:
        for _ in range(3):
            await client.call_tool("who_am_i")
        assert await rows() == []
        await client.call_tool("touch")
        # What waited goes along.
        assert [row.tool for row in await rows()] == ["who_am_i"] * 3 + ["touch"]
        await client.call_tool("who_am_i")
        assert len(await rows()) == 4
    assert len(await rows()) == 5


async def test_batches_are_written_while_the_server_runs(app: Starlette, settings: Settings, token: MCPToken) -> None:
    settings.MCP_AUDIT_FLUSH_SECONDS = 0.01
    async with running(app), mcp_client(app, MODERN, token.token) as client:
        await client.call_tool("who_am_i")
        while not await rows():  # noqa: ASYNC110  (the writer tells nobody)
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("era", ERAS)
async def test_no_row_is_lost_and_no_answer_changed_while_the_database_is_away(
    app: Starlette, token: MCPToken, lazy_writer: None, caplog: pytest.LogCaptureFixture, era: str
) -> None:
    async with running(app), mcp_client(app, era, token.token) as client:
        await client.call_tool("who_am_i")
        with database_outage():
            for _ in range(3):
                assert (await client.call_tool("who_am_i")).data == "ada"
                assert (await client.call_tool("touch")).data == "touched"
        waiting = [record for record in caplog.records if "wait for the database" in record.getMessage()]
        assert len(waiting) == 3
        assert all(record.exc_info is None for record in waiting)
        assert await rows() == []
        await client.call_tool("touch")
        assert [row.tool for row in await rows()] == ["who_am_i"] + ["who_am_i", "touch"] * 3 + ["touch"]


async def test_a_row_that_cannot_be_built_changes_no_answer(
    app: Starlette, token: MCPToken, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Whatever goes wrong there.
    monkeypatch.setattr(ToolCall._meta, "concrete_fields", None)
    async with running(app), mcp_client(app, MODERN, token.token) as client:
        assert (await client.call_tool("touch")).data == "touched"
        monkeypatch.undo()
    assert "could not be stored" in caplog.text
    assert await rows() == []


async def test_a_row_no_database_takes_does_not_hold_up_the_others(
    app: Starlette,
    token: MCPToken,
    lazy_writer: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    create = ToolCall.objects.bulk_create

    def picky(objects: list[ToolCall], **options: Any) -> Any:
        if any(row.tool == "who_am_i" for row in objects):
            raise DataError("value too long")
        return create(objects, **options)

    monkeypatch.setattr(ToolCall.objects, "bulk_create", picky)
    async with running(app), mcp_client(app, MODERN, token.token) as client:
        for name in ("list_groups", "who_am_i", "count_groups", "touch"):
            await client.call_tool(name)
        assert [row.tool for row in await rows()] == ["list_groups", "count_groups", "touch"]
    assert caplog.text.count("could not be stored") == 1


async def test_a_call_whose_client_goes_away_has_its_row(server: FastMCP[Any], app: Starlette, token: MCPToken) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    @server.tool
    async def wait_for_delivery() -> str:
        """Wait."""
        begun.set()
        await go_on.wait()
        return "here"

    async with running(app), http(app) as client:
        waiting = asyncio.create_task(post(client, MODERN, call(MODERN, "wait_for_delivery"), token.token))
        await begun.wait()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    (row,) = await rows()
    assert (row.tool, row.status, row.error) == ("wait_for_delivery", "error", "The caller went away.")


async def test_the_user_may_be_deleted_before_the_row_is_stored(
    app: Starlette, ada: User, token: MCPToken, lazy_writer: None
) -> None:
    async with running(app), mcp_client(app, MODERN, token.token) as client:
        await client.call_tool("who_am_i")
        await sync_to_async(ada.delete)()
    (row,) = await rows()
    assert (row.user_id, row.token_id, row.status) == (None, None, "ok")


async def test_a_server_without_http_stores_rows_too(token: MCPToken, monkeypatch: pytest.MonkeyPatch) -> None:
    from fastmcp import Client

    monkeypatch.setenv("MCP_TOKEN", str(token.token))
    async with Client(make_server()) as client:
        await client.call_tool("who_am_i")
    (row,) = await rows()
    assert (row.user_id, row.remote_address, bool(row.client_name)) == (token.user_id, "", True)


async def test_two_servers_in_one_process_both_store_their_rows(token: MCPToken) -> None:
    first, second = build_app(make_server()), build_app(make_server())
    async with running(first), mcp_client(first, "2026-07-28", token.token) as client:
        async with running(second), mcp_client(second, "2026-07-28", token.token) as other:
            await other.call_tool("who_am_i")
        await client.call_tool("who_am_i")
    assert await ToolCall.objects.acount() == 2
