"""What agents see: the MCP server, its transports, tools, resources and prompts."""

import os

# FastMCP would format its own log lines; Django's LOGGING decides instead. Read when fastmcp is imported.
os.environ.setdefault("FASTMCP_LOG_ENABLED", "false")
