"""The shop's tools, written by hand: one module a domain, each with `register_<domain>_tools(mcp)`."""
