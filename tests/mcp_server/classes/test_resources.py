"""Resources as classes, through a real client."""

from typing import Any

import pytest
from fastmcp import FastMCP
from mcp import MCPError

from mcp_server.classes import HasDjangoPerm, NotFound, Resource, register_resource_classes
from mcp_server.server import create_server
from shop.models import Product
from tests.factories import make_product, make_user
from tests.mcp_server.derive.callers import Caller

pytestmark = pytest.mark.django_db


class Count(Resource):
    """How many products there are."""

    uri = "count://products"
    permission_classes = [HasDjangoPerm("shop.view_product")]

    def read(self, user: Any) -> Any:
        return {"products": Product.objects.count()}


class Price(Resource):
    """The price of one product."""

    uri = "price://{sku}"

    def read(self, user: Any, sku: str) -> str:
        try:
            return f"{user.get_username()}: {Product.objects.get(sku=sku).price}"
        except Product.DoesNotExist:
            raise NotFound(f"There is no {sku}.") from None


class Hello(Resource):
    """A greeting."""

    uri = "hello://world"

    async def read(self, user: Any) -> str:
        return "hello"


@pytest.fixture
def mcp() -> FastMCP[Any]:
    server = create_server()
    assert register_resource_classes(server, Count, Price, Hello) == [Count.uri, Price.uri, Hello.uri]
    return server


def test_classes_are_read_as_resources_and_templates(mcp):
    make_product()
    ada = Caller(mcp, make_user("ada", "shop.view_product"))
    assert ada.read("count://products") == '{"products": 1}'
    assert ada.read("price://SKU0043") == "ada: 249.00"
    assert ada.read("hello://world") == "hello"


def test_who_may_not_read_it_is_told_that_it_is_unknown(mcp):
    with pytest.raises(MCPError, match="not found"):
        Caller(mcp, make_user()).read("count://products")


def test_a_refusal_reaches_the_reader(mcp):
    with pytest.raises(MCPError, match="There is no SKU1"):
        Caller(mcp, make_user()).read("price://SKU1")
