"""A limited token has its permissions and no more, whatever rule a derived tool has."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from fastmcp import FastMCP

from mcp_server.classes import AllowAny, HasDjangoPerm, Tool, register_tool_classes
from mcp_server.derive.drf import register_api_tools
from mcp_server.derive.models import register_model_tools
from mcp_server.derive.views import register_view_tools
from shop.models import Tag
from tests.factories import make_product, make_user
from tests.mcp_server.derive.callers import Caller, text_of


def limited(mcp: FastMCP[Any], user: User, *permissions: str) -> Caller:
    caller = Caller(mcp, user, access="limited")
    caller.token.permissions.set(Permission.objects.filter(codename__in=permissions))
    return caller


@pytest.fixture
def boss(db: None) -> User:
    return make_user("boss", superuser=True)


def test_of_the_api_it_writes_what_permissions_guard_and_it_holds(mcp, boss):
    register_api_tools(mcp)
    register_api_tools(mcp, "tests.everything.urls")
    make_product(pk=1)
    caller = limited(mcp, boss, "view_product", "change_product")
    tools = caller.tools()
    assert {"product_list", "product_update"} <= tools.keys()
    assert "product_destroy" not in tools
    # Asked for with a login alone: reading is left, writing is not.
    assert "gadget_list" in tools
    assert not {"gadget_create", "bare_post", "label_update"} & tools.keys()
    assert not caller.call("product_update", id=1, price="3.00").is_error
    assert "Unknown tool" in text_of(caller.call("gadget_create", name="Lamp"))
    assert {"gadget_create", "bare_post"} <= Caller(mcp, boss).tools().keys()


def test_of_the_pages_it_submits_what_permissions_guard_and_it_holds(mcp, boss):
    register_view_tools(mcp)
    register_view_tools(mcp, "tests.everything.page_urls", permissions={"hook": ["shop.view_tag"]})
    assert "submit_restock" in limited(mcp, boss, "add_stockadjustment").tools()
    tools = limited(mcp, boss, "view_tag").tools()
    # One form asks who the caller is, one for the staff, one for the permission that the registration named.
    assert {"submit_restock", "submit_ask", "submit_ring", "submit_hook"} & tools.keys() == {"submit_hook"}
    assert "read_ask" in tools


def test_of_classes_and_models_it_writes_what_permissions_guard_and_it_holds(mcp, boss):
    class Guarded(Tool):
        """Needs a permission."""

        permission_classes = [HasDjangoPerm("shop.add_tag")]

    class ForAll(Tool):
        """Needs a login."""

    class Open(Tool):
        """Needs nothing."""

        permission_classes = [AllowAny]

    register_tool_classes(mcp, Guarded, ForAll, Open)
    register_model_tools(mcp, Tag, ["create"], prefix="ruled", permission=lambda user, action: True)
    register_model_tools(mcp, Tag, ["create", "delete"])
    assert limited(mcp, boss, "add_tag").tools().keys() == {"guarded", "tag_create"}
    assert limited(mcp, boss).tools().keys() == set()
