"""Tools from Django REST framework: every endpoint of the API, called through its own view."""

from importlib.util import find_spec
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from fastmcp import FastMCP

from mcp_server.derive.registration import add_derived

__all__ = ["register_api_tools", "register_viewset_tools"]

AVAILABLE = find_spec("rest_framework") is not None and find_spec("drf_spectacular") is not None


def register_api_tools(mcp: FastMCP[Any], urlconf: str | None = None) -> list[str]:
    """Register a tool for every endpoint of the URLconf (default: ROOT_URLCONF) and return their names.

    ViewSets give `<basename>_list`, `_retrieve`, `_create`, `_update`, `_destroy` and one tool an extra action;
    other views one tool a method. Without Django REST framework and drf-spectacular nothing is registered.
    """
    if not AVAILABLE:
        return []
    from mcp_server.derive.drf.collection import tools_of
    from mcp_server.derive.drf.endpoints import find_endpoints

    return add_derived(mcp, tools_of(find_endpoints(urlconf)))


def register_viewset_tools(
    mcp: FastMCP[Any], view: Any, prefix: str | None = None, urlconf: str | None = None
) -> list[str]:
    """Register the tools of one ViewSet (or APIView) that a URL leads to; names begin with the prefix.

    Raises ImproperlyConfigured when no URL does.
    """
    if not AVAILABLE:
        return []
    from mcp_server.derive.drf.collection import tools_of
    from mcp_server.derive.drf.endpoints import find_endpoints

    endpoints = [endpoint for endpoint in find_endpoints(urlconf) if endpoint.callback.cls is view]
    if not endpoints:
        raise ImproperlyConfigured(f"No URL leads to {view.__name__}: register it with a router or a path first.")
    return add_derived(mcp, tools_of(endpoints, prefix))
