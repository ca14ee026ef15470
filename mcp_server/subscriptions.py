"""Tells clients that a resource they subscribed to reads differently now.

2026-07-28 clients open a `subscriptions/listen` stream; clients of before, on a connection that lasts (SSE, stdio,
Streamable HTTP with sessions), call `resources/subscribe`.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from django.db import models
from fastmcp import FastMCP
from fastmcp.exceptions import FastMCPError, NotFoundError
from fastmcp.server.dependencies import get_context
from fastmcp.utilities.components import FastMCPComponent
from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp.shared.subscriptions import ResourceUpdated
from mcp_types import (
    INVALID_PARAMS,
    EmptyResult,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    UnsubscribeRequestParams,
)

from mcp_server.changes import Change, add_receiver
from mcp_server.context import get_mcp_token
from mcp_server.drain import stream_closers
from mcp_server.orm import in_database
from mcp_server.permissions import may_use
from tokens.models import MCPToken
from tokens.narrowing import narrow_user

logger = logging.getLogger(__name__)

MAX_SUBSCRIBERS = 1024
MAX_RESOURCES = 100
NO_CONNECTION = (
    "This connection ends with its answer, so nothing could be sent later. "
    "Use subscriptions/listen of protocol 2026-07-28, or connect over SSE."
)

# A table, and the key of a row in it; None stands for any row.
Watched = Iterable[tuple[str, str | None]]
_watched: dict[str, Callable[[str], Watched]] = {}


def watch(prefix: str, what: type[models.Model] | Callable[[str], Watched]) -> None:
    """Say what resources whose URI begins so are made of: any row of a model, or rows found from the URI."""
    _watched[prefix] = (lambda uri: rows_of(what)) if isinstance(what, type) else what


def rows_of(model: type[models.Model], key: str | None = None) -> Watched:
    """Return the tables that a row of the model (or any) is stored in, its parents' too."""
    stored = [model, *model._meta.all_parents] if hasattr(model._meta, "all_parents") else [model]
    return [(part._meta.db_table, key) for part in stored if not part._meta.proxy] or [(model._meta.db_table, key)]


@runtime_checkable
class KnowsRows(Protocol):
    """A kind of resource that can say of many at once who may read them; asked on a database thread."""

    def readable(self, user: Any, uris: Collection[str]) -> set[str]:
        """Return those of the resources that this user could read now."""

    def ended(self, uris: Collection[str]) -> set[str]:
        """Return those of the resources whose rows are no more."""


@dataclass(eq=False)
class Subscriber:
    """Someone who wants to know, and the token they came with."""

    token: MCPToken | None
    send: Callable[[str], Awaitable[None]]
    watched: dict[str, list[tuple[str, str | None]]] = field(default_factory=dict)
    # Resources they could read once: what happens to them now, their end included, is no news for them.
    lost: set[str] = field(default_factory=set)

    def add(self, *uris: str) -> None:
        """Note what these resources are made of; may run queries."""
        for uri in uris:
            prefix = max((prefix for prefix in _watched if uri.startswith(prefix)), key=len, default=None)
            self.watched[uri] = list(_watched[prefix](uri)) if prefix is not None else []

    def touched_by(self, change: Change) -> list[str]:
        rows = self.watched.items()
        return [uri for uri, watched in rows if any(change.touches(table, key) for table, key in watched)]


Notice = tuple[Subscriber, str]


