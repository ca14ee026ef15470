"""The four metrics: what they count, and that their labels stay few."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fastmcp import FastMCP
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings
from starlette.applications import Starlette

from mcp_server.asgi import build_app
from tests.mcp_server.clients import HTTP_TRANSPORTS, http, mcp_client, running
from tests.mcp_server.live import ROOT
from tests.mcp_server.wire import HANDSHAKE, MODERN, initialize, message, post
from tokens.models import MCPToken

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def parse(text: str) -> Samples:
    found = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in found}


async def scrape(app: Starlette) -> Samples:
    async with http(app) as client:
        response = await client.get("/mcp/metrics")
        assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
        return parse(response.text)


def growth(before: Samples, after: Samples, name: str, **labels: str) -> float:
    key = (name, tuple(sorted(labels.items())))
    return after.get(key, 0) - before.get(key, 0)


@pytest.mark.parametrize("transport", HTTP_TRANSPORTS)
async def test_calls_are_counted_by_tool_and_status(app: Starlette, token: MCPToken, transport: str) -> None:
    await MCPToken.objects.filter(pk=token.pk).aupdate(access="read")
    async with running(app):
        before = await scrape(app)
        async with mcp_client(app, transport, token.token) as client:
            for name in ("who_am_i", "who_am_i", "broken", "touch", "no_such_tool", "x" * 300):
                await client.call_tool(name, raise_on_error=False)
            await client.call_tool("list_groups", {"limit": 0}, raise_on_error=False)
        after = await scrape(app)
    counts = {("who_am_i", "ok"): 2, ("broken", "error"): 1, ("touch", "denied"): 1, ("list_groups", "error"): 1}
    for (tool, status), count in (counts | {("unknown", "error"): 2}).items():
        assert growth(before, after, "mcp_tool_invocations_total", tool=tool, status=status) == count
    assert growth(before, after, "mcp_tool_duration_seconds_count", tool="who_am_i") == 2
    assert not any("no_such_tool" in str(key) or "xxx" in str(key) for key in after)


async def test_durations_fall_into_buckets_from_50_milliseconds_to_10_seconds(app: Starlette, token: MCPToken) -> None:
    async with running(app):
        before = await scrape(app)
        async with mcp_client(app, MODERN, token.token) as client:
            await client.call_tool("sleep", {"seconds": 0.12})
        after = await scrape(app)
    names = [dict(labels)["le"] for name, labels in after if name.endswith("_bucket") and ("tool", "sleep") in labels]
    assert names == ["0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "+Inf"]
    assert growth(before, after, "mcp_tool_duration_seconds_bucket", tool="sleep", le="0.1") == 0
    assert growth(before, after, "mcp_tool_duration_seconds_bucket", tool="sleep", le="10.0") == 1
    assert 0.12 <= growth(before, after, "mcp_tool_duration_seconds_sum", tool="sleep") < 10


async def test_refusals_are_counted_by_reason(app: Starlette, token: MCPToken, settings: Settings) -> None:
    settings.MCP_TOKEN_CACHE_SECONDS = 0
    async with running(app), http(app) as client:
        before = await scrape(app)
        tools = message(MODERN, "tools/list")
        await post(client, MODERN, tools)
        await post(client, MODERN, tools, "wrong")
        await MCPToken.objects.filter(pk=token.pk).aupdate(is_active=False)
        await post(client, MODERN, tools, token.token)
        await MCPToken.objects.filter(pk=token.pk).aupdate(is_active=True, expires_at="2020-01-01T00:00Z")
        await post(client, MODERN, tools, token.token)
        await MCPToken.objects.filter(pk=token.pk).aupdate(expires_at=None)
        await type(token.user).objects.filter(pk=token.user_id).aupdate(is_active=False)
        await post(client, MODERN, tools, token.token)
        after = await scrape(app)
    for reason in ("missing", "invalid", "inactive", "expired", "user_inactive"):
        assert growth(before, after, "mcp_auth_failures_total", reason=reason) == 1


@pytest.mark.parametrize("transport", ["sse", "2025-11-25"])
async def test_sessions_are_counted_while_they_last(
    server: FastMCP[Any], settings: Settings, token: MCPToken, transport: str
) -> None:
    settings.MCP_STATELESS_HTTP = False
    app = build_app(server)

    async def sessions() -> float:
        return (await scrape(app))["mcp_active_sessions", ()]

    async with running(app):
        before = await sessions()
        async with mcp_client(app, transport, token.token):
            assert await sessions() == before + 1
            async with mcp_client(app, transport, token.token):
                assert await sessions() == before + 2
        while await sessions() != before:  # noqa: ASYNC110  (the server notices on its own)
            await asyncio.sleep(0.01)


async def test_a_session_that_the_client_forgets_ends_with_the_server(
    server: FastMCP[Any], settings: Settings, token: MCPToken
) -> None:
    settings.MCP_STATELESS_HTTP = False
    app = build_app(server)
    before = (await scrape(app))["mcp_active_sessions", ()]
    async with running(app), http(app) as client:
        assert (await post(client, HANDSHAKE, initialize(), token.token)).status_code == 200
        assert (await scrape(app))["mcp_active_sessions", ()] == before + 1
    assert (await scrape(app))["mcp_active_sessions", ()] == before


async def test_requests_without_sessions_leave_none(app: Starlette, token: MCPToken) -> None:
    async with running(app):
        before = (await scrape(app))["mcp_active_sessions", ()]
        for era in HTTP_TRANSPORTS[:2]:
            async with mcp_client(app, era, token.token) as client:
                await client.list_tools()
        assert (await scrape(app))["mcp_active_sessions", ()] == before


WORKER = """
import sys
from mcp_server.metrics import ACTIVE_SESSIONS, AUTH_FAILURES, exposition, record_tool_call
record_tool_call("list_products", "ok", 0.07)
record_tool_call("list_products", "error", 3)
AUTH_FAILURES.labels("expired").inc()
ACTIVE_SESSIONS.inc(2)
print("ready", flush=True)
sys.stdin.readline()
print(exposition().decode(), flush=True)
sys.stdin.readline()
"""


def worker(folder: Path) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    command = [sys.executable, "-c", WORKER]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, text=True)


def test_several_workers_are_one_and_a_dead_one_has_no_sessions(tmp_path: Path) -> None:
    with worker(tmp_path) as killed, worker(tmp_path) as living:
        for each in (killed, living):
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        # As by the kernel: it says no goodbye.
        killed.kill()
        killed.wait()
        text, _ = living.communicate("\n\n")
    samples = parse(text)
    assert samples["mcp_tool_invocations_total", (("status", "ok"), ("tool", "list_products"))] == 2
    assert samples["mcp_tool_duration_seconds_count", (("tool", "list_products"),)] == 4
    assert samples["mcp_auth_failures_total", (("reason", "expired"),)] == 2
    assert samples["mcp_active_sessions", ()] == 2
    assert living.returncode == 0
