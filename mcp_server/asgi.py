"""The ASGI app: health, metrics, Streamable HTTP, SSE, and Django's pages where wanted."""

import gc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from fastmcp import FastMCP
from fastmcp.server.http import StarletteWithLifespan, create_sse_app, create_streamable_http_app
from mcp.server.transport_security import RequestBodyLimitMiddleware
from mcp.shared.inbound import X_MCP_HEADER_KEY
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.conf import setting
from mcp_server.drain import InFlightMiddleware, drain
from mcp_server.envelope import EnvelopeMiddleware
from mcp_server.health import health, metrics, ready

MCP_PATH = "/mcp"
SSE_PATH = "/mcp/sse"
MESSAGE_PATH = "/mcp/messages"
MAX_BODY_BYTES = 4 * 1024 * 1024
GC_OBJECTS = 10_000


class Transports:
    """Sends each request to the transport that owns its path; a trailing slash makes no difference and no redirect."""

    def __init__(self, streamable: ASGIApp, sse: ASGIApp | None, other: ASGIApp | None) -> None:
        self.streamable, self.sse, self.other = streamable, sse, other

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].rstrip("/")
        if path == MCP_PATH or path.startswith("/.well-known/oauth-protected-resource"):
            await self.streamable({**scope, "path": path}, receive, send)
        elif self.sse and path == SSE_PATH:
            await self.sse({**scope, "path": path}, receive, send)
        elif self.sse and path == MESSAGE_PATH:
            await self.sse({**scope, "path": f"{path}/"}, receive, send)
        elif self.other and not path.startswith(f"{MCP_PATH}/"):
            await self.other(scope, receive, send)
        else:
            await _not_found(scope, receive, send)


def build_app(server: FastMCP[Any], django: ASGIApp | None = None) -> Starlette:
    """Return the ASGI app that serves this server on every transport, with one lifespan.

    `django` answers all other paths when MCP_MOUNT_DJANGO says so (by default: when DEBUG is on).
    Raises ImproperlyConfigured where callers would need no token outside development.
    """
    if not settings.DEBUG and not setting("MCP_REQUIRE_AUTH"):
        raise ImproperlyConfigured("MCP_REQUIRE_AUTH is off and DEBUG too: anyone could call. Turn one of them on.")
    streamable, sse = _streamable(server), _sse(server) if setting("MCP_ENABLE_SSE") else None

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for part in filter(None, (streamable, sse)):
                await stack.enter_async_context(part.lifespan(part))
            await stack.enter_async_context(drain.on_stop())
            await look_schemas_up_directly(server)
            # What exists now lives as long as the process: collections need not walk over it again. A call makes some
            # thousand objects, most of which die with it; a collection in the middle of each would find them alive.
            gc.collect()
            gc.freeze()
            if 0 < gc.get_threshold()[0] < GC_OBJECTS:
                gc.set_threshold(GC_OBJECTS)
            yield

    mount_django = settings.DEBUG if setting("MCP_MOUNT_DJANGO") is None else setting("MCP_MOUNT_DJANGO")
    transports = InFlightMiddleware(Transports(streamable, sse, django if mount_django else None))
    routes = [
        Route(f"{MCP_PATH}/health", health),
        Route(f"{MCP_PATH}/ready", ready),
        Route(f"{MCP_PATH}/metrics", metrics),
        Mount("/", transports),
    ]
    return Starlette(routes=routes, lifespan=lifespan, middleware=_cors())


async def look_schemas_up_directly(server: FastMCP[Any]) -> None:
    """Spare 2026-07-28 calls the tools/list, through all middleware, that the SDK runs to find one tool's schema.

    The schemas serve to check Mcp-Param headers against declarations; nothing of them reaches a caller.
    """
    tools = await server.list_tools(run_middleware=False)
    # One without such declarations would be walked through at every call, and nothing found.
    schemas = {tool.name: tool.parameters if X_MCP_HEADER_KEY in str(tool.parameters) else {} for tool in tools}
    server._mcp_server.get_tool_input_schema = schemas.get


def _streamable(server: FastMCP[Any]) -> StarletteWithLifespan:
    return create_streamable_http_app(
        server,
        MCP_PATH,
        stateless_http=setting("MCP_STATELESS_HTTP"),
        json_response=setting("MCP_JSON_RESPONSE"),
        **_guard(server),
    )


def _sse(server: FastMCP[Any]) -> StarletteWithLifespan:
    return create_sse_app(server, f"{MESSAGE_PATH}/", SSE_PATH, **_guard(server))


def _guard(server: FastMCP[Any]) -> dict[str, Any]:
    # DNS rebinding: Host and Origin are checked on both transports, by the names Django answers to.
    options: dict[str, Any] = {
        "host_origin_protection": True,
        "allowed_hosts": [pattern for host in settings.ALLOWED_HOSTS for pattern in _patterns(host)],
        "allowed_origins": setting("MCP_ALLOWED_ORIGINS"),
    }
    # Behind authentication, so that nobody else makes the server read a body.
    middleware = [Middleware(RequestBodyLimitMiddleware, max_body_size=MAX_BODY_BYTES), Middleware(EnvelopeMiddleware)]
    if setting("MCP_REQUIRE_AUTH") or server.auth is None:
        return options | {"auth": server.auth, "middleware": middleware}
    # Given as `auth`, FastMCP would refuse callers without a token; the middleware alone still refuses bad ones.
    return options | {"middleware": server.auth.get_middleware() + middleware}


def _patterns(host: str) -> list[str]:
    return [host.removeprefix("."), f"*{host}"] if host.startswith(".") else [host]


def _cors() -> list[Middleware]:
    origins = setting("MCP_ALLOWED_ORIGINS")
    if not origins:
        return []
    options = {"allow_origins": origins, "allow_methods": ["*"], "allow_headers": ["*"]}
    return [Middleware(CORSMiddleware, **options, expose_headers=["Mcp-Session-Id", "WWW-Authenticate", "Retry-After"])]


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    response = JSONResponse({"error": "not_found", "error_description": f"MCP is served at {MCP_PATH}."}, 404)
    await response(scope, receive, send)
