"""What the tests of tokens share: a user with three permissions, and a superuser."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User

from tests.tokens.people import make_user
from tokens.catalog import ToolInfo, _catalogs, register_tool_catalog


@pytest.fixture
def ada(db: None) -> User:
    return make_user("ada", "auth.view_group", "auth.add_group", "auth.delete_group")


@pytest.fixture
def root(db: None) -> User:
    return make_user("root", is_staff=True, is_superuser=True)


@pytest.fixture
def catalog() -> Iterator[list[ToolInfo]]:
    tools = [
        ToolInfo("list_products", "List products", ("products", "read"), "Lists the products."),
        ToolInfo("place_order", "Place an order", ("orders",), "Places an order."),
        ToolInfo("ping"),
    ]
    before = list(_catalogs)
    register_tool_catalog(lambda: tools)
    yield tools
    _catalogs[:] = before


@pytest.fixture
def no_catalog() -> Iterator[None]:
    before = list(_catalogs)
    register_tool_catalog(None)
    yield
    _catalogs[:] = before
