"""Adds derived tools to a server; what was written by hand wins a name."""

import logging
from collections.abc import Iterable
from typing import Any

from fastmcp import FastMCP
from fastmcp.tools import Tool

logger = logging.getLogger(__name__)


def add_derived_tools(mcp: FastMCP[Any], tools: Iterable[Tool]) -> list[str]:
    """Add the tools whose names are free and return their names; a taken name is logged and left alone."""
    added = []
    for tool in tools:
        try:
            mcp.add_tool(tool)
        except ValueError:
            logger.warning("The tool name %s is taken: the derived tool of that name is left out.", tool.name)
        else:
            added.append(tool.name)
    return added
