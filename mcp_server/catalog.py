"""What there is to see, for code that is not a message: the admin, commands and checks."""

from collections.abc import Sequence

from asgiref.sync import async_to_sync
from fastmcp.tools import Tool

from tokens.catalog import ToolInfo


def all_tools() -> Sequence[Tool]:
    """Return every registered tool, whoever may use it."""
    # The server imports every app's models, so it is loaded at the first use and not with the settings.
    from mcp_server.server import mcp

    tools: Sequence[Tool] = async_to_sync(mcp.list_tools)(run_middleware=False)
    return tools


def tool_catalog() -> list[ToolInfo]:
    """Return the tools as the tokens admin offers them."""
    return [
        ToolInfo(tool.name, tool.title or "", tuple(sorted(tool.tags)), tool.description or "") for tool in all_tools()
    ]
