"""Tools as classes and functions, through a real client."""

import base64
from decimal import Decimal
from typing import Annotated, Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from fastmcp import FastMCP
from mcp_types import TextContent
from pydantic import Field
from rest_framework.permissions import IsAdminUser

from mcp_server.classes import (
    AllowAny,
    BadRequest,
    HasDjangoPerm,
    Image,
    Invalid,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    RateLimited,
    Schema,
    Tool,
    register_tool_classes,
    tool,
)
from mcp_server.permissions import READ_ONLY
from mcp_server.server import create_server
from shop.models import Product
from tests.factories import make_product, make_user
from tests.mcp_server.derive.callers import Caller, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def mcp() -> FastMCP[Any]:
    return create_server()


class FindProduct(Tool):
    """Return one product by its SKU."""

    annotations = READ_ONLY
    permission_classes = [HasDjangoPerm("shop.view_product")]

    class Input(Schema):
        sku: Annotated[str, Field(description="SKU such as SKU0043.", min_length=3)]
        note: str | None = None

    class Output(Schema):
        sku: str
        price: Decimal
        category: int

        model_config = {"from_attributes": True}

    def run(self, user: Any, sku: str, note: str | None) -> Any:
        try:
            product = Product.objects.get(sku=sku)
        except Product.DoesNotExist:
            raise NotFound(f"There is no {sku}.") from None
        return {"sku": product.sku, "price": product.price, "category": product.category_id}


def test_a_class_becomes_a_tool_with_schemas_of_its_own(mcp):
    assert register_tool_classes(mcp, FindProduct) == ["find_product"]
    make_product()
    ada = Caller(mcp, make_user("ada", "shop.view_product"))
    found = ada.tools()["find_product"]
    assert found.description == "Return one product by its SKU."
    assert found.input_schema["properties"]["note"] == {"type": "string", "description": "Note."}
    assert found.input_schema["required"] == ["sku"]
    assert found.meta["django"]["permissions"] == ["shop.view_product"]
    answer = ada.call("find_product", sku="SKU0043").structured_content
    assert (answer["sku"], answer["price"]) == ("SKU0043", "249.00")
    assert text_of(ada.call("find_product", sku="SKU9")) == "There is no SKU9."


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, "sku is required."),
        ({"sku": "x"}, "sku: String should have at least 3 characters."),
        ({"sku": "SKU1", "skux": 1}, "skux is not an argument of this tool; its arguments are: sku, note."),
    ],
)
def test_bad_arguments_are_refused_by_name(mcp, arguments, told):
    register_tool_classes(mcp, FindProduct)
    assert text_of(Caller(mcp, make_user("ada", "shop.view_product")).call("find_product", **arguments)) == told


def test_who_may_not_use_a_tool_does_not_see_it(mcp):
    class ForAdmins(Tool):
        """For the staff, as Django REST framework says."""

        permission_classes = [IsAdminUser]

        def run(self, user: Any) -> str:
            return "done"

    class Unasked(Tool):
        """Its rule asks for what is not there."""

        permission_classes = [type("Rule", (), {"has_permission": lambda self, request, view: view.kwargs["pk"]})]

    register_tool_classes(mcp, FindProduct, ForAdmins, Unasked)
    assert Caller(mcp, make_user()).tools().keys() == set()
    clerk = Caller(mcp, make_user("clerk", staff=True))
    assert clerk.tools().keys() == {"for_admins"}
    assert text_of(clerk.call("for_admins")) == "done"
    assert text_of(clerk.call("find_product", sku="SKU1")) == "Unknown tool: 'find_product'"


def test_a_read_token_sees_reading_classes_only(mcp):
    class Write(Tool):
        """Change something."""

        def run(self, user: Any) -> None: ...

    register_tool_classes(mcp, FindProduct, Write)
    assert Caller(mcp, make_user(superuser=True), access="read").tools().keys() == {"find_product"}


def test_a_switch_takes_a_tool_away_and_back(mcp, settings):
    class Sale(Tool):
        """Tell what is on sale."""

        permission_classes = [AllowAny]

        @property
        def enabled(self) -> bool:
            return getattr(django_settings, "SALE", False)

        def run(self, user: Any) -> str:
            return "desks"

    register_tool_classes(mcp, Sale)
    ada = Caller(mcp, make_user())
    assert "sale" not in ada.tools()
    settings.SALE = True
    assert text_of(ada.call("sale")) == "desks"


