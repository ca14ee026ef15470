"""Refuses calls above the rate limits with a tool error."""

from typing import Any

from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools import ToolResult
from mcp_types import CallToolRequestParams, TextContent

from mcp_server.context import called_tool, get_mcp_token, get_mcp_user, http_request
from mcp_server.limits import Rule, overall_rules, spend, tool_rules
from mcp_server.orm import in_database
from mcp_server.permissions import AsksItself, UnseenError


class RateLimitMiddleware(Middleware):
    """Refuses calls of a tool once its limit is used up; where there is no HTTP layer, also those over all tools."""

    async def on_call_tool(
        self, context: MiddlewareContext[CallToolRequestParams], call_next: CallNext[Any, Any]
    ) -> Any:
        called = await self._called(context)
        wait = await in_database(_spend, *called) if called else None
        return await call_next(context) if wait is None else _refused(context.message.name, wait)

    async def _called(self, context: MiddlewareContext[CallToolRequestParams]) -> tuple[Any, Any, list[Rule]] | None:
        ctx, name = context.fastmcp_context, context.message.name
        if ctx is None:
            return None
        user, token = await get_mcp_user(ctx), await get_mcp_token(ctx)
        tool = await called_tool(ctx, name)
        rules = list(tool_rules(name, getattr(tool, "rate", ""), user, token))
        rules = rules if http_request() else overall_rules(user, token) + rules
        return (tool, user, rules) if rules else None


def _spend(tool: Any, user: Any, rules: list[Rule]) -> int | None:
    # Whoever may not see a tool neither uses its limit up nor learns of it by calling it too often.
    if isinstance(tool, AsksItself) and not tool.visible_to(user):
        raise UnseenError
    return spend(rules)


def _refused(tool: str, wait: int) -> ToolResult:
    text = TextContent(type="text", text=f"Too many calls of {tool}. Try again in {wait} seconds.")
    return ToolResult(content=[text], meta={"retry_after": wait}, is_error=True)
