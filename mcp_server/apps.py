"""The app's registration."""

import logging

from django.apps import AppConfig

# At DEBUG these log whole messages: arguments, and with them whatever secret a caller passes.
TALKATIVE = ("fastmcp", "mcp", "sse_starlette")


class McpServerConfig(AppConfig):
    name = "mcp_server"
    verbose_name = "MCP server"

    def ready(self) -> None:
        from mcp_server import checks  # noqa: F401  (registers them)
        from mcp_server.catalog import tool_catalog
        from mcp_server.changes import watch_connections
        from mcp_server.derive.masking import watch_rows
        from tokens.catalog import register_tool_catalog

        register_tool_catalog(tool_catalog)
        for name in TALKATIVE:
            logger = logging.getLogger(name)
            logger.setLevel(max(logger.level, logging.INFO))
        # In every process of the project: the pages and commands change rows that agents watch.
        watch_connections()
        watch_rows()
