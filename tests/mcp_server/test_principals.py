"""A verified caller is remembered for a moment: how soon a change holds, and what never is remembered."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group, User
from django.db import connection
from django.utils import timezone
from fastmcp import Context, FastMCP
from pytest_django import Settings
from starlette.applications import Starlette

from mcp_server import auth
from mcp_server.auth import PrincipalCache, principals
from mcp_server.context import get_mcp_user
from mcp_server.orm import in_database
from tests.mcp_server.clients import http, mcp_client, running
from tests.mcp_server.wire import HANDSHAKE, MODERN, answer, call, message, post
from tests.mcp_server.world import ADD, VIEW
from tests.tokens.people import make_token, make_user, permission
from tokens.auth import MCPAuthError, digest_of, resolve_mcp_user
from tokens.models import MCPToken


@pytest.fixture
def remembered(settings: Settings) -> None:
    settings.MCP_TOKEN_CACHE_SECONDS = 3600


def revoke(token: MCPToken) -> None:
    MCPToken.objects.get(pk=token.pk).revoke()


def rotate(token: MCPToken) -> None:
    MCPToken.objects.get(pk=token.pk).rotate()


def delete(token: MCPToken) -> None:
    MCPToken.objects.get(pk=token.pk).delete()


def expire(token: MCPToken) -> None:
    row = MCPToken.objects.get(pk=token.pk)
    row.expires_at = timezone.now()
    row.save()


def deactivate(token: MCPToken) -> None:
    user = User.objects.get(pk=token.user_id)
    user.is_active = False
    user.save()


def delete_user(token: MCPToken) -> None:
    User.objects.get(pk=token.user_id).delete()


@pytest.mark.parametrize("change", [revoke, rotate, delete, expire, deactivate, delete_user])
async def test_a_refusal_in_this_process_holds_at_once(
    app: Starlette, token: MCPToken, remembered: None, change: Callable[[MCPToken], None]
) -> None:
    async with running(app), http(app) as client:
        for _ in range(2):
            assert (await post(client, MODERN, message(MODERN, "tools/list"), token.token)).status_code == 200
        await sync_to_async(change)(token)
        assert (await post(client, MODERN, message(MODERN, "tools/list"), token.token)).status_code == 401


def take_permission(token: MCPToken) -> None:
    User.objects.get(pk=token.user_id).user_permissions.remove(permission(ADD))


def narrow(token: MCPToken) -> None:
    row = MCPToken.objects.get(pk=token.pk)
    row.access = "read"
    row.save()


def name_tools(token: MCPToken) -> None:
    row = MCPToken.objects.get(pk=token.pk)
    row.allowed_tools = ["who_am_i"]
    row.save()


@pytest.mark.parametrize("change", [take_permission, narrow, name_tools])
@pytest.mark.parametrize("transport", ["2026-07-28", "2025-11-25", "sse"])
async def test_less_permission_holds_at_the_next_message(
    app: Starlette, token: MCPToken, remembered: None, change: Callable[[MCPToken], None], transport: str
) -> None:
    async with running(app), mcp_client(app, transport, token.token) as client:
        assert "create_group" in {tool.name for tool in await client.list_tools()}
        await sync_to_async(change)(token)
        assert "create_group" not in {tool.name for tool in await client.list_tools()}
        assert (await client.call_tool("create_group", {"name": "Carpenters"}, raise_on_error=False)).is_error
    assert not await Group.objects.aexists()


async def test_a_group_gives_its_permissions_at_once(app: Starlette, remembered: None, transactional_db: None) -> None:
    def newcomer() -> tuple[User, str, Group]:
        user, group = make_user("eve"), Group.objects.create(name="Editors")
        group.permissions.add(permission(VIEW))
        return user, str(make_token(user).token), group

    user, token, group = await sync_to_async(newcomer)()
    async with running(app), mcp_client(app, MODERN, token) as client:
        assert "list_groups" not in {tool.name for tool in await client.list_tools()}
        await sync_to_async(user.groups.add)(group)
        assert "list_groups" in {tool.name for tool in await client.list_tools()}
        await sync_to_async(group.permissions.clear)()
        assert "list_groups" not in {tool.name for tool in await client.list_tools()}


class Clock:
    """The time as mcp_server.auth sees it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(auth, "time", clock)
    return clock


@pytest.mark.parametrize("seconds", [0, 0.5, 30])
async def test_a_change_by_another_process_holds_within_the_cache_time(
    app: Starlette, settings: Settings, token: MCPToken, clock: Clock, seconds: float
) -> None:
    settings.MCP_TOKEN_CACHE_SECONDS = seconds
    async with running(app), http(app) as client:

        async def status() -> int:
            return (await post(client, HANDSHAKE, message(HANDSHAKE, "tools/list"), token.token)).status_code

        assert await status() == 200
        # update() sends no signal, as a change elsewhere sends none here.
        await MCPToken.objects.filter(pk=token.pk).aupdate(is_active=False)
        clock.now += seconds - 0.01 if seconds else 0
        assert await status() == (200 if seconds else 401)
        clock.now += 0.01
        assert await status() == 401


