"""Adds derived tools to a server; what was written by hand wins a name."""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from fastmcp import FastMCP
from fastmcp.prompts import Prompt
from fastmcp.resources import ResourceTemplate
from fastmcp.tools import Tool

logger = logging.getLogger(__name__)


def add_derived_tools(mcp: FastMCP[Any], tools: Iterable[Tool]) -> list[str]:
    """Add the tools whose names are free and return their names; a taken name is logged and left alone."""
    return add_derived(mcp.add_tool, tools)


def add_derived(add: Callable[[Any], Any], components: Iterable[Tool | Prompt | ResourceTemplate]) -> list[str]:
    """Do the same with what `add` of the server takes; a template's name is its URI."""
    added = []
    for component in components:
        name = component.uri_template if isinstance(component, ResourceTemplate) else component.name
        kind = type(component).KEY_PREFIX
        try:
            add(component)
        except ValueError:
            logger.warning("The %s name %s is taken: the derived %s of that name is left out.", kind, name, kind)
        else:
            added.append(name)
    return added
