"""Which path leads where, and from which host and origin."""

from typing import Any

import pytest
from django.core.asgi import get_asgi_application
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from fastmcp import FastMCP
from pytest_django import Settings
from starlette.applications import Starlette

from mcp_server import health
from mcp_server.asgi import build_app
from tests.mcp_server.clients import http, mcp_client, running
from tests.mcp_server.wire import ERAS, HANDSHAKE, answer, call, initialize, message, post
from tokens.models import MCPToken

ENDPOINTS = [("POST", "/mcp"), ("GET", "/mcp"), ("GET", "/mcp/sse"), ("POST", "/mcp/messages/?session_id=0")]


@pytest.fixture
def unknown_migrations() -> Any:
    """The process has not looked at the migrations yet."""
    before = health._migrated
    health._migrated = False
    yield
    health._migrated = before


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "evil.example:8001", "", "10.0.0.7"])
async def test_another_host_is_misdirected_on_every_transport(app: Starlette, token: MCPToken, host: str) -> None:
    async with running(app), http(app, Authorization=f"Bearer {token.token}") as client:
        for method, path in ENDPOINTS:
            response = await client.request(method, path, json=initialize(), headers={"host": host})
            assert (response.status_code, response.text) == (421, "Misdirected Request")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://evil.example:8001", "http://localhost:1"])
async def test_another_origin_is_forbidden_on_every_transport(
    server: FastMCP[Any], settings: Settings, token: MCPToken, origin: str
) -> None:
    settings.ALLOWED_HOSTS = ["shop.example.com"]
    app = build_app(server)
    async with running(app), http(app, Authorization=f"Bearer {token.token}") as client:
        for method, path in ENDPOINTS:
            sent = {"host": "shop.example.com", "origin": origin}
            response = await client.request(method, path, json=initialize(), headers=sent)
            assert (response.status_code, response.text) == (403, "Forbidden Origin")


@pytest.mark.parametrize("era", ERAS)
async def test_a_named_origin_may_call_and_read_what_it_needs(
    server: FastMCP[Any], settings: Settings, token: MCPToken, era: str
) -> None:
    settings.MCP_ALLOWED_ORIGINS = ["https://chat.example.com"]
    app = build_app(server)
    async with running(app), http(app) as client:
        asked = {"origin": "https://chat.example.com", "access-control-request-method": "POST"}
        preflight = await client.options("/mcp", headers=asked | {"access-control-request-headers": "authorization"})
        assert preflight.headers["access-control-allow-origin"] == "https://chat.example.com"
        response = await post(client, era, call(era, "who_am_i"), token.token, origin="https://chat.example.com")
        assert answer(response)["result"]["content"][0]["text"] == "ada"
        assert "mcp-session-id" in response.headers["access-control-expose-headers"].lower()
        refused = await post(client, era, call(era, "who_am_i"), origin="https://chat.example.com")
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (
            401,
            "https://chat.example.com",
        )


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("example.com", 401),
        ("mcp.example.com", 401),
        ("MCP.Example.COM:8443", 401),
        ("a.b.example.com", 401),
        ("badexample.com", 421),
        ("example.com.evil.example", 421),
    ],
)
async def test_a_leading_dot_in_allowed_hosts_covers_subdomains(
    server: FastMCP[Any], settings: Settings, host: str, status: int
) -> None:
    settings.ALLOWED_HOSTS = [".example.com"]
    app = build_app(server)
    async with running(app), http(app) as client:
        assert (await client.post("/mcp", headers={"host": host})).status_code == status
        assert (await client.get("/mcp/sse", headers={"host": host})).status_code == status


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("path", ["/mcp", "/mcp/"])
async def test_a_trailing_slash_makes_no_difference_and_keeps_the_body(
    app: Starlette, token: MCPToken, era: str, path: str
) -> None:
    async with running(app), http(app) as client:
        name = "Carpenters " + "x" * 100
        response = await post(client, era, call(era, "create_group", name=name), token.token, path)
        assert response.status_code == 200
        assert answer(response)["result"]["content"][0]["text"] == name
    async with running(app), mcp_client(app, era, token.token, path) as agent:
        assert name in (await agent.call_tool("list_groups")).data