async def test_a_token_expires_inside_the_cache_time(
    app: Starlette, remembered: None, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = timezone.now() + timedelta(hours=1)
    token = await sync_to_async(lambda: make_token(ada, expires_at=end))()
    async with running(app), http(app) as client:
        assert (await post(client, MODERN, message(MODERN, "tools/list"), token.token)).status_code == 200
        monkeypatch.setattr(timezone, "now", lambda: end)
        assert (await post(client, MODERN, message(MODERN, "tools/list"), token.token)).status_code == 401


async def test_a_remembered_caller_costs_no_query(app: Starlette, token: MCPToken, remembered: None) -> None:
    queries: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        queries.append(sql)
        return execute(sql, *rest)

    async with running(app), mcp_client(app, MODERN, token.token) as client:
        await client.call_tool("who_am_i")
        await client.list_tools()
        from mcp_server.orm import database_thread

        async with database_thread():
            await in_database(lambda: connection.execute_wrappers.append(note))
        await client.list_tools()
        await client.call_tool("who_am_i")
        await in_database(lambda: connection.execute_wrappers.remove(note))
    assert queries == []


async def test_what_changed_while_the_database_answered_is_not_remembered(
    token: MCPToken, settings: Settings, remembered: None
) -> None:
    settings.MCP_AUTHENTICATORS = [f"{__name__}.slow_answer"]
    asking = asyncio.create_task(principals.principal(str(token.token)))
    await asyncio.to_thread(asked.wait)
    await sync_to_async(revoke)(token)
    answered.set()
    # It was asked before the revocation, so this one message may pass.
    assert (await asking).token.pk == token.pk
    with pytest.raises(MCPAuthError):
        await principals.principal(str(token.token))


asked, answered = threading.Event(), threading.Event()


@pytest.fixture(autouse=True)
def nobody_asked() -> Iterator[None]:
    asked.clear(), answered.clear()
    yield
    answered.set()


def slow_answer(raw: str) -> Any:
    """An authenticator whose answer takes a while to arrive."""
    found = resolve_mcp_user(raw)
    asked.set()
    answered.wait()
    return found


async def test_refusals_are_not_remembered(transactional_db: None, remembered: None) -> None:
    user = await sync_to_async(make_user)("eve")
    token = MCPToken(user=user, name="Later")
    with pytest.raises(MCPAuthError):
        await principals.principal(str(token.token))
    await sync_to_async(MCPToken.objects.bulk_create)([token])
    assert (await principals.principal(str(token.token))).user == user


async def test_the_cache_is_bounded_and_keeps_the_latest(
    token: MCPToken, remembered: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "CACHE_SIZE", 3)
    cache = PrincipalCache()
    tokens = await sync_to_async(lambda: [str(make_token(token.user).token) for _ in range(5)])()
    for each in tokens:
        await cache.principal(each)
    assert list(cache._entries) == [digest_of(each) for each in tokens[-3:]]


async def test_the_cache_holds_no_secret(token: MCPToken, remembered: None) -> None:
    await principals.principal(str(token.token))
    assert str(token.token) not in repr(principals._entries)
    (entry,) = principals._entries.values()
    assert entry[1].token.token is None


async def test_each_message_has_a_copy_of_the_user_of_its_own(
    server: FastMCP[Any], app: Starlette, token: MCPToken, remembered: None
) -> None:
    @server.tool
    async def become(ctx: Context, name: str) -> str:
        """Change the user object, which is nobody else's business."""
        user = await get_mcp_user(ctx)
        assert isinstance(user, User)
        before = f"{user.username} {user.is_superuser}"
        user.username, user.is_superuser = name, True
        return before

    async with running(app), mcp_client(app, MODERN, token.token) as client:
        for _ in range(3):
            assert (await client.call_tool("become", {"name": "root"})).data == "ada False"
        assert (await client.call_tool("who_am_i")).data == "ada"


async def test_concurrent_callers_never_see_each_other(
    app: Starlette, remembered: None, transactional_db: None
) -> None:
    def crowd() -> dict[str, str]:
        return {name: str(make_token(make_user(name)).token) for name in ("ada", "eve", "bob", "kim")}

    tokens = await sync_to_async(crowd)()
    async with running(app), http(app) as client:

        async def name_of(token: str) -> str:
            response = await post(client, MODERN, call(MODERN, "who_am_i"), token)
            return str(answer(response)["result"]["content"][0]["text"])

        names = list(tokens) * 10
        assert await asyncio.gather(*(name_of(tokens[name]) for name in names)) == names
