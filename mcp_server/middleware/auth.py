"""Authorizes every message: sets user and token, filters lists, gates calls, reads and prompts."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django.contrib.auth.base_user import AbstractBaseUser
from fastmcp import Context
from fastmcp.exceptions import NotFoundError
from fastmcp.server.dependencies import get_access_token
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.utilities.components import FastMCPComponent
from fastmcp.utilities.versions import VersionSpec
from mcp import MCPError
from mcp_types import CallToolRequestParams, GetPromptRequestParams, ReadResourceRequestParams

from mcp_server.auth import DjangoAccessToken, Principal, environment_principal
from mcp_server.conf import setting
from mcp_server.context import called_tool, get_mcp_token, get_mcp_user, http_request, set_caller
from mcp_server.orm import database_thread, in_database
from mcp_server.permissions import (
    AsksItself,
    UnseenError,
    asking_once,
    differs_by_caller,
    has_foreign_backends,
    may_try,
    may_use,
    needs_database,
)
from tokens.auth import MCPAuthError
from tokens.models import MCPToken

UNAUTHORIZED = -32001

R = TypeVar("R")


class HiddenError(NotFoundError):
    """The component exists, but not for this caller, who is told that it is unknown."""


class MCPAuthMiddleware(Middleware):
    """The one layer of authorization, on every transport."""

    async def on_message(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        async with database_thread():
            caller = await _principal()
            user, token = (caller.user, caller.token) if caller else (None, None)
            await set_caller(_context(context), user, token)
            return await call_next(context)

    async def on_list_tools(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        components = await call_next(context)
        user, token = await _caller(_context(context))
        return await _asked(components, lambda: _as_seen(components, user, token))

    on_list_resources = on_list_resource_templates = on_list_prompts = on_list_tools

    async def on_call_tool(
        self, context: MiddlewareContext[CallToolRequestParams], call_next: CallNext[Any, Any]
    ) -> Any:
        name = context.message.name
        await authorize_call(_context(context), name, _version(context))
        try:
            return await call_next(context)
        except UnseenError:
            raise HiddenError(_unknown(name)) from None

    async def on_read_resource(
        self, context: MiddlewareContext[ReadResourceRequestParams], call_next: CallNext[Any, Any]
    ) -> Any:
        ctx, uri, version = _context(context), str(context.message.uri), _version(context)
        found = await ctx.fastmcp.get_resource(uri, version) or await ctx.fastmcp.get_resource_template(uri, version)
        await _gate(ctx, found, f"Unknown resource: {uri!r}")
        return await call_next(context)

    async def on_get_prompt(
        self, context: MiddlewareContext[GetPromptRequestParams], call_next: CallNext[Any, Any]
    ) -> Any:
        ctx, name = _context(context), context.message.name
        await _gate(ctx, await ctx.fastmcp.get_prompt(name, _version(context)), f"Unknown prompt: {name!r}")
        return await call_next(context)


def _context(context: MiddlewareContext[Any]) -> Context:
    if context.fastmcp_context is None:
        raise RuntimeError("A message without a context cannot be authorized.")
    return context.fastmcp_context


async def _principal() -> Principal | None:
    access = get_access_token()
    if isinstance(access, DjangoAccessToken):
        return access.principal.for_one_message()
    if http_request():
        # RequireTokenMiddleware let the request through, so no token was sent; without that setting fail closed.
        if setting("MCP_REQUIRE_AUTH"):
            raise MCPError(code=UNAUTHORIZED, message=str(MCPAuthError("missing")))
        return None
    try:
        return await environment_principal()
    except MCPAuthError as error:
        raise MCPError(code=UNAUTHORIZED, message=str(error)) from None


async def _caller(ctx: Context) -> tuple[AbstractBaseUser | None, MCPToken | None]:
    return await get_mcp_user(ctx), await get_mcp_token(ctx)


def _as_seen(
    components: Iterable[FastMCPComponent], user: AbstractBaseUser | None, token: MCPToken | None
) -> list[FastMCPComponent]:
    with asking_once():
        allowed = [component for component in components if may_use(component, user, token)]
        if user is None:
            return allowed
        return [part.seen_by(user) if differs_by_caller(part) else part for part in allowed]


async def _asked(components: Iterable[FastMCPComponent], answer: Callable[[], R]) -> R:
    """Return what `answer` returns: from a database thread where one of the components may need it."""
    return await in_database(answer) if any(map(needs_database, components)) else answer()


def _version(context: MiddlewareContext[Any]) -> VersionSpec | None:
    """Return the version that is asked for: each has rules of its own."""
    asked = (context.message.meta or {}).get("fastmcp") or {}
    version = asked.get("version")
    if not version:
        return None
    return VersionSpec(**version) if isinstance(version, dict) else VersionSpec(eq=version)


async def authorize_call(ctx: Context, name: str, version: VersionSpec | None) -> None:
    """Raise NotFoundError unless the caller may use this version of a tool."""
    tool = await (called_tool(ctx, name) if version is None else ctx.fastmcp.get_tool(name, version))
    await _gate(ctx, tool, _unknown(name))


def _unknown(tool: str) -> str:
    return f"Unknown tool: {tool!r}"


async def _gate(ctx: Context, component: FastMCPComponent | None, unknown: str) -> None:
    if component is None:
        raise NotFoundError(unknown)
    user, token = await _caller(ctx)
    if isinstance(component, AsksItself) and not has_foreign_backends():
        allowed = may_try(component, user, token)
    else:
        allowed = await _asked([component], lambda: may_use(component, user, token))
    if not allowed:
        raise HiddenError(unknown)