def test_an_open_tool_needs_no_token_in_development(mcp, settings):
    class Ping(Tool):
        """Answer."""

        permission_classes = [AllowAny]

        def run(self, user: Any) -> str:
            return user.get_username() if user else "nobody"

    register_tool_classes(mcp, Ping, FindProduct)
    ada = Caller(mcp, make_user())
    assert text_of(ada.call("ping")) == "ada"
    settings.MCP_REQUIRE_AUTH = False
    nobody = Caller(mcp, None)
    assert nobody.tools().keys() == {"ping"}
    assert text_of(nobody.call("ping")) == "nobody"


def test_hooks_run_before_and_may_say_no(mcp):
    def upper(user: User, arguments: dict[str, Any]) -> None:
        arguments["word"] = arguments["word"].upper()

    def no_shouting(user: User, arguments: dict[str, Any]) -> None:
        if user.get_username() == "grace":
            raise PermissionDenied("Grace does not shout.")

    class Shout(Tool):
        """Shout."""

        pre_run = [upper, no_shouting]

        class Input(Schema):
            word: str

        async def run(self, user: Any, word: str) -> str:
            return f"{word}!"

    register_tool_classes(mcp, Shout)
    assert text_of(Caller(mcp, make_user()).call("shout", word="hey")) == "HEY!"
    assert text_of(Caller(mcp, make_user("grace")).call("shout", word="hey")) == "Grace does not shout."


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (BadRequest("Choose one of the two."), "Choose one of the two."),
        (Invalid(sku="There is no such SKU."), "sku: There is no such SKU."),
        (Invalid({"sku": ["Too long.", "Too odd."]}), "sku: Too long. Too odd."),
        (Invalid("Nothing fits."), "Nothing fits."),
        (NotAuthenticated(), "This needs a user. Send an MCP token."),
        (NotFound(), "Nothing was found. Look the row up with a list tool first."),
        (PermissionDenied(), "Your user may not do this."),
        (RateLimited(1.2), "Too many calls. Try again in 2 seconds."),
    ],
)
def test_errors_reach_the_caller_with_their_text(mcp, error, told):
    @tool
    def refuse(user: Any) -> str:
        """Refuse."""
        raise error

    register_tool_classes(mcp, refuse)
    refused = Caller(mcp, make_user()).call("refuse")
    assert refused.is_error
    assert text_of(refused) == told


def test_other_errors_are_opaque(mcp):
    @tool
    def fail(user: Any) -> str:
        """Fail."""
        raise RuntimeError("the secret ingredient is salt")

    register_tool_classes(mcp, fail)
    assert "salt" not in text_of(Caller(mcp, make_user()).call("fail"))


def test_pictures_and_mixed_answers(mcp):
    @tool(name="draw", annotations=READ_ONLY)
    def anything(user: Any, mixed: bool = False) -> Any:
        """Draw."""
        picture = Image(data=b"\x89PNG", format="png")
        return [TextContent(type="text", text="A lamp:"), picture] if mixed else picture

    register_tool_classes(mcp, anything)
    ada = Caller(mcp, make_user())
    [picture] = ada.call("draw").content
    assert (picture.mime_type, base64.b64decode(picture.data)) == ("image/png", b"\x89PNG")
    assert [block.type for block in ada.call("draw", mixed=True).content] == ["text", "image"]


def test_a_function_is_a_tool_with_an_answer_of_a_known_shape(mcp):
    class Level(Schema):
        sku: str
        stock: int

    @tool(permission_classes=[HasDjangoPerm("shop.view_product")], annotations=READ_ONLY)
    def stock_of(user: Any, sku: Annotated[str, Field(description="SKU.")], at_least: int = 0) -> Level:
        """Tell the stock."""
        return Product.objects.get(sku=sku, stock__gte=at_least)  # Its attributes are read.

    register_tool_classes(mcp, stock_of)
    make_product()
    ada = Caller(mcp, make_user("ada", "shop.view_product"))
    assert ada.call("stock_of", sku="SKU0043").structured_content == {"sku": "SKU0043", "stock": 10}
    assert "Look the row up" in text_of(ada.call("stock_of", sku="SKU0043", at_least=11))
    assert stock_of.__name__ == "stock_of"
