"""Who is calling: the Django user and the token of the current message."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from fastmcp import Context, FastMCP
from fastmcp.dependencies import CurrentContext, Depends
from fastmcp.exceptions import ToolError
from fastmcp.server.dependencies import get_http_request
from fastmcp.tools import Tool
from starlette.requests import Request

from tokens.models import MCPToken

STATE_KEY_USER = "mcp_user"
STATE_KEY_TOKEN = "mcp_token"  # noqa: S105  (the name of a place, not a secret)

# For synchronous code deep within a call, which has no context to ask.
_token: ContextVar[MCPToken | None] = ContextVar("mcp_token", default=None)
_called: ContextVar[tuple[Context, str, Tool | None] | None] = ContextVar("mcp_called_tool", default=None)


async def get_mcp_user(ctx: Context) -> AbstractBaseUser | None:
    """Return the calling user; None only where MCP_REQUIRE_AUTH is off and no token was sent."""
    user: AbstractBaseUser | None = await ctx.get_state(STATE_KEY_USER)
    return user


async def get_mcp_token(ctx: Context) -> MCPToken | None:
    """Return the token of the call; None as get_mcp_user, or for a caller who came without an MCPToken."""
    token: MCPToken | None = await ctx.get_state(STATE_KEY_TOKEN)
    return token


async def set_caller(ctx: Context, user: AbstractBaseUser | None, token: MCPToken | None) -> None:
    """Say who sent the current message, and with which token."""
    await ctx.set_state(STATE_KEY_USER, user, serializable=False)
    await ctx.set_state(STATE_KEY_TOKEN, token, serializable=False)
    _token.set(token)


def token_has(tool: str) -> bool:
    """Tell whether the token of the current message has a tool, for what another one does in its place."""
    token = _token.get()
    return token is None or token.can_use_tool(tool)


@contextmanager
def looked_up_once() -> Iterator[None]:
    """Let one look-up of the called tool serve all that this call passes through, and no other call."""
    before = _called.set(None)
    try:
        yield
    finally:
        _called.reset(before)


async def called_tool(ctx: Context, name: str) -> Tool | None:
    """Return the tool that a call names."""
    known = _called.get()
    if known is None or known[0] is not ctx or known[1] != name:
        known = (ctx, name, await ctx.fastmcp.get_tool(name))
        _called.set(known)
    return known[2]


def tool_looked_up(server: FastMCP[Any], name: str) -> Tool | None:
    """Return the tool of this name that the middleware asked about in this call, if it did."""
    known = _called.get()
    return known[2] if known is not None and known[0].fastmcp is server and known[1] == name else None


def called_otherwise(server: FastMCP[Any], name: str) -> Context | None:
    """Return the call's context where the middleware asked about another tool than the one that is to run."""
    known = _called.get()
    return known[0] if known is not None and known[0].fastmcp is server and known[1] != name else None


def http_request() -> Request | None:
    """Return the HTTP request that carries the current message; None over stdio and in process."""
    try:
        return get_http_request()
    except RuntimeError:
        return None


async def require_mcp_user(ctx: Context = CurrentContext()) -> AbstractBaseUser:
    """Return the calling user, or raise ToolError when there is none."""
    user = await get_mcp_user(ctx)
    if user is None:
        raise ToolError("This needs a user. Send the header 'Authorization: Bearer <token>' with an MCP token.")
    return user


def CurrentUser() -> Any:
    """Inject the calling user: `def my_tool(sku: str, user: User = CurrentUser())`; never an argument of the tool."""
    return Depends(require_mcp_user)
