"""A load generator over raw sockets that block, so that a client's own time is in no figure."""

import json
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from typing import BinaryIO

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


def rate(load: Load, port: int, *, clients: int, seconds: float) -> float:
    """Return answers per second with this many clients, each waiting for its answer before it asks again."""
    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        counts = list(pool.map(lambda _: _client(load, port, start + seconds), range(clients)))
    return sum(counts) / (time.perf_counter() - start)


def _client(load: Load, port: int, until: float) -> int:
    done = 0
    with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rb") as stream:
        while time.perf_counter() < until:
            connection.sendall(next(load.requests))
            body = _answer(stream)
            if load.expects not in body:
                raise RuntimeError(f"{load.name} answered {body[:500]!r}")
            done += 1
    return done


def _answer(stream: BinaryIO) -> bytes:
    head = b"".join(iter(stream.readline, b"\r\n")).lower()
    if length := re.search(rb"^content-length: (\d+)", head, re.MULTILINE):
        return stream.read(int(length[1]))
    return b"".join(_chunks(stream))


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while size := int(stream.readline(), 16):
        yield stream.read(size)
        stream.readline()
    stream.readline()
