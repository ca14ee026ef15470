"""Tools from a project's pages: named views, called through the whole project. Nothing is registered by itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.forms import BaseForm
from fastmcp import FastMCP

from mcp_server.derive.registration import add_derived
from mcp_server.derive.views.routes import find_routes
from mcp_server.derive.views.tools import Choices, tools_of

__all__ = ["register_view_tools"]


def register_view_tools(
    mcp: FastMCP[Any],
    urlconf: str | None = None,
    include: Sequence[str] = ("*",),
    exclude: Sequence[str] = (),
    *,
    permissions: Mapping[str, Sequence[str]] | None = None,
    forms: Mapping[str, type[BaseForm]] | None = None,
    query: Mapping[str, Sequence[str]] | None = None,
    fields: Mapping[str, Sequence[str]] | None = None,
) -> list[str]:
    """Register tools for named views of the URLconf (default: ROOT_URLCONF) and return their names.

    A view that takes GET becomes `read_<name>`; one that takes POST becomes `submit_<name>`, but only when it asks for
    more than a login itself, or when `permissions` names the Django permissions it shall need. `include` and `exclude`
    are patterns such as "shop:*". By the view's name, `forms` says which form it takes where that is not found,
    `query` which query parameters it reads, `fields` which attributes of the rows a generic view shows are answered.
    """
    choices = Choices(permissions or {}, forms or {}, query or {}, fields or {})
    return add_derived(mcp, tools_of(find_routes(urlconf, include, exclude), choices))
