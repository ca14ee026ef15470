"""A server with everything the admin gives, and people who read, run and complete through a real client."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from fastmcp import FastMCP
from mcp import MCPError
from mcp_types import PromptReference, ResourceTemplateReference

from tests.factories import make_user
from tests.mcp_server.derive.admin.conftest import Caller, server_of


class Person(Caller):
    """A caller who also reads resources, takes prompts and completes arguments."""

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
    return server_of(admin.site)


@pytest.fixture
def person(server: FastMCP[Any], db: None) -> Callable[..., Person]:
    def make(username: str, *permissions: str, token: dict[str, Any] | None = None, **kind: Any) -> Person:
        return Person(server, make_user(username, *permissions, **{"staff": True, **kind}), **(token or {}))

    return make


@pytest.fixture
def boss(person: Callable[..., Person]) -> Person:
    return person("boss", superuser=True)
