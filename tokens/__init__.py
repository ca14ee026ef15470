"""Who may call: MCP tokens, their resolution to a Django user, and the audit rows."""
