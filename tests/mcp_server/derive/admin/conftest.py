"""A server with nothing but the admin's tools, and callers of several ranks."""

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from fastmcp import Client, FastMCP

from mcp_server.derive.admin import register_admin_tools
from mcp_server.server import create_server
from tests.factories import make_user
from tokens.models import MCPToken

VERBS = ("view", "add", "change", "delete")
MODELS = ("category", "supplier", "tag", "product", "stockadjustment", "order", "orderline")
VIEW_ALL = tuple(f"shop.view_{model}" for model in MODELS)
FULL = tuple(f"shop.{verb}_{model}" for verb in VERBS for model in MODELS)


class Caller:
    """One user with a token, calling through a real client."""

    def __init__(self, server: FastMCP[Any], user: User, **token: Any) -> None:
        self.server, self.user = server, user
        self.token = MCPToken.objects.create(user=user, name="agent", **token)
        self.bytes = self.calls = 0

    def tools(self) -> dict[str, Any]:
        return {tool.name: tool for tool in self._ask(lambda client: client.list_tools())}

    def call(self, tool: str, **arguments: Any) -> Any:
        """Return the structured content; a refusal is an AssertionError with its text."""
        result = self.result(tool, **arguments)
        assert not result.is_error, text_of(result)
        return result.structured_content

    def refused(self, tool: str, **arguments: Any) -> str:
        result = self.result(tool, **arguments)
        assert result.is_error, result.structured_content
        return text_of(result)

    def result(self, tool: str, **arguments: Any) -> Any:
        return self._ask(lambda client: client.call_tool(tool, arguments, raise_on_error=False))

    def _ask(self, question: Any) -> Any:
        async def ask() -> Any:
            async with Client(self.server) as client:
                return await question(client)

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MCP_TOKEN", self.token.token)
            return async_to_sync(ask)()


def text_of(result: Any) -> str:
    return " ".join(getattr(block, "text", "") for block in result.content)


@pytest.fixture(scope="session")
def server() -> FastMCP[Any]:
    mcp = create_server()
    register_admin_tools(mcp)
    return mcp


@pytest.fixture
def caller(server: FastMCP[Any], db: None) -> Any:
    def make(username: str = "ada", *permissions: str, token: dict[str, Any] | None = None, **kind: Any) -> Caller:
        return Caller(server, make_user(username, *permissions, **{"staff": True, **kind}), **(token or {}))

    return make


@pytest.fixture
def boss(caller: Any) -> Caller:
    return caller("boss", superuser=True)
