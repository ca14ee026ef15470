"""What agents see: the MCP server, its transports, tools, resources and prompts."""
