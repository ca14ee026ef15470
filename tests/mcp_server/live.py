"""A real uvicorn in a process of its own, and clients that reach it over sockets."""

import asyncio
import os
import re
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from django.db import connection
from fastmcp import Client
from fastmcp.client.transports import SSETransport, StreamableHttpTransport

ROOT = Path(__file__).resolve().parents[2]


class LiveServer:
    def __init__(self, process: Process) -> None:
        self.process, self.url, self.log = process, "", ""

    async def started(self) -> None:
        while not (found := re.search(r"Uvicorn running on (http://\S+:\d+)", self.log)):
            await self._more()
        self.url = found[1]
        self.rest = asyncio.create_task(self._all())

    async def ended(self) -> int:
        """Return the exit code; `log` is whole then."""
        await self.rest
        return await self.process.wait()

    async def _all(self) -> None:
        while not self.process.stderr.at_eof():
            await self._more()

    async def _more(self) -> None:
        line = await self.process.stderr.readline()
        assert line or self.url, self.log
        self.log += line.decode()

    def client(self, transport: str, token: str | None) -> Client[Any]:
        headers = {"Authorization": f"Bearer {token}"}
        if transport == "sse":
            return Client(SSETransport(f"{self.url}/mcp/sse", headers=headers))
        mode = "legacy" if transport == "2025-11-25" else "2026-07-28"
        return Client(StreamableHttpTransport(f"{self.url}/mcp", headers=headers), mode=mode)


def live_environment(**more: str) -> dict[str, str]:
    own = {"DJANGO_SETTINGS_MODULE": f"{__package__}.live_settings", "DJANGO_ENV_FILE": os.devnull}
    return {**os.environ, **own, "TEST_DATABASE_NAME": str(connection.settings_dict["NAME"]), **more}


@asynccontextmanager
async def live_server(**environment: str) -> AsyncIterator[LiveServer]:
    command = [sys.executable, "manage.py", "runserver_mcp", "--port", "0"]
    env = live_environment(**environment)
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=env, stdout=DEVNULL, stderr=PIPE)
    server = LiveServer(process)
    try:
        await server.started()
        yield server
    finally:
        if process.returncode is None:
            process.kill()
        await server.ended()
