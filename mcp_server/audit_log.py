"""Stores audit rows: those of writes before their answer leaves, those of reads in batches."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from django.db import DataError
from django.db import Error as DatabaseError

from mcp_server.conf import setting
from mcp_server.orm import in_database
from tokens.audit import save_tool_calls
from tokens.models import ToolCall

logger = logging.getLogger(__name__)

BATCH = 500


class AuditLog:
    """Rows that wait to be stored together, off the path of the calls they describe; none is dropped."""

    def __init__(self) -> None:
        # A deque, because database threads put rows back while the event loop adds others.
        self._rows: deque[ToolCall] = deque()
        # One for each server that runs in this process.
        self._writers: set[asyncio.Task[None]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def finish(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this to its end, even when whoever waits for it is cancelled or the server stops meanwhile."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)

    async def store(self, row: ToolCall, *, now: bool) -> None:
        """Store the row before returning, or with the next batch while the writer runs."""
        self._rows.append(row)
        if now or not self._writers or len(self._rows) >= BATCH:
            await self.flush()

    async def flush(self) -> None:
        """Store what waits; while the database is away it waits for the next time."""
        if rows := [self._rows.popleft() for _ in range(len(self._rows))]:
            await in_database(self.store_here, rows)

    def store_here(self, rows: list[ToolCall]) -> None:
        """Store rows on a database thread; while the database is away they wait for the next time."""
        try:
            _save(rows)
        except DatabaseError as error:
            self._rows.extendleft(reversed(rows))
            logger.warning("%d audit rows wait for the database (%s)", len(self._rows), type(error).__name__)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write batches while the server runs, and what is left when it stops."""
        writer = asyncio.create_task(self._write_batches())
        self._writers.add(writer)
        try:
            yield
        finally:
            self._writers.discard(writer)
            writer.cancel()
            with suppress(asyncio.CancelledError):
                await writer
            while self._tasks:
                await asyncio.wait(self._tasks)
            await self.flush()

    async def _write_batches(self) -> None:
        while True:
            await asyncio.sleep(setting("MCP_AUDIT_FLUSH_SECONDS"))
            await self.finish(self.flush())


def _save(rows: list[ToolCall]) -> None:
    try:
        save_tool_calls(rows)
    except DataError:
        # One row no database takes must not hold up the others for ever.
        for row in rows:
            try:
                save_tool_calls([row])
            except DataError:
                logger.exception("The audit row of call %s could not be stored", row.correlation_id)


audit_log = AuditLog()
