"""Subscribers hear of every committed change, however it was made, and of nothing they may not see."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group, User
from django.db import connection, transaction
from fastmcp import Client
from mcp.client.subscriptions import Subscription, listen
from starlette.applications import Starlette

from mcp_server.asgi import build_app
from mcp_server.subscriptions import _watched, rows_of, watch
from tests.mcp_server.clients import Notes, mcp_client, running
from tests.mcp_server.world import make_server
from tests.tokens.people import make_token, make_user
from tokens.models import MCPToken

URI = "world://groups/Carpenters"
OTHER = "world://groups/Painters"


def rows_of_group(uri: str) -> Any:
    return rows_of(Group, str(Group.objects.get(name=uri.rpartition("/")[2]).pk))


@pytest.fixture(autouse=True)
def groups(transactional_db: None) -> Iterator[None]:
    Group.objects.create(name="Carpenters")
    Group.objects.create(name="Painters")
    before = dict(_watched)
    watch("world://groups", Group)
    watch("world://groups/", rows_of_group)
    yield
    _watched.clear()
    _watched.update(before)


def save() -> None:
    Group.objects.get(name="Carpenters").save()


def update() -> None:
    Group.objects.filter(name="Carpenters").update(name="Carpenters")


def bulk_update() -> None:
    Group.objects.bulk_update(Group.objects.filter(name="Carpenters"), ["name"])


def raw_sql() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE auth_group SET name = name WHERE name = %s", ["Carpenters"])


def many_to_many() -> None:
    User.objects.get(username="ada").groups.add(Group.objects.get(name="Carpenters"))


def delete() -> None:
    Group.objects.filter(name="Carpenters").delete()


@asynccontextmanager
async def listening(app: Starlette, token: MCPToken, *uris: str) -> AsyncIterator[Subscription]:
    async with running(app), mcp_client(app, "2026-07-28", token.token) as client:  # noqa: SIM117
        async with listen(client.session, resource_subscriptions=uris) as subscription:
            yield subscription


async def next_uri(subscription: Subscription) -> str:
    async with asyncio.timeout(5):
        async for event in subscription:
            return str(getattr(event, "uri", event))
    raise AssertionError("The stream ended.")


@pytest.mark.parametrize("change", [save, update, bulk_update, raw_sql, many_to_many, delete])
async def test_a_change_by_any_path_reaches_a_listening_client(
    app: Starlette, token: MCPToken, change: Callable[[], None]
) -> None:
    async with listening(app, token, URI) as subscription:
        await sync_to_async(change)()
        assert await next_uri(subscription) == URI


async def test_a_save_is_told_of_that_row_only(app: Starlette, token: MCPToken) -> None:
    async with listening(app, token, OTHER, URI) as subscription:
        await sync_to_async(save)()
        assert await next_uri(subscription) == URI
        await sync_to_async(Group.objects.filter(name="Painters").update)(name="Painters")
        # Which rows an update() met is not known, so both are told.
        assert {await next_uri(subscription), await next_uri(subscription)} == {URI, OTHER}


async def test_a_list_changes_with_a_new_row(app: Starlette, token: MCPToken) -> None:
    async with listening(app, token, "world://groups", URI) as subscription:
        await Group.objects.acreate(name="Plumbers")
        assert await next_uri(subscription) == "world://groups"


async def test_what_is_rolled_back_is_not_told(app: Starlette, token: MCPToken) -> None:
    def roll_back() -> None:
        with transaction.atomic():
            save()
            transaction.set_rollback(True)

    async with listening(app, token, URI, OTHER) as subscription:
        await sync_to_async(roll_back)()
        await sync_to_async(save_painters)()
        assert await next_uri(subscription) == OTHER


def save_painters() -> None:
    Group.objects.get(name="Painters").save()


async def test_what_the_caller_may_not_read_is_not_honoured(app: Starlette, transactional_db: None) -> None:
    nobody = await sync_to_async(lambda: make_token(make_user("nobody")))()
    async with listening(app, nobody, URI, "world://open") as subscription:
        assert subscription.honored.resource_subscriptions == ["world://open"]


@pytest.mark.parametrize("loss", ["revoked", "permission"])
async def test_a_stream_hears_nothing_after_its_caller_lost_access(
    app: Starlette, token: MCPToken, ada: User, loss: str
) -> None:
    def lose() -> None:
        token.revoke() if loss == "revoked" else ada.user_permissions.clear()

    async with listening(app, token, URI) as subscription:
        await sync_to_async(lose)()
        await sync_to_async(save)()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await anext(aiter(subscription))


async def subscribed(client: Client[Any], notes: Notes) -> None:
    await client.session.subscribe_resource(URI)
    await sync_to_async(save)()
    assert await asyncio.wait_for(notes.uris.get(), 5) == URI
    await client.session.unsubscribe_resource(URI)


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
@pytest.mark.parametrize("transport", ["sse", "2025-11-25"])
async def test_a_client_of_before_is_told_on_its_connection(settings: Any, token: MCPToken, transport: str) -> None:
    settings.MCP_STATELESS_HTTP = False
    app, notes = build_app(make_server()), Notes()
    client = mcp_client(app, transport, token.token)
    client._session_kwargs["message_handler"] = notes
    async with running(app), client:
        await subscribed(client, notes)
