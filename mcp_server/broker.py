"""Carries changes between processes, where MCP_BROKER says how: PostgreSQL's NOTIFY, or the channels of a Redis."""

import asyncio
import json
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import cache
from typing import Any
from uuid import uuid4

from django.db import connection

from mcp_server.changes import CHANNEL, REDIS, Change, announce
from mcp_server.conf import setting
from mcp_server.orm import in_database

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5.0
# A write must not wait long for a Redis that does not answer.
PUBLISH_SECONDS = 1.0
HERE = uuid4().hex


@asynccontextmanager
async def changes_of_other_processes() -> AsyncIterator[None]:
    """Listen for changes while the server runs, if MCP_BROKER is "postgres" or the URL of a Redis."""
    broker = setting("MCP_BROKER")
    if broker == "postgres":
        listening = _for_ever(_listen_to_postgres, await in_database(_parameters))
    elif broker.startswith(REDIS):
        listening = _for_ever(_listen_to_redis, broker)
    else:
        yield
        return
    task = asyncio.create_task(listening)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _for_ever(listen: Callable[[Any], Coroutine[Any, Any, None]], address: Any) -> None:
    while True:
        try:
            await listen(address)
        except ConnectionError:
            logger.warning("The connection that listens for changes was lost; trying again in %s s", RETRY_SECONDS)
        await asyncio.sleep(RETRY_SECONDS)


def _parameters() -> dict[str, Any]:
    # What Django adds for its own synchronous connections does not fit an asynchronous one.
    parameters = connection.get_connection_params()
    return {name: value for name, value in parameters.items() if name not in {"cursor_factory", "context"}}


async def _listen_to_postgres(parameters: dict[str, Any]) -> None:
    import psycopg

    try:
        async with await psycopg.AsyncConnection.connect(**parameters, autocommit=True) as listener:
            await listener.execute(f"LISTEN {CHANNEL}")
            async for notice in listener.notifies():
                _announce(*json.loads(notice.payload))
    except psycopg.OperationalError as error:
        raise ConnectionError from error


async def _listen_to_redis(url: str) -> None:
    from redis.asyncio import Redis
    from redis.exceptions import RedisError

    try:
        async with Redis.from_url(url) as client, client.pubsub(ignore_subscribe_messages=True) as listener:
            await listener.subscribe(_channel())
            async for message in listener.listen():
                sender, table, rows = json.loads(message["data"])
                if sender != _sender():
                    _announce(table, rows)
    except RedisError as error:
        raise ConnectionError from error


def _announce(table: str, rows: list[str] | None) -> None:
    announce(Change(table, None if rows is None else tuple(rows)))


def publish(change: Change) -> None:
    """Tell all other processes through the Redis of MCP_BROKER; while it is away they are not told."""
    _publisher(setting("MCP_BROKER")).publish(change)


class Publisher:
    """Publishes changes to one Redis; after a failure it leaves it alone for a while."""

    def __init__(self, url: str) -> None:
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        # Once more at once, because a connection that was kept may have died meanwhile.
        patience: dict[str, Any] = {"retry": Retry(NoBackoff(), 1), "socket_connect_timeout": PUBLISH_SECONDS}
        self.client: Any = Redis.from_url(url, socket_timeout=PUBLISH_SECONDS, **patience)
        self.away_until = 0.0

    def publish(self, change: Change) -> None:
        from redis.exceptions import RedisError

        if time.monotonic() < self.away_until:
            return
        try:
            self.client.publish(_channel(), json.dumps([_sender(), change.table, change.rows]))
        except RedisError as error:
            self.away_until = time.monotonic() + RETRY_SECONDS
            logger.warning("Other processes are not told of changes: Redis is away (%s)", type(error).__name__)


_publisher = cache(Publisher)


def _channel() -> str:
    # One Redis may serve several projects.
    return f"{CHANNEL}:{setting('MCP_SERVER_NAME')}"


def _sender() -> str:
    # Not made once: a process may be forked from one that has published already.
    return f"{HERE}-{os.getpid()}"
