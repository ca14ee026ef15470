"""What every message passes through: metrics, audit, errors, authorization, rate limits, the size of answers."""

from fastmcp.server.middleware import Middleware

from mcp_server.middleware.audit import AuditMiddleware
from mcp_server.middleware.auth import MCPAuthMiddleware
from mcp_server.middleware.drain import DrainMiddleware
from mcp_server.middleware.errors import ErrorMiddleware
from mcp_server.middleware.limits import RateLimitMiddleware
from mcp_server.middleware.metrics import MetricsMiddleware
from mcp_server.middleware.size import ResultSizeMiddleware

__all__ = [
    "AuditMiddleware",
    "DrainMiddleware",
    "ErrorMiddleware",
    "MCPAuthMiddleware",
    "MetricsMiddleware",
    "RateLimitMiddleware",
    "ResultSizeMiddleware",
    "message_middleware",
]


def message_middleware() -> list[Middleware]:
    """Return the chain, outermost first: what is counted and stored is what the client sees."""
    return [
        DrainMiddleware(),
        MetricsMiddleware(),
        AuditMiddleware(),
        ErrorMiddleware(),
        MCPAuthMiddleware(),
        RateLimitMiddleware(),
        ResultSizeMiddleware(),
    ]
