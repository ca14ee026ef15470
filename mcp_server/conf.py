"""Every `MCP_*` setting and its default, those of tokens included."""

from typing import Any

from django.conf import settings

from tokens import conf as tokens_conf

DEFAULTS: dict[str, Any] = tokens_conf.DEFAULTS | {
    # Refuse callers without a token; turning it off is for development only and refused when DEBUG is off.
    "MCP_REQUIRE_AUTH": True,
    # Dotted paths of functions (raw token) -> (user, token) that raise MCPAuthError, asked in this order.
    "MCP_AUTHENTICATORS": ["tokens.auth.resolve_mcp_user"],
    # Seconds a verified caller is remembered; 0 asks the database at every message.
    "MCP_TOKEN_CACHE_SECONDS": 1.0,
    # Make tools of every model in the admin; see docs/derive.md.
    "MCP_ADMIN_TOOLS": False,
    # Collapse all derived tools into a search and a call, for sites with more tools than a model can read.
    "MCP_TOOL_SEARCH": False,
    # Make tools of every viewset and view of Django REST framework; see docs/derive.md.
    "MCP_API_TOOLS": False,
    # Prompts by name, each {"description", "text" or "template", "arguments", "permissions"}; see docs/derive.md.
    "MCP_PROMPTS": {},
    # Models ("app.model") that get a tool search_<model>; a dict from these to options of a ModelAdmin works too.
    "MCP_SEARCH_MODELS": [],
    # Streamable HTTP without sessions, so that any worker on any host may answer.
    "MCP_STATELESS_HTTP": True,
    # Answer handshake-era clients in plain JSON: faster, but without progress messages.
    "MCP_JSON_RESPONSE": False,
    # Serve the deprecated HTTP+SSE transport; it belongs to one process.
    "MCP_ENABLE_SSE": True,
    # Serve Django's pages in the MCP process too; None means: when DEBUG is on.
    "MCP_MOUNT_DJANGO": None,
    # Browser origins that may call, such as https://chat.example.com; other origins are refused.
    "MCP_ALLOWED_ORIGINS": [],
    # Threads with a database connection each, per process.
    "MCP_DB_THREADS": 8,
    # Seconds between two writes of the audit rows of read-only tools.
    "MCP_AUDIT_FLUSH_SECONDS": 1.0,
    # How changes reach subscribers in other processes: "postgres" uses the database's NOTIFY, redis://… a Redis or
    # Valkey; empty, they do not.
    "MCP_BROKER": "",
    # Bytes of one answer above which a tool reports an error instead.
    "MCP_MAX_RESULT_BYTES": 262144,
    # Rate limits such as "600/minute"; empty means none. Requests of one user with all their tokens: HTTP answers 429.
    "MCP_RATE_LIMIT_USER": "",
    # Requests with one token; a token's own limit wins.
    "MCP_RATE_LIMIT_TOKEN": "",
    # Calls of each tool by one user; refused with a tool error.
    "MCP_RATE_LIMIT_TOOL": "",
    # Other limits for single tools, such as place_order=10/minute.
    "MCP_RATE_LIMIT_TOOLS": [],
    # The cache of CACHES that counts; it must be one that all workers share.
    "MCP_RATE_LIMIT_CACHE": "default",
    # Seconds a running call may take to end after SIGTERM.
    "MCP_SHUTDOWN_SECONDS": 30.0,
}


def setting(name: str) -> Any:
    """Return the Django setting of this name, or its default; an unknown name is a KeyError."""
    return getattr(settings, name, DEFAULTS[name])
