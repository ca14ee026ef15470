"""Messages as bytes on the wire, for what a real client would never send."""

import json
from typing import Any

import httpx2

HANDSHAKE, MODERN = "2025-11-25", "2026-07-28"
ERAS = [HANDSHAKE, MODERN]
CLIENT = {"name": "bench", "version": "1.2"}


def message(era: str, method: str, **params: Any) -> dict[str, Any]:
    """A JSON-RPC request as a client of this era sends it."""
    if era == MODERN:
        params["_meta"] = {
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientInfo": CLIENT,
            "io.modelcontextprotocol/clientCapabilities": {},
        }
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def call(era: str, tool: str, **arguments: Any) -> dict[str, Any]:
    return message(era, "tools/call", name=tool, arguments=arguments)


def initialize(**extra: Any) -> dict[str, Any]:
    params = {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": CLIENT}
    return message(HANDSHAKE, "initialize", **params, **extra)


def headers(era: str, body: Any = None, token: str | None = None) -> dict[str, str]:
    """The headers that go with a message of this era."""
    sent = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": era,
    }
    if token:
        sent["authorization"] = f"Bearer {token}"
    if era == MODERN and isinstance(body, dict):
        sent["mcp-method"] = str(body.get("method"))
        params = body.get("params")
        sent["mcp-name"] = str(params.get("name", "")) if isinstance(params, dict) else ""
    return sent


async def post(
    client: httpx2.AsyncClient, era: str, body: Any, token: str | None = None, path: str = "/mcp", **more: str
) -> httpx2.Response:
    """Post a message, or bytes as they are."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await client.post(path, content=content, headers=headers(era, body, token) | more)


def answer(response: httpx2.Response) -> dict[str, Any]:
    """The JSON-RPC message in an answer, whether it came as JSON or as one event."""
    lines = [line for line in response.text.splitlines() if line.startswith("data: {")]
    decoded: dict[str, Any] = json.loads(lines[-1].removeprefix("data: ") if lines else response.text)
    return decoded
