"""Counts the messages in work, which a stop waits for."""

from typing import Any

from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext

from mcp_server.drain import drain


class DrainMiddleware(Middleware):
    """Over SSE the request that brings a message ends before the message is answered; here the answer is known."""

    async def on_request(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        if context.method == "subscriptions/listen":
            return await call_next(context)
        with drain.busy():
            return await call_next(context)
