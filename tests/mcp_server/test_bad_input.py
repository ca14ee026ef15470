"""What no client sends by accident: refused with a 4xx, and no more than a line in the log."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from tests.mcp_server.clients import http, running
from tests.mcp_server.wire import ERAS, HANDSHAKE, MODERN, call, headers, initialize, message, post
from tokens.models import MCPToken

DEEP = 100_000
VALID = call(HANDSHAKE, "who_am_i")
BODIES: dict[str, Any] = {
    "nothing": b"",
    "half a message": b'{"jsonrpc": "2.0", "id": 1, "method": "tools/l',
    "words": b"hello",
    "invalid UTF-8": b'{"jsonrpc": "2.0", "id": 1, "method": "\xff\xfe"}',
    "UTF-16": json.dumps(VALID).encode("utf-16"),
    "null bytes": b"\x00" * 100,
    "a null byte inside": json.dumps(VALID).encode().replace(b"jsonrpc", b"json\x00rpc"),
    "a batch": [VALID, VALID],
    "an empty batch": [],
    "a number": 1,
    "a string": "tools/list",
    "null": None,
    "deep lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep arguments": json.dumps(call(HANDSHAKE, "who_am_i", x="DEEP"))
    .encode()
    .replace(b'"DEEP"', b"[" * DEEP + b"]" * DEEP),
    "another version": VALID | {"jsonrpc": "1.0"},
    "no version": {key: value for key, value in VALID.items() if key != "jsonrpc"},
    "a null id": VALID | {"id": None},
    "a list as id": VALID | {"id": [1]},
    "a fraction as id": VALID | {"id": 1.5},
    "a huge number as id": json.dumps(VALID).encode().replace(b'"id": 1', b'"id": ' + b"9" * 5000),
    "a long id": VALID | {"id": "x" * 257},
    "true as id": VALID | {"id": True},
    "half a surrogate pair": json.dumps(VALID).encode().replace(b"who_am_i", rb"who_\ud800"),
    "not a number": json.dumps(VALID).encode().replace(b"{}", b'{"x": NaN}'),
    "infinity": json.dumps(VALID).encode().replace(b"{}", b'{"x": -Infinity}'),
    "a number as method": VALID | {"method": 5},
    "a list as params": VALID | {"params": [1]},
    "5 MB": json.dumps(call(HANDSHAKE, "who_am_i", x="x" * 5_000_000)).encode(),
}


@asynccontextmanager
async def streamable(app: Starlette, token: MCPToken, era: str) -> AsyncIterator[Callable[..., Any]]:
    async with http(app) as client:

        async def send(body: Any, **more: str) -> httpx2.Response:
            return await post(client, era, body, token.token, **more)

        yield send


@asynccontextmanager
async def sse_messages(app: Starlette, token: MCPToken) -> AsyncIterator[Callable[..., Any]]:
    own = {"authorization": f"Bearer {token.token}"}
    async with http(app) as client, client.stream("GET", "/mcp/sse", headers=own) as stream:
        lines = stream.aiter_lines()
        while not (line := await anext(lines)).startswith("data: "):
            pass

        async def send(body: Any, **more: str) -> httpx2.Response:
            return await post(client, HANDSHAKE, body, token.token, line.removeprefix("data: "), **more)

        yield send


def opened(app: Starlette, token: MCPToken, endpoint: str) -> Any:
    return sse_messages(app, token) if endpoint == "sse" else streamable(app, token, endpoint)


def server_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the server itself logged: not the client of the test, not the start and stop of the app."""
    return [
        record.getMessage() + (record.exc_text or "")
        for record in caplog.records
        if not record.name.startswith(("httpx", "httpcore", "asyncio")) and "session manager" not in record.getMessage()
    ]


@pytest.mark.parametrize("endpoint", [*ERAS, "sse"])
@pytest.mark.parametrize("kind", BODIES)
async def test_a_malformed_message_is_the_callers_fault(
    app: Starlette, token: MCPToken, caplog: pytest.LogCaptureFixture, endpoint: str, kind: str
) -> None:
    async with running(app), opened(app, token, endpoint) as send:
        caplog.clear()
        response = await send(BODIES[kind])
        lines = server_lines(caplog)
        assert 400 <= response.status_code < 500
        assert len(lines) <= 1
        assert "Traceback" not in response.text + "".join(lines)
        assert all(record.exc_info is None for record in caplog.records)
        assert len(response.text) < 2000
        # Whatever it was, the next message is answered.
        assert (await send(initialize() if endpoint == "sse" else message(endpoint, "tools/list"))).is_success


@pytest.mark.parametrize("endpoint", [*ERAS, "sse"])
@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json"]
)
async def test_another_content_type_is_refused(
    app: Starlette, token: MCPToken, caplog: pytest.LogCaptureFixture, endpoint: str, content_type: str
) -> None:
    async with running(app), opened(app, token, endpoint) as send:
        caplog.clear()
        response = await send(VALID, **{"content-type": content_type})
        assert 400 <= response.status_code < 500
        assert len(server_lines(caplog)) <= 1


@pytest.mark.parametrize("era", ERAS)
async def test_odd_routing_headers_are_refused(app: Starlette, token: MCPToken, era: str) -> None:
    body = call(era, "who_am_i")
    async with running(app), http(app) as client:
        for name, value in [
            ("accept", "text/html"),
            ("mcp-protocol-version", "1999-01-01"),
            ("mcp-protocol-version", "x" * 5000),
            *([("mcp-method", "tools/list"), ("mcp-name", "touch")] if era == MODERN else []),
        ]:
            response = await post(client, era, body, token.token, **{name: value})
            assert 400 <= response.status_code < 500, (name, value)


@pytest.mark.parametrize("era", ERAS)
async def test_unknown_methods_are_errors_of_the_protocol(app: Starlette, token: MCPToken, era: str) -> None:
    async with running(app), http(app) as client:
        for method in ("tools/destroy", "", "initialize\x00", "../../etc/passwd"):
            response = await post(client, era, message(era, method), token.token, **{"mcp-method": ""})
            assert response.status_code < 500
            assert "result" not in response.text


async def test_a_client_that_goes_away_in_the_middle_of_its_message_leaves_no_trace(
    app: Starlette, token: MCPToken, caplog: pytest.LogCaptureFixture
) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return next(parts)

    async def send(part: Any) -> None:
        sent.append(part)

    for path in ("/mcp", "/mcp/messages/"):
        parts = iter([{"type": "http.request", "body": b'{"json', "more_body": True}, {"type": "http.disconnect"}])
        raw = [
            (b"host", b"localhost"),
            *((k.encode(), v.encode()) for k, v in headers(HANDSHAKE, None, token.token).items()),
        ]
        scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": raw, "scheme": "http"}
        async with running(app):
            await app(scope | {"client": ("127.0.0.1", 1), "server": ("localhost", 80)}, receive, send)
        assert sent == []
        assert server_lines(caplog) == []
