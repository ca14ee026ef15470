"""Answers 429 at the HTTP layer to requests above the rate limits."""

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.limits import Rule, overall_rules, spend
from mcp_server.orm import in_database


class HttpRateLimitMiddleware:
    """Answers 429 with Retry-After once a user's or a token's messages are used up; comes after authentication."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        rules = self._rules(scope)
        wait = await in_database(spend, rules) if rules else None
        if wait is None:
            await self.app(scope, receive, send)
            return
        text = f"Too many requests. Try again in {wait} seconds."
        body = {"error": "too_many_requests", "error_description": text}
        await JSONResponse(body, status_code=429, headers={"Retry-After": str(wait)})(scope, receive, send)

    def _rules(self, scope: Scope) -> list[Rule]:
        # Only what carries a message counts: streams that a client listens on are no calls.
        if scope["type"] != "http" or scope["method"] != "POST":
            return []
        principal = getattr(getattr(scope.get("user"), "access_token", None), "principal", None)
        return overall_rules(principal.user, principal.token) if principal else []
