"""Tools from the admin: every ModelAdmin becomes tools that run its own code."""

from mcp_server.derive.admin.exposure import DEFAULT_EXCLUDE, MCPAdminMixin
from mcp_server.derive.admin.tools import register_admin_tools

__all__ = ["DEFAULT_EXCLUDE", "MCPAdminMixin", "register_admin_tools"]
