"""The server on standard input and output: nothing there but protocol, and an end when the client is gone."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from asgiref.sync import sync_to_async

from tests.mcp_server.test_matrix import STDIO_SERVER, stdio_environment
from tests.mcp_server.wire import HANDSHAKE, call, initialize
from tokens.models import MCPToken, ToolCall


class Pipe:
    """Speaks the protocol line by line, and keeps every line."""

    def __init__(self, process: Process) -> None:
        self.process, self.lines = process, list[str]()

    def send(self, line: Any) -> None:
        self.process.stdin.write((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n")

    async def answer(self, identity: int = 1) -> Any:
        while True:
            line = (await self.process.stdout.readline()).decode()
            assert line, (await self.process.stderr.read()).decode()
            self.lines.append(line)
            decoded = json.loads(line)
            if decoded.get("id") == identity:
                return decoded

    async def call(self, identity: int, tool: str, **arguments: Any) -> Any:
        self.send(call(HANDSHAKE, tool, **arguments) | {"id": identity})
        return await self.answer(identity)


@asynccontextmanager
async def stdio(token: MCPToken, **environment: str) -> AsyncIterator[Pipe]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *STDIO_SERVER,
        env=stdio_environment(str(token.token)) | environment,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
    )
    pipe = Pipe(process)
    try:
        pipe.send(initialize())
        await pipe.answer()
        pipe.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        yield pipe
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_stdout_carries_protocol_alone_and_ends_with_stdin(token: MCPToken) -> None:
    async with stdio(token, TEST_NOISE="yes", MCP_AUTHENTICATORS="tests.mcp_server.stdio_server.loud") as pipe:
        noisy = await pipe.call(2, "noisy")
        assert noisy["result"]["content"][0]["text"] == "quiet"
        pipe.send(b"this is no protocol")
        pipe.send(b"\xff\xfe")
        pipe.send(b"[" * 100_000 + b"]" * 100_000)
        broken = await pipe.call(3, "broken")
        assert "correlation id" in broken["result"]["content"][0]["text"]
        assert (await pipe.call(4, "create_group", name="Carpenters"))["result"]["isError"] is False
        out, err = await pipe.process.communicate(b"")
    rest = [line for line in out.decode().splitlines() if line]
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in [*pipe.lines, *rest])
    assert pipe.process.returncode == 0
    text = err.decode()
    for noise in ("asked", "printed", "logged to stdout", "written", "by a child"):
        assert noise in text
    assert "the secret ingredient is salt" in text
    assert str(token.token) not in text
    # What only read was stored at the end.
    assert [row.tool async for row in ToolCall.objects.order_by("pk")] == ["noisy", "broken", "create_group"]


async def test_a_token_revoked_while_it_runs_is_refused_from_then_on(token: MCPToken) -> None:
    async with stdio(token, MCP_TOKEN_CACHE_SECONDS="0") as pipe:
        assert (await pipe.call(2, "who_am_i"))["result"]["content"][0]["text"] == "ada"
        await sync_to_async(token.revoke)()
        refused = await pipe.call(3, "who_am_i")
        assert refused["error"]["message"] == "This token was revoked. Ask for a new one."
        pipe.send({"jsonrpc": "2.0", "id": 4, "method": "tools/list", "params": {}})
        assert (await pipe.answer(4))["error"]["message"] == "This token was revoked. Ask for a new one."
