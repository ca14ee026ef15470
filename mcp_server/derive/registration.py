"""Adds derived components to a server; what was written by hand wins a name."""

import logging
from collections.abc import Iterable
from typing import Any

from fastmcp import FastMCP
from fastmcp.resources import ResourceTemplate

from mcp_server.derive.provider import Component, derived_of

logger = logging.getLogger(__name__)


def add_derived(mcp: FastMCP[Any], components: Iterable[Component]) -> list[str]:
    """Add tools, prompts or templates whose names are free and return their names; a taken name is logged."""
    added, taken = derived_of(mcp).add(components)
    for component in taken:
        name, kind = _name(component), type(component).KEY_PREFIX
        logger.warning("The %s name %s is taken: the derived %s of that name is left out.", kind, name, kind)
    return [_name(component) for component in added]


def _name(component: Component) -> str:
    return component.uri_template if isinstance(component, ResourceTemplate) else component.name
