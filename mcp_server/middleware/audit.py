"""Stores one audit row for every call of a tool."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, ParamSpec, Protocol, TypeVar, runtime_checkable

from fastmcp import Context
from fastmcp.exceptions import NotFoundError
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from mcp_types import CLIENT_INFO_META_KEY, CallToolRequestParams

from mcp_server.audit_log import audit_log
from mcp_server.context import called_tool, get_mcp_token, get_mcp_user, http_request, looked_up_once
from mcp_server.middleware.errors import correlation_id
from mcp_server.orm import in_database
from mcp_server.permissions import PassesOn, is_read_only
from tokens.audit import amend_tool_call, build_tool_call
from tokens.models import ToolCall

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger(__name__)

WENT_AWAY = "The caller went away."


@runtime_checkable
class KnowsSecrets(Protocol):
    """A tool that knows secrets among its arguments by more than their names."""

    def for_audit(self, arguments: Mapping[str, Any]) -> Any: ...


class AuditedCall:
    """One call; the tool on its own visit to the database, or else the middleware, takes it and stores its row."""

    def __init__(self, context: Context, message: CallToolRequestParams) -> None:
        self.context, self.message = context, message
        self.start = time.perf_counter()
        self.row: ToolCall | None = None
        self._taken = threading.Lock()

    def take(self) -> bool:
        return self._taken.acquire(blocking=False)

    async def is_write(self) -> bool:
        tool = await called_tool(self.context, self.message.name)
        return tool is not None and not is_read_only(tool)

    async def facts(self) -> dict[str, Any]:
        """Return what the row says whatever comes of the call."""
        return {
            "user": await get_mcp_user(self.context),
            "token": await get_mcp_token(self.context),
            "tool": self.message.name,
            "arguments": await self._arguments(),
            "correlation_id": correlation_id.get(),
            "remote_address": _remote_address(),
            **_client_of(self.context),
        }

    def build(self, facts: Mapping[str, Any], status: ToolCall.Status, error: str = "") -> ToolCall:
        milliseconds = (time.perf_counter() - self.start) * 1000
        return build_tool_call(**facts, status=status, error=error, duration_ms=milliseconds)

    async def _arguments(self) -> Any:
        tool, arguments = await called_tool(self.context, self.message.name), self.message.arguments or {}
        if isinstance(tool, PassesOn):
            # The call it passes on has a row of its own, kept by the rules of the tool that is called.
            return {name: value for name, value in arguments.items() if name != "arguments"}
        return tool.for_audit(arguments) if isinstance(tool, KnowsSecrets) else arguments

    def store_here(self, facts: Mapping[str, Any]) -> None:
        """Store the row of a call that did its work, on the database thread it did it on."""
        try:
            self.row = self.build(facts, ToolCall.Status.OK)
            audit_log.store_here([self.row])
        except Exception:
            self.not_stored()

    async def end(self, status: ToolCall.Status, error: str) -> None:
        """Store the row, or say in the one that is stored how the call ended."""
        try:
            if self.take():
                await audit_log.store(self.build(await self.facts(), status, error), now=await self.is_write())
            elif self.row is not None and status != self.row.status and error != WENT_AWAY:
                await in_database(amend_tool_call, self.row, status=status, error=error)
        except Exception:
            self.not_stored()

    def not_stored(self) -> None:
        # The call has happened: its answer must not turn into an error that invites to repeat it.
        logger.exception("The audit row of call %s could not be stored", correlation_id.get())


_call: ContextVar[AuditedCall | None] = ContextVar("mcp_audited_call", default=None)


async def audited(work: Callable[P, R]) -> Callable[P, R]:
    """Return all the synchronous work of a tool so that it also stores its audit row, if the tool writes.

    Another visit to the database for the row alone costs more than the row.
    """
    call = _call.get()
    if call is None or not await call.is_write():
        return work
    try:
        facts = await call.facts()
    except Exception:
        # The middleware will find the same and log it; the work is to be done all the same.
        return work

    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        result = work(*args, **kwargs)
        if not getattr(result, "is_error", False) and call.take():
            call.store_here(facts)
        return result

    return run


class AuditMiddleware(Middleware):
    async def on_call_tool(
        self, context: MiddlewareContext[CallToolRequestParams], call_next: CallNext[Any, Any]
    ) -> Any:
        if context.fastmcp_context is None:
            return await call_next(context)
        with looked_up_once():
            return await self._audited(AuditedCall(context.fastmcp_context, context.message), context, call_next)

    async def _audited(
        self, call: AuditedCall, context: MiddlewareContext[CallToolRequestParams], call_next: CallNext[Any, Any]
    ) -> Any:
        before, status, error = _call.set(call), ToolCall.Status.ERROR, WENT_AWAY
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
            _call.reset(before)
            await audit_log.finish(call.end(status, error))


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
