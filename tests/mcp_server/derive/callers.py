"""People who call derived tools, each through a real client with a token of their own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from fastmcp import Client, FastMCP
from fastmcp.client.client import CallToolResult

from tokens.models import MCPToken


class Caller:
    """An MCP client that acts as one user, or without a token; its calls see the transaction of the test."""

    def __init__(self, server: FastMCP[Any], user: User | None, **token: Any) -> None:
        self.server, self.user = server, user
        self.token = MCPToken.objects.create(user=user, name="test", **token) if user else None

    def call(self, tool: str, **arguments: Any) -> CallToolResult:
        """Call a tool; an error comes back as a result."""

        async def ask() -> CallToolResult:
            async with Client(self.server) as client:
                return await client.call_tool(tool, arguments, raise_on_error=False)

        with self._environment():
            return async_to_sync(ask)()

    def tools(self) -> dict[str, Any]:
        """Return the tools this user sees, by name."""

        async def ask() -> list[Any]:
            async with Client(self.server) as client:
                return await client.list_tools()

        with self._environment():
            return {tool.name: tool for tool in async_to_sync(ask)()}

    def read(self, uri: str) -> Any:
        """Return the text of a resource."""

        async def ask() -> Any:
            async with Client(self.server) as client:
                return (await client.read_resource(uri))[0].text

        with self._environment():
            return async_to_sync(ask)()

    @contextmanager
    def _environment(self) -> Iterator[None]:
        before = os.environ.get("MCP_TOKEN")
        os.environ["MCP_TOKEN"] = (self.token and self.token.token) or ""
        try:
            yield
        finally:
            os.environ.pop("MCP_TOKEN", None)
            if before is not None:
                os.environ["MCP_TOKEN"] = before


def text_of(result: CallToolResult) -> str:
    return " ".join(getattr(block, "text", "") for block in result.content)
