"""What these tests share: an agent that works through a real client with somebody's token, and a stocked shop."""

from collections.abc import Awaitable, Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from fastmcp import Client
from mcp import MCPError

from mcp_server.server import mcp
from shop.models import Category, Product
from tests.factories import make_user
from tokens.models import MCPToken

EVERYTHING = [f"shop.{verb}_{noun}" for noun in ("product", "order", "stockadjustment") for verb in ("view", "add")]


class Agent:
    """Calls the server as the user, one session a question."""

    def __init__(self, user: User, monkeypatch: pytest.MonkeyPatch, **token: Any) -> None:
        self.user = user
        self._monkeypatch = monkeypatch
        self.token = MCPToken.objects.create(user=user, name="Claude", **token)

    def ask(self, question: Callable[[Client[Any]], Awaitable[Any]]) -> Any:
        async def session() -> Any:
            async with Client(mcp) as client:
                return await question(client)

        self._monkeypatch.setenv("MCP_TOKEN", self.token.token)
        return async_to_sync(session)()

    def call(self, tool: str, **arguments: Any) -> Any:
        """Return the structured content; the client has checked it against the output schema."""
        return self.ask(lambda client: client.call_tool(tool, arguments)).structured_content

    def refused(self, tool: str, **arguments: Any) -> str:
        """Return the text of the error that the call must end with."""
        result = self.ask(lambda client: client.call_tool(tool, arguments, raise_on_error=False))
        assert result.is_error, result.structured_content
        return str(result.content[0].text)

    def tools(self) -> set[str]:
        return {tool.name for tool in self.ask(lambda client: client.list_tools())}

    def read(self, uri: str) -> str:
        return str(self.ask(lambda client: client.read_resource(uri))[0].text)

    def unreadable(self, uri: str) -> str:
        with pytest.raises(MCPError) as caught:
            self.read(uri)
        return str(caught.value)

    def prompt(self, name: str, **arguments: str) -> str:
        return str(self.ask(lambda client: client.get_prompt(name, arguments)).messages[0].content.text)

    def queries(self, tool: str, **arguments: Any) -> list[str]:
        """Return the SQL of a session with one call in it, by a caller who is known already."""
        with override_settings(MCP_TOKEN_CACHE_SECONDS=60):
            self.tools()
            with CaptureQueriesContext(connection) as captured:
                self.call(tool, **arguments)
        return [query["sql"] for query in captured.captured_queries if "SAVEPOINT" not in query["sql"]]


@pytest.fixture
def agent_of(db: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Agent]:
    return lambda user, **token: Agent(user, monkeypatch, **token)


@pytest.fixture
def manager(db: None) -> User:
    """Someone who may use every tool, but sees only their own orders."""
    return make_user("ada", *EVERYTHING, "shop.change_product", "shop.change_order", "shop.view_category")


@pytest.fixture
def agent(agent_of: Callable[..., Agent], manager: User) -> Agent:
    return agent_of(manager)


@pytest.fixture
def many_products(db: None) -> None:
    """120 active products, SKU0001 to SKU0120, each a euro dearer than the one before."""
    desks = Category.objects.create(name="Desks", slug="desks")
    Product.objects.bulk_create(
        Product(
            sku=f"SKU{number:04d}",
            name=f"Oak desk {number}",
            category=desks,
            price=Decimal(number),
            stock=number % 10,
            status="active",
            launched_on=date(2026, 1, 5),
        )
        for number in range(1, 121)
    )
