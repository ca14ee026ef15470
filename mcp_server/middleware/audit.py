"""Stores one audit row for every call of a tool."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from django.db import Error as DatabaseError
from fastmcp import Context
from fastmcp.exceptions import NotFoundError
from fastmcp.server.dependencies import get_http_request
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from mcp_types import CLIENT_INFO_META_KEY, CallToolRequestParams

from mcp_server.conf import setting
from mcp_server.context import get_mcp_token, get_mcp_user
from mcp_server.middleware.errors import correlation_id
from mcp_server.orm import in_database
from mcp_server.permissions import is_read_only
from tokens.audit import build_tool_call, save_tool_calls
from tokens.models import ToolCall

logger = logging.getLogger(__name__)

BATCH = 500


class AuditLog:
    """Rows that wait to be stored together, off the path of the calls they describe; none is dropped."""

    def __init__(self) -> None:
        self._rows: list[ToolCall] = []
        self._task: asyncio.Task[None] | None = None

    async def store(self, row: ToolCall, *, now: bool) -> None:
        """Store the row before returning, or with the next batch while the writer runs."""
        self._rows.append(row)
        if now or self._task is None or len(self._rows) >= BATCH:
            try:
                await self.flush()
            except DatabaseError:
                # The call has happened and is answered; its row waits for the next batch.
                logger.warning("%d audit rows wait for the database", len(self._rows))

    async def flush(self) -> None:
        rows, self._rows = self._rows, []
        if not rows:
            return
        try:
            await in_database(save_tool_calls, rows)
        except DatabaseError:
            # Kept for the next time: the database is away, the calls have happened.
            self._rows = rows + self._rows
            raise

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write batches while the server runs, and what is left when it stops."""
        self._task = asyncio.create_task(self._write_batches())
        try:
            yield
        finally:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
            await self.flush()

    async def _write_batches(self) -> None:
        while True:
            await asyncio.sleep(setting("MCP_AUDIT_FLUSH_SECONDS"))
            try:
                # A batch being written is finished even when the server stops meanwhile.
                await asyncio.shield(self.flush())
            except DatabaseError:
                logger.warning("%d audit rows wait for the database", len(self._rows))


audit_log = AuditLog()


class AuditMiddleware(Middleware):
    async def on_call_tool(
        self, context: MiddlewareContext[CallToolRequestParams], call_next: CallNext[Any, Any]
    ) -> Any:
        start, status, error = time.perf_counter(), ToolCall.Status.ERROR, "The caller went away."
        try:
            result = await call_next(context)
            failed = getattr(result, "is_error", False)
            status, error = (ToolCall.Status.ERROR, _text_of(result)) if failed else (ToolCall.Status.OK, "")
        except NotFoundError as failure:
            status, error = ToolCall.Status.DENIED, str(failure)
            raise
        except Exception as failure:
            error = str(failure)
            raise
        else:
            return result
        finally:
            seconds = time.perf_counter() - start
            await asyncio.shield(_store(context, status=status, error=error, duration_ms=seconds * 1000))


async def _store(context: MiddlewareContext[CallToolRequestParams], **outcome: Any) -> None:
    ctx = context.fastmcp_context
    if ctx is None:
        return
    row = build_tool_call(
        user=await get_mcp_user(ctx),
        token=await get_mcp_token(ctx),
        tool=context.message.name,
        arguments=context.message.arguments,
        correlation_id=correlation_id.get(),
        remote_address=_remote_address(),
        **_client_of(ctx),
        **outcome,
    )
    tool = await ctx.fastmcp.get_tool(context.message.name)
    await audit_log.store(row, now=tool is not None and not is_read_only(tool))


def _client_of(ctx: Context) -> dict[str, str]:
    """Return the client's name and version, from the handshake or from the message's own envelope."""
    request = ctx.request_context
    info: Any = (request.meta or {}).get(CLIENT_INFO_META_KEY) if request else None
    if isinstance(info, dict):
        return {"client_name": str(info.get("name", "")), "client_version": str(info.get("version", ""))}
    params = ctx.session.client_params
    known = params.client_info if params else None
    return {"client_name": known.name, "client_version": known.version} if known else {}


def _remote_address() -> str | None:
    try:
        client = get_http_request().client
    except RuntimeError:
        return None
    return client.host if client else None


def _text_of(result: Any) -> str:
    return " ".join(getattr(block, "text", "") for block in result.content)
