"""Every `MCP_*` setting that tokens reads, and its default."""

from typing import Any

from django.conf import settings

DEFAULTS: dict[str, Any] = {
    # Days until a new token expires, in the admin's form and in create_mcp_token; 0 means never.
    "MCP_TOKEN_DEFAULT_EXPIRY_DAYS": 90,
    # Seconds between two writes of one token's last_used_at.
    "MCP_USAGE_WRITE_SECONDS": 60,
    # Characters of one call's arguments, as JSON, that an audit row keeps.
    "MCP_AUDIT_ARGUMENT_CHARS": 2000,
    # Where clients reach this server, without the path.
    "MCP_PUBLIC_URL": "http://localhost:8001",
    # The server's name in a client's configuration; empty takes the name of the project's package.
    "MCP_SERVER_NAME": "",
}


def setting(name: str) -> Any:
    """Return the Django setting of this name, or its default; an unknown name is a KeyError."""
    return getattr(settings, name, DEFAULTS[name])


def server_name() -> str:
    """Return the name clients list this server under."""
    package = settings.ROOT_URLCONF.partition(".")[0]
    return str(setting("MCP_SERVER_NAME") or package.replace("_", "-"))


def endpoint_url(transport: str = "http") -> str:
    """Return the address a client of this transport connects to."""
    path = "/mcp/sse" if transport == "sse" else "/mcp"
    return str(setting("MCP_PUBLIC_URL")).rstrip("/") + path
