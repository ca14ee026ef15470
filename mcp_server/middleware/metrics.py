"""Counts calls and sessions."""

import time
from typing import Any

from fastmcp.exceptions import NotFoundError
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from mcp_types import CallToolRequestParams

from mcp_server.metrics import ACTIVE_SESSIONS, UNKNOWN_TOOL, record_tool_call
from mcp_server.middleware.auth import HiddenError


class MetricsMiddleware(Middleware):
    async def on_call_tool(
        self, context: MiddlewareContext[CallToolRequestParams], call_next: CallNext[Any, Any]
    ) -> Any:
        tool, status, start = context.message.name, "error", time.perf_counter()
        try:
            result = await call_next(context)
            status = "error" if getattr(result, "is_error", False) else "ok"
        except HiddenError:
            status = "denied"
            raise
        except NotFoundError:
            tool = UNKNOWN_TOOL
            raise
        else:
            return result
        finally:
            record_tool_call(tool, status, time.perf_counter() - start)

    async def on_initialize(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        result = await call_next(context)
        if context.fastmcp_context is not None:
            ACTIVE_SESSIONS.inc()
            # The stack is unwound when the connection ends, however it ends.
            context.fastmcp_context.session._connection.exit_stack.callback(ACTIVE_SESSIONS.dec)
        return result
