"""Turns an answer too big for clients and models into an error that says how to ask for less."""

from collections.abc import Collection
from typing import Any

import pydantic_core
from fastmcp.exceptions import ToolError
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools import Tool, ToolResult
from mcp_types import CallToolRequestParams

from mcp_server.conf import setting
from mcp_server.context import called_tool
from mcp_server.permissions import is_read_only

# Arguments by which tools give less, and what to tell a caller who did not use them.
ADVICE = {"limit": "a smaller limit", "fields": "fewer fields"}


class ResultSizeMiddleware(Middleware):
    """Innermost, so that audit and metrics see the error that the client sees."""

    async def on_call_tool(
        self, context: MiddlewareContext[CallToolRequestParams], call_next: CallNext[Any, Any]
    ) -> Any:
        result, limit = await call_next(context), setting("MCP_MAX_RESULT_BYTES")
        if not limit or not isinstance(result, ToolResult) or (size := size_of(result)) <= limit:
            return result
        ctx = context.fastmcp_context
        raise ToolError(too_big_text(size, limit, await called_tool(ctx, context.message.name) if ctx else None))


def size_of(result: ToolResult) -> int:
    """Return the size in bytes; text and structured content say the same twice, so the bigger of them counts."""
    return max(len(pydantic_core.to_json(part, fallback=str)) for part in (result.content, result.structured_content))


def too_big_text(size: int, limit: int, tool: Tool | None) -> str:
    parameters: Collection[str] = (tool.parameters if tool else {}).get("properties", {})
    advice = [text for name, text in ADVICE.items() if name in parameters] or ["a narrower selection"]
    text = f"The answer has {size} bytes, and at most {limit} can be sent. Ask for less: {' or '.join(advice)}."
    if tool is not None and not is_read_only(tool):
        # An error reads as if nothing had happened.
        return f"What you asked for was done; do not repeat the call. {text}"
    return text
