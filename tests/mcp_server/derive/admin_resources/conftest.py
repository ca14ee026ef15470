"""A server with everything the admin gives, and people who read, run and complete through a real client."""

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from fastmcp import Client, FastMCP
from mcp import MCPError
from mcp_types import PromptReference, ResourceTemplateReference

from mcp_server.derive.admin import register_admin_tools
from mcp_server.server import create_server
from tests.factories import make_user
from tokens.models import MCPToken

MODELS = ("category", "supplier", "tag", "product", "stockadjustment", "order", "orderline")
VIEW_ALL = tuple(f"shop.view_{model}" for model in MODELS)
FULL = tuple(f"shop.{verb}_{model}" for verb in ("view", "add", "change", "delete") for model in MODELS)


class Person:
    """One user with a token of their own, one session a question."""

    def __init__(self, server: FastMCP[Any], user: User, **token: Any) -> None:
        self.server, self.user = server, user
        self.token = MCPToken.objects.create(user=user, name="Claude", **token)

    def ask(self, question: Any) -> Any:
        async def session() -> Any:
            async with Client(self.server) as client:
                return await question(client)

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MCP_TOKEN", self.token.token)
            return async_to_sync(session)()

    def call(self, tool: str, **arguments: Any) -> Any:
        return self.ask(lambda client: client.call_tool(tool, arguments)).structured_content

    def refused(self, tool: str, **arguments: Any) -> str:
        result = self.ask(lambda client: client.call_tool(tool, arguments, raise_on_error=False))
        assert result.is_error
        return str(result.content[0].text)

    def tools(self) -> dict[str, Any]:
        return {tool.name: tool for tool in self.ask(lambda client: client.list_tools())}

    def templates(self) -> dict[str, Any]:
        found = self.ask(lambda client: client.list_resource_templates())
        return {template.uri_template: template for template in found}

    def read(self, uri: str) -> Any:
        return self.ask(lambda client: client.read_resource(uri))[0]

    def unreadable(self, uri: str) -> MCPError:
        with pytest.raises(MCPError) as caught:
            self.read(uri)
        return caught.value

    def prompts(self) -> dict[str, Any]:
        return {prompt.name: prompt for prompt in self.ask(lambda client: client.list_prompts())}

    def prompt(self, name: str, **arguments: str) -> str:
        return str(self.ask(lambda client: client.get_prompt(name, arguments)).messages[0].content.text)

    def unprompted(self, name: str, **arguments: str) -> str:
        with pytest.raises(MCPError) as caught:
            self.prompt(name, **arguments)
        return str(caught.value)

    def completed(self, of: str, argument: str, value: str) -> list[str]:
        """Return what completes an argument of a resource template, or else of a prompt or tool."""
        kind = ResourceTemplateReference(uri=of) if "://" in of else PromptReference(name=of)
        ask = {"name": argument, "value": value}
        return list(self.ask(lambda client: client.complete(kind, ask)).values)


@pytest.fixture(scope="session")
def server() -> FastMCP[Any]:
    mcp = create_server()
    register_admin_tools(mcp)
    return mcp


@pytest.fixture
def person(server: FastMCP[Any], db: None) -> Callable[..., Person]:
    def make(username: str, *permissions: str, token: dict[str, Any] | None = None, **kind: Any) -> Person:
        return Person(server, make_user(username, *permissions, **{"staff": True, **kind}), **(token or {}))

    return make


@pytest.fixture
def boss(person: Callable[..., Person]) -> Person:
    return person("boss", superuser=True)