class Subscriptions:
    """The subscribers of one server in this process."""

    def __init__(self, server: FastMCP[Any]) -> None:
        self._server = server
        self._subscribers: set[Subscriber] = set()
        self._streams: set[ListenHandler] = set()
        self._due: asyncio.Queue[Notice] = asyncio.Queue()
        self._pending: set[Notice] = set()
        handle = server._mcp_server.add_request_handler
        handle("subscriptions/listen", SubscriptionsListenRequestParams, self.listen)
        handle("resources/subscribe", SubscribeRequestParams, self.subscribe)
        handle("resources/unsubscribe", UnsubscribeRequestParams, self.unsubscribe)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver while the server runs; open streams end, and say so, when it stops."""
        loop = asyncio.get_running_loop()
        self._due, self._pending = asyncio.Queue(), set()
        stop_receiving = add_receiver(lambda change: _on_loop(loop, self._on_change, change))
        task = loop.create_task(self._deliver_for_ever())
        stream_closers.add(self.close_streams)
        try:
            yield
        finally:
            stream_closers.discard(self.close_streams)
            stop_receiving()
            self.close_streams()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def close_streams(self) -> None:
        for stream in list(self._streams):
            stream.close()

    async def listen(
        self, ctx: ServerRequestContext[Any, Any], params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        """Serve one subscriptions/listen stream; what the caller may not read is left out of what is honoured."""
        asked = [str(uri) for uri in params.notifications.resource_subscriptions or []]
        readable = [uri for uri in asked[:MAX_RESOURCES] if await self._may_read(uri)]
        wanted = params.notifications.model_copy(update={"resource_subscriptions": readable or None})
        bus = InMemorySubscriptionBus()
        stream = ListenHandler(bus)
        subscriber = Subscriber(await get_mcp_token(get_context()), lambda uri: bus.publish(ResourceUpdated(uri)))
        await in_database(subscriber.add, *readable)
        with self._registered(subscriber):
            self._streams.add(stream)
            try:
                return await stream(ctx, params.model_copy(update={"notifications": wanted}))
            finally:
                self._streams.discard(stream)

    async def subscribe(self, ctx: ServerRequestContext[Any, Any], params: SubscribeRequestParams) -> EmptyResult:
        """Serve resources/subscribe for as long as the connection lasts."""
        uri, connection = str(params.uri), ctx.session._connection
        if not connection.has_standalone_channel:
            raise MCPError(INVALID_PARAMS, NO_CONNECTION)
        if not await self._may_read(uri):
            raise MCPError(INVALID_PARAMS, f"Resource not found: {uri!r}", {"uri": uri})
        subscriber: Subscriber | None = connection.state.get("mcp_subscriber")
        if subscriber is None:
            subscriber = Subscriber(await get_mcp_token(get_context()), ctx.session.send_resource_updated)
            connection.exit_stack.enter_context(self._registered(subscriber))
            connection.state["mcp_subscriber"] = subscriber
        if len(subscriber.watched) >= MAX_RESOURCES:
            raise MCPError(INVALID_PARAMS, f"At most {MAX_RESOURCES} resources; unsubscribe from one first.")
        await in_database(subscriber.add, uri)
        return EmptyResult()

    async def unsubscribe(self, ctx: ServerRequestContext[Any, Any], params: UnsubscribeRequestParams) -> EmptyResult:
        subscriber: Subscriber | None = ctx.session._connection.state.get("mcp_subscriber")
        if subscriber is not None:
            subscriber.watched.pop(str(params.uri), None)
            subscriber.lost.discard(str(params.uri))
        return EmptyResult()

    @contextmanager
    def _registered(self, subscriber: Subscriber) -> Iterator[None]:
        if len(self._subscribers) >= MAX_SUBSCRIBERS:
            raise MCPError(INVALID_PARAMS, "Too many subscriptions are open; try again later.")
        self._subscribers.add(subscriber)
        try:
            yield
        finally:
            self._subscribers.discard(subscriber)

    async def _may_read(self, uri: str) -> bool:
        # Reading it, through all middleware, is the one check that knows every rule, those of single rows included.
        try:
            await self._server.read_resource(uri)
        except (FastMCPError, NotFoundError, MCPError):
            return False
        return True

    def _on_change(self, change: Change) -> None:
        for subscriber in self._subscribers:
            for uri in subscriber.touched_by(change):
                # A notice says "read again": one that waits stands for all that follow.
                if (subscriber, uri) not in self._pending:
                    self._pending.add((subscriber, uri))
                    self._due.put_nowait((subscriber, uri))

    async def _deliver_for_ever(self) -> None:
        while True:
            due = [await self._due.get()]
            while not self._due.empty():
                due.append(self._due.get_nowait())
            self._pending.difference_update(due)
            try:
                groups = await self._grouped(due)
            except Exception:
                logger.exception("Subscribers could not be told that resources changed")
                continue
            for token, component, notices in groups:
                try:
                    await self._deliver(token, component, notices)
                except Exception:
                    logger.exception("A subscriber could not be told that a resource changed")

    async def _grouped(self, due: Iterable[Notice]) -> list[tuple[MCPToken | None, FastMCPComponent, list[Notice]]]:
        """Return the notices by token and kind of resource: each is asked about once, whatever changed meanwhile."""
        groups: dict[Any, tuple[MCPToken | None, FastMCPComponent, list[Notice]]] = {}
        for subscriber, uri in due:
            component = await self._server.get_resource(uri) or await self._server.get_resource_template(uri)
            if component is not None:
                token = subscriber.token
                key = (token and token.pk, component.key)
                groups.setdefault(key, (token, component, []))[2].append((subscriber, uri))
        return list(groups.values())

    async def _deliver(self, token: MCPToken | None, component: FastMCPComponent, notices: list[Notice]) -> None:
        readable, ended = await in_database(_fate, token, component, {uri for _, uri in notices})
        for subscriber, uri in notices:
            if uri in readable:
                subscriber.lost.discard(uri)
            elif uri not in ended:
                subscriber.lost.add(uri)
            if uri not in subscriber.lost and subscriber in self._subscribers:
                await subscriber.send(uri)


def _fate(token: MCPToken | None, component: FastMCPComponent, uris: set[str]) -> tuple[set[str], set[str]]:
    """Return which resources a stream opened with this token could read now, and which nobody can any more.

    It outlives no revocation: without the token, or the right to this kind of resource, there are neither.
    """
    user = None
    if token is not None:
        fresh = MCPToken.objects.select_related("user").filter(pk=token.pk).first()
        if fresh is None or not fresh.is_valid or not getattr(fresh.user, "is_active", True):
            return set(), set()
        user, token = narrow_user(fresh.user, fresh), fresh
    if not may_use(component, user, token):
        return set(), set()
    if not isinstance(component, KnowsRows):
        return uris, set()
    readable = component.readable(user, uris)
    return readable, component.ended(uris - readable) if uris - readable else set()


def _on_loop(loop: asyncio.AbstractEventLoop, function: Callable[[Change], None], change: Change) -> None:
    # The writing thread may be a worker's, or the loop's own; a loop that ended meanwhile needs nothing.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(function, change)
