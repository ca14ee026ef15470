"""Tools and resources as classes, for those who prefer them; each becomes an ordinary FastMCP component."""

from fastmcp.utilities.types import Audio, File, Image

from mcp_server.classes.errors import (
    BadRequest,
    Invalid,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    RateLimited,
)
from mcp_server.classes.permissions import AllowAny, HasDjangoPerm, IsAuthenticated
from mcp_server.classes.resources import Resource, register_resource_classes
from mcp_server.classes.schema import Schema
from mcp_server.classes.tools import Tool, register_tool_classes, tool

__all__ = [
    "AllowAny",
    "Audio",
    "BadRequest",
    "File",
    "HasDjangoPerm",
    "Image",
    "Invalid",
    "IsAuthenticated",
    "NotAuthenticated",
    "NotFound",
    "PermissionDenied",
    "RateLimited",
    "Resource",
    "Schema",
    "Tool",
    "register_resource_classes",
    "register_tool_classes",
    "tool",
]
