"""Real clients for every transport, all in this process but stdio."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from fastmcp import Client
from fastmcp.client.messages import MessageHandler
from fastmcp.client.transports import SSETransport, StreamableHttpTransport
from fastmcp.utilities.asgi_transport import StreamingASGITransport
from mcp_types import ResourceUpdatedNotification
from starlette.applications import Starlette

BASE_URL = "http://localhost"
HTTP_TRANSPORTS = ["2026-07-28", "2025-11-25", "sse"]


@asynccontextmanager
async def running(app: Starlette) -> AsyncIterator[Starlette]:
    async with app.router.lifespan_context(app):
        yield app


@asynccontextmanager
async def http(app: Starlette, **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A plain HTTP client of the app."""
    transport = StreamingASGITransport(app, cancel_on_close=False)
    async with httpx2.AsyncClient(transport=transport, base_url=BASE_URL, headers=headers, timeout=10) as client:
        yield client


def mcp_client(
    app: Starlette,
    transport: str,
    token: str | None = None,
    path: str | None = None,
    statuses: list[int] | None = None,
) -> Client[Any]:
    """An MCP client of the app: `transport` is a protocol version served over Streamable HTTP, or "sse".

    The status of every HTTP answer is added to `statuses`.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    def build(**kwargs: Any) -> httpx2.AsyncClient:
        over = StreamingASGITransport(app, cancel_on_close=transport != "sse")
        client = httpx2.AsyncClient(**(kwargs | {"transport": over, "follow_redirects": False}))

        async def note(response: httpx2.Response) -> None:
            (statuses if statuses is not None else []).append(response.status_code)

        client.event_hooks["response"].append(note)
        return client

    if transport == "sse":
        return Client(SSETransport(BASE_URL + (path or "/mcp/sse"), headers=headers, httpx_client_factory=build))
    over_http = StreamableHttpTransport(BASE_URL + (path or "/mcp"), headers=headers, httpx_client_factory=build)
    return Client(over_http, mode="legacy" if transport == "2025-11-25" else "2026-07-28")


class Notes(MessageHandler):
    """Keeps the URIs of the resources that a client of before 2026-07-28 hears of."""

    def __init__(self) -> None:
        super().__init__()
        self.uris: asyncio.Queue[str] = asyncio.Queue()

    async def on_resource_updated(self, message: ResourceUpdatedNotification) -> None:
        self.uris.put_nowait(str(message.params.uri))
