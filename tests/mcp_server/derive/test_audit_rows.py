"""The audit rows of derived tools that write: stored on the tool's own visit to the database, one for each call."""

import asyncio
import threading
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError
from pytest_django import Settings
from starlette.applications import Starlette

from mcp_server.asgi import build_app
from mcp_server.derive.admin import register_admin_tools
from mcp_server.derive.drf import register_api_tools
from mcp_server.server import create_server
from shop.admin import SupplierAdmin
from shop.models import Supplier
from tests.factories import make_product, make_user
from tests.mcp_server.clients import http, mcp_client, running
from tests.mcp_server.wire import MODERN, call, post
from tests.tokens.people import make_token
from tokens.models import ToolCall


@pytest.fixture
def app(transactional_db: None) -> Starlette:
    mcp = create_server()
    register_admin_tools(mcp)
    register_api_tools(mcp)
    return build_app(mcp)


@pytest.fixture
def token(transactional_db: None) -> str:
    Supplier.objects.create(name="Alder", email="alder@example.com")
    return make_token(make_user("boss", superuser=True)).token or ""


async def rows() -> list[tuple[str, str, str]]:
    return [(row.tool, row.status, row.error) async for row in ToolCall.objects.order_by("pk")]


async def test_each_call_has_one_row_that_says_how_it_ended(app: Starlette, token: str) -> None:
    product = await sync_to_async(make_product)("SKU0001")
    calls: list[tuple[str, dict[str, Any]]] = [
        ("update_supplier", {"name": "Alder", "values": {"lead_time_days": 3}}),
        ("update_supplier", {"name": "Alder", "values": {"lead_time_days": 4}, "dry_run": True}),
        ("update_supplier", {"name": "Alder", "values": {"lead_time_days": 4000}}),
        ("delete_supplier", {"name": "Alder"}),
        ("product_update", {"id": product.pk, "price": "3.00"}),
        ("product_update", {"id": product.pk, "price": "none"}),
    ]
    async with running(app), mcp_client(app, MODERN, token) as client:
        for name, arguments in calls:
            await client.call_tool(name, arguments, raise_on_error=False)
            (*_, last) = await rows()
            assert last[0] == name
    found = await rows()
    assert [(tool, status) for tool, status, _ in found] == [
        ("update_supplier", "ok"),
        ("update_supplier", "ok"),
        ("update_supplier", "error"),
        ("delete_supplier", "ok"),
        ("product_update", "ok"),
        ("product_update", "error"),
    ]
    assert [bool(error) for *_, error in found] == [False, False, True, False, False, True]


async def test_an_answer_that_is_refused_after_the_work_says_so(app: Starlette, token: str, settings: Settings) -> None:
    settings.MCP_MAX_RESULT_BYTES = 20
    async with running(app), mcp_client(app, MODERN, token) as client:
        await client.call_tool(
            "update_supplier", {"name": "Alder", "values": {"lead_time_days": 3}}, raise_on_error=False
        )
    ((tool, status, error),) = await rows()
    assert (tool, status) == ("update_supplier", "error")
    assert error.startswith("What you asked for was done; do not repeat the call.")


async def test_a_client_that_goes_away_during_the_work_leaves_one_row(
    app: Starlette, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, saved = threading.Event(), threading.Event(), threading.Event()
    may_change, save = SupplierAdmin.has_change_permission, SupplierAdmin.save_model

    def think(self: Any, request: Any, obj: Any = None) -> bool:
        begun.set()
        go_on.wait(10)
        return bool(may_change(self, request, obj))

    def note(self: Any, *args: Any) -> None:
        save(self, *args)
        saved.set()

    # Before there is a transaction, which would keep the row of the call waiting.
    monkeypatch.setattr(SupplierAdmin, "has_change_permission", think)
    monkeypatch.setattr(SupplierAdmin, "save_model", note)
    asked = call(MODERN, "update_supplier", name="Alder", values={"lead_time_days": 3})
    async with running(app), http(app) as client:
        waiting = asyncio.create_task(post(client, MODERN, asked, token))
        await asyncio.to_thread(begun.wait, 10)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        while not await rows():  # noqa: ASYNC110  (nobody is told)
            await asyncio.sleep(0.01)
        go_on.set()
        await asyncio.to_thread(saved.wait, 10)
        # By the end of another call, what the first one still had to do is done.
        await post(client, MODERN, call(MODERN, "update_supplier", name="Alder", values={"lead_time_days": 4}), token)
    assert await rows() == [("update_supplier", "error", "The caller went away."), ("update_supplier", "ok", "")]


async def test_a_row_that_cannot_be_stored_changes_no_answer_and_waits(
    app: Starlette, token: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(objects: Any, **options: Any) -> Any:
        raise OperationalError("the table is locked")

    async with running(app), mcp_client(app, MODERN, token) as client:
        monkeypatch.setattr(ToolCall.objects, "bulk_create", away)
        asked = {"name": "Alder", "values": {"lead_time_days": 3}}
        answer = await client.call_tool("update_supplier", asked)
        assert answer.structured_content["changed"] == {"lead_time_days": [7, 3]}
        assert await rows() == []
        monkeypatch.undo()
    assert await rows() == [("update_supplier", "ok", "")]
    assert "1 audit rows wait for the database (OperationalError)" in caplog.text
