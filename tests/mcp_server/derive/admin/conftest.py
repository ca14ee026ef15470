"""Servers with nothing but the tools of some admin site, and callers of several ranks."""

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib import admin
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

    def tools(self) -> dict[str, Any]:
        return {tool.name: tool for tool in self.ask(lambda client: client.list_tools())}

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
        return self.ask(lambda client: client.call_tool(tool, arguments, raise_on_error=False))

    def ask(self, question: Any) -> Any:
        """Return what question(client) returns, asked in a session of its own."""

        async def session() -> Any:
            async with Client(self.server) as client:
                return await question(client)

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MCP_TOKEN", self.token.token)
            return async_to_sync(session)()


def text_of(result: Any) -> str:
    return " ".join(getattr(block, "text", "") for block in result.content)


def site_of(*registered: tuple[Any, Any], name: str = "strangers") -> admin.AdminSite:
    """Return a site with these models and ModelAdmins."""
    site = admin.AdminSite(name=name)
    for model, model_admin in registered:
        # Not register(): extensions put there what is no model.
        site._registry[model] = model_admin(model, site)
    return site


def server_of(*sites: admin.AdminSite) -> FastMCP[Any]:
    """Return a server with the tools of these sites."""
    mcp = create_server()
    for site in sites:
        register_admin_tools(mcp, site)
    return mcp


def caller_of(site: admin.AdminSite, *permissions: str, username: str = "boss", **kind: Any) -> Caller:
    """Return a caller of the tools of one site: a superuser, or staff with these permissions."""
    kind = kind or ({"staff": True} if permissions else {"superuser": True})
    return Caller(server_of(site), make_user(username, *permissions, **kind))


def boss_of(*registered: tuple[Any, Any]) -> Caller:
    """Return a superuser who calls the tools of a site with these models and ModelAdmins."""
    return caller_of(site_of(*registered))


@pytest.fixture(scope="session")
def server() -> FastMCP[Any]:
    """The tools of the project's own admin; a module with a site of its own says which."""
    return server_of(admin.site)


@pytest.fixture
def caller(server: FastMCP[Any], db: None) -> Any:
    def make(username: str = "ada", *permissions: str, token: dict[str, Any] | None = None, **kind: Any) -> Caller:
        return Caller(server, make_user(username, *permissions, **{"staff": True, **kind}), **(token or {}))

    return make


@pytest.fixture
def boss(caller: Any) -> Caller:
    return caller("boss", superuser=True)
