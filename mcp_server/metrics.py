"""The Prometheus metrics of the MCP server."""

import os
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

UNKNOWN_TOOL = "unknown"

TOOL_INVOCATIONS = Counter("mcp_tool_invocations_total", "Calls of tools, by how they ended.", ["tool", "status"])
TOOL_DURATION = Histogram(
    "mcp_tool_duration_seconds",
    "Time from a call's arrival to its answer.",
    ["tool"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
AUTH_FAILURES = Counter("mcp_auth_failures_total", "Callers refused, by reason.", ["reason"])
ACTIVE_SESSIONS = Gauge("mcp_active_sessions", "Sessions of handshake-era clients.", multiprocess_mode="livesum")


def record_tool_call(tool: str, status: str, seconds: float) -> None:
    """Count one call; `tool` must be a registered name or UNKNOWN_TOOL, so that labels stay bounded."""
    TOOL_INVOCATIONS.labels(tool, status).inc()
    TOOL_DURATION.labels(tool).observe(seconds)


def exposition() -> bytes:
    """Return all metrics in Prometheus' text format, summed over the workers in multiprocess mode."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if not folder:
        return generate_latest(REGISTRY)
    forget_dead_workers(Path(folder))
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def forget_dead_workers(folder: Path) -> None:
    """Take away the sessions of workers that ended: uvicorn tells nobody, and a killed one cannot."""
    for path in folder.glob("gauge_live*_*.db"):
        pid = path.stem.rpartition("_")[2]
        if pid.isdigit() and not _is_running(int(pid)):
            path.unlink(missing_ok=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # Somebody else's process has the number now; the file goes when that ends.
    return True