@pytest.mark.parametrize("path", ["/mcp/sse", "/mcp/sse/"])
async def test_sse_answers_with_and_without_a_slash(app: Starlette, token: MCPToken, path: str) -> None:
    statuses: list[int] = []
    async with running(app), mcp_client(app, "sse", token.token, path, statuses) as agent:
        assert (await agent.call_tool("who_am_i")).data == "ada"
    assert set(statuses) == {200, 202}


async def test_no_path_redirects(app: Starlette, token: MCPToken) -> None:
    paths = ["/mcp", "/mcp/", "/mcp//", "/mcp/sse/", "/mcp/messages", "/mcp/health", "/mcp/health/", "/mcp/nothing"]
    async with running(app), http(app, Authorization=f"Bearer {token.token}") as client:
        for path in [*paths, "/", "/admin"]:
            assert not (await client.post(path, json=initialize())).is_redirect


async def test_unknown_paths_say_where_mcp_is(app: Starlette) -> None:
    async with running(app), http(app) as client:
        for path in ("/", "/mcp/nothing", "/mcpx", "/admin/", "/mcp/../mcp/x"):
            response = await client.get(path)
            assert (response.status_code, response.json()["error"]) == (404, "not_found")


async def test_sse_can_be_switched_off(server: FastMCP[Any], settings: Settings, token: MCPToken) -> None:
    settings.MCP_ENABLE_SSE = False
    app = build_app(server)
    async with running(app), http(app, Authorization=f"Bearer {token.token}") as client:
        assert (await client.get("/mcp/sse")).status_code == 404
        assert (await client.post("/mcp/messages/")).status_code == 404
        assert (await post(client, HANDSHAKE, message(HANDSHAKE, "tools/list"), token.token)).status_code == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/mcp/health", "/mcp/ready", "/mcp/metrics"])
async def test_probes_need_no_token_and_no_known_host(app: Starlette, path: str) -> None:
    async with running(app), http(app) as client:
        # A kubelet or a scraper calls by address.
        assert (await client.get(path, headers={"host": "10.0.0.7:8001"})).status_code == 200


@pytest.mark.django_db(transaction=True)
async def test_pending_migrations_make_it_not_ready(app: Starlette, unknown_migrations: None) -> None:
    def set_applied(applied: bool) -> None:
        recorder = MigrationRecorder(connection)
        (latest,) = MigrationLoader(connection).graph.leaf_nodes("tokens")
        (recorder.record_applied if applied else recorder.record_unapplied)(*latest)

    from mcp_server.orm import in_database

    async with running(app), http(app) as client:
        await in_database(set_applied, False)
        response = await client.get("/mcp/ready")
        assert response.status_code == 503
        assert response.json()["reason"] == "Migrations are pending: run manage.py migrate."
        assert (await client.get("/mcp/health")).status_code == 200
        await in_database(set_applied, True)
        assert (await client.get("/mcp/ready")).json() == {"status": "ok"}


async def test_an_unreachable_database_makes_it_not_ready(app: Starlette, unreachable_database: None) -> None:
    async with running(app), http(app) as client:
        response = await client.get("/mcp/ready")
        assert response.status_code == 503
        assert response.json() == {"status": "unavailable", "reason": "The database cannot be reached."}
        assert (await client.get("/mcp/health")).status_code == 200
        assert (await client.get("/mcp/metrics")).status_code == 200


@pytest.mark.django_db
async def test_pages_are_served_beside_mcp_where_wanted(server: FastMCP[Any], settings: Settings) -> None:
    for debug, mount, status in [(True, None, 302), (False, None, 404), (False, True, 302), (True, False, 404)]:
        settings.DEBUG, settings.MCP_MOUNT_DJANGO = debug, mount
        app = build_app(server, get_asgi_application())
        async with running(app), http(app) as client:
            assert (await client.get("/admin/")).status_code == status
            assert (await client.get("/mcp/nothing")).status_code == 404
