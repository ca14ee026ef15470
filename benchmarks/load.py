"""A load generator over raw sockets, so that a client library's own time is in no figure."""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat

PROTOCOL = "2026-07-28"


@dataclass(frozen=True)
class Load:
    """One kind of request: the bytes to send, time after time, and what must stand in every answer."""

    name: str
    requests: Iterator[bytes]
    expects: bytes


def get(path: str, port: int, expects: bytes) -> Load:
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: application/json\r\n\r\n"
    return Load(path, repeat(head.encode()), expects)


def tool_call(tool: str, arguments: dict[str, object], token: str, port: int, protocol: str = PROTOCOL) -> Load:
    """Return a tools/call: self-contained for 2026-07-28, sessionless handshake era otherwise."""
    modern = protocol == PROTOCOL
    meta = {
        "io.modelcontextprotocol/protocolVersion": PROTOCOL,
        "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": tool, "arguments": arguments} | ({"_meta": meta} if modern else {})
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    lines = [
        "POST /mcp HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        f"Authorization: Bearer {token}",
        "Content-Type: application/json",
        "Accept: application/json, text/event-stream",
        f"MCP-Protocol-Version: {protocol}",
        *(["Mcp-Method: tools/call", f"Mcp-Name: {tool}"] if modern else []),
        f"Content-Length: {len(body)}",
    ]
    request = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    return Load(f"{tool} ({protocol})", repeat(request), b'"isError":false')


async def rate(load: Load, port: int, *, clients: int, seconds: float) -> float:
    """Return answers per second with this many clients, each waiting for its answer before it asks again."""
    until = time.perf_counter() + seconds
    start = time.perf_counter()
    counts = await asyncio.gather(*(_client(load, port, until) for _ in range(clients)))
    return sum(counts) / (time.perf_counter() - start)


async def _client(load: Load, port: int, until: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    done = 0
    while time.perf_counter() < until:
        writer.write(next(load.requests))
        body = await _answer(reader)
        if load.expects not in body:
            raise RuntimeError(f"{load.name} answered {body[:500]!r}")
        done += 1
    writer.close()
    return done


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return await reader.readexactly(int(line.partition(b":")[2]))
    chunks = []
    while size := int(await reader.readline(), 16):
        chunks.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readexactly(2)
    return b"".join(chunks)
