"""Stores one audit row for every call of a tool."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol, runtime_checkable

from django.db import DataError
from django.db import Error as DatabaseError
from fastmcp import Context
from fastmcp.exceptions import NotFoundError
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools import Tool
from mcp_types import CLIENT_INFO_META_KEY, CallToolRequestParams

from mcp_server.conf import setting
from mcp_server.context import called_tool, get_mcp_token, get_mcp_user, http_request
from mcp_server.middleware.errors import correlation_id
from mcp_server.orm import in_database
from mcp_server.permissions import PassesOn, is_read_only
from tokens.audit import build_tool_call, save_tool_calls
from tokens.models import ToolCall

logger = logging.getLogger(__name__)

BATCH = 500


@runtime_checkable
class KnowsSecrets(Protocol):
    """A tool that knows secrets among its arguments by more than their names."""

    def for_audit(self, arguments: Mapping[str, Any]) -> Any: ...


class AuditLog:
    """Rows that wait to be stored together, off the path of the calls they describe; none is dropped."""

    def __init__(self) -> None:
        self._rows: list[ToolCall] = []
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
        rows, self._rows = self._rows, []
        if not rows:
            return
        try:
            await in_database(_save, rows)
        except DatabaseError as error:
            self._rows = rows + self._rows
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
            await audit_log.finish(_store(context, status=status, error=error, duration_ms=seconds * 1000))


async def _store(context: MiddlewareContext[CallToolRequestParams], **outcome: Any) -> None:
    if context.fastmcp_context is None:
        return
    try:
        tool = await called_tool(context.fastmcp_context, context.message.name)
        row = await _row(context.fastmcp_context, context.message, tool, outcome)
        await audit_log.store(row, now=tool is not None and not is_read_only(tool))
    except Exception:
        # The call has happened: its answer must not turn into an error that invites to repeat it.
        logger.exception("The audit row of call %s could not be stored", correlation_id.get())


async def _row(ctx: Context, message: CallToolRequestParams, tool: Tool | None, outcome: dict[str, Any]) -> ToolCall:
    arguments = message.arguments or {}
    if isinstance(tool, PassesOn):
        # The call it passes on has a row of its own, kept by the rules of the tool that is called.
        arguments = {name: value for name, value in arguments.items() if name != "arguments"}
    elif isinstance(tool, KnowsSecrets):
        arguments = tool.for_audit(arguments)
    return build_tool_call(
        user=await get_mcp_user(ctx),
        token=await get_mcp_token(ctx),
        tool=message.name,
        arguments=arguments,
        correlation_id=correlation_id.get(),
        remote_address=_remote_address(),
        **_client_of(ctx),
        **outcome,
    )


def _client_of(ctx: Context) -> dict[str, str]:
    """Return the client's name and version, from the message's own envelope, the handshake or the HTTP header."""
    request = ctx.request_context
    info: Any = (request.meta or {}).get(CLIENT_INFO_META_KEY) if request else None
    if isinstance(info, dict):
        return {"client_name": str(info.get("name", "")), "client_version": str(info.get("version", ""))}
    params = ctx.session.client_params
    if params and params.client_info:
        return {"client_name": params.client_info.name, "client_version": params.client_info.version}
    # Without sessions a handshake is forgotten; what is left is "Name/1.2 (more)".
    over_http = http_request()
    agent = over_http.headers.get("user-agent", "") if over_http else ""
    name, _, version = agent.partition(" ")[0].partition("/")
    return {"client_name": name, "client_version": version}


def _remote_address() -> str | None:
    request = http_request()
    return request.client.host if request and request.client else None


def _text_of(result: Any) -> str:
    return " ".join(getattr(block, "text", "") for block in result.content)
