"""Carries changes between processes with PostgreSQL's NOTIFY, where MCP_BROKER says so."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from django.db import connection

from mcp_server.changes import CHANNEL, Change, announce
from mcp_server.conf import setting
from mcp_server.orm import in_database

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5.0


@asynccontextmanager
async def changes_of_other_processes() -> AsyncIterator[None]:
    """Listen for changes while the server runs; does nothing unless MCP_BROKER is "postgres"."""
    if setting("MCP_BROKER") != "postgres":
        yield
        return
    task = asyncio.create_task(_listen_for_ever(await in_database(_parameters)))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _parameters() -> dict[str, Any]:
    # What Django adds for its own synchronous connections does not fit an asynchronous one.
    parameters = connection.get_connection_params()
    return {name: value for name, value in parameters.items() if name not in {"cursor_factory", "context"}}


async def _listen_for_ever(parameters: dict[str, Any]) -> None:
    import psycopg

    while True:
        try:
            async with await psycopg.AsyncConnection.connect(**parameters, autocommit=True) as listener:
                await listener.execute(f"LISTEN {CHANNEL}")
                async for notice in listener.notifies():
                    table, rows = json.loads(notice.payload)
                    announce(Change(table, None if rows is None else tuple(rows)))
        except psycopg.OperationalError:
            logger.warning("The connection that listens for changes was lost; trying again in %s s", RETRY_SECONDS)
        await asyncio.sleep(RETRY_SECONDS)
