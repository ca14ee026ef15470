"""Who gets in over HTTP: a real 401 before any MCP code runs, on every method and path."""

import base64
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError
from fastmcp import FastMCP
from pytest_django import Settings
from starlette.applications import Starlette

from mcp_server.asgi import build_app
from mcp_server.metrics import ACTIVE_SESSIONS, AUTH_FAILURES
from tests.mcp_server.clients import HTTP_TRANSPORTS, http, mcp_client, running
from tests.mcp_server.wire import ERAS, HANDSHAKE, answer, call, initialize, post
from tests.tokens.people import make_token, make_user
from tokens.models import MCPToken

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]
PATHS = ["/mcp", "/mcp/", "/mcp/sse", "/mcp/sse/", "/mcp/messages", "/mcp/messages/?session_id=0"]


def failures(reason: str) -> float:
    return AUTH_FAILURES.labels(reason)._value.get()


@pytest.mark.parametrize("stateless", [True, False])
async def test_anonymous_callers_get_a_401_on_every_method_and_path(
    server: FastMCP[Any], settings: Settings, stateless: bool
) -> None:
    settings.MCP_STATELESS_HTTP = stateless
    app = build_app(server)
    async with running(app), http(app) as client:
        for path in PATHS:
            for method in METHODS:
                response = await client.request(method, path, json=initialize())
                # RFC 6750, section 3.1: no error for a request without credentials.
                assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer"), (method, path)
                assert method == "HEAD" or "Authorization: Bearer" in response.json()["error_description"]


async def test_a_bad_token_is_named_as_the_error(app: Starlette, transactional_db: None) -> None:
    before = failures("invalid")
    async with running(app), http(app, Authorization="Bearer not-a-token") as client:
        for path in PATHS:
            for method in METHODS:
                response = await client.request(method, path)
                assert response.status_code == 401
                assert response.headers["www-authenticate"].startswith('Bearer error="invalid_token", error_desc')
                assert "not-a-token" not in response.text + str(response.headers)
    assert failures("invalid") == before + len(PATHS) * len(METHODS)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
async def test_the_scheme_is_read_in_any_case(app: Starlette, token: MCPToken, scheme: str) -> None:
    async with running(app), http(app) as client:
        response = await post(client, HANDSHAKE, call(HANDSHAKE, "who_am_i"), authorization=f"{scheme} {token.token}")
    assert answer(response)["result"]["content"][0]["text"] == "ada"


async def test_other_schemes_are_refused_as_if_nothing_was_sent(app: Starlette, token: MCPToken) -> None:
    before = failures("missing")
    basic = base64.b64encode(f"ada:{token.token}".encode()).decode()
    sent = [f"Basic {basic}", f"Token {token.token}", str(token.token), "Bearer", "", f"Bearer,{token.token}"]
    async with running(app), http(app) as client:
        for value in sent:
            response = await post(client, HANDSHAKE, call(HANDSHAKE, "who_am_i"), authorization=value)
            assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
    assert failures("missing") == before + len(sent)


@pytest.mark.parametrize("name", ["token", "access_token", "api_key", "authorization"])
@pytest.mark.parametrize("path", ["/mcp", "/mcp/sse", "/mcp/messages"])
async def test_a_token_in_the_url_is_no_credential(app: Starlette, token: MCPToken, path: str, name: str) -> None:
    async with running(app), http(app) as client:
        url = f"{path}?{name}={token.token}"
        assert (await post(client, HANDSHAKE, initialize(), path=url)).status_code == 401
        assert (await client.get(url)).status_code == 401


async def test_a_token_in_cookies_or_form_is_no_credential(app: Starlette, token: MCPToken) -> None:
    async with running(app), http(app) as client:
        cookie = {"cookie": f"access_token={token.token}; Authorization=Bearer {token.token}"}
        assert (await post(client, HANDSHAKE, initialize(), **cookie)).status_code == 401
        assert (await client.post("/mcp", data={"access_token": str(token.token)})).status_code == 401


async def test_200_anonymous_initializes_open_no_session(server: FastMCP[Any], settings: Settings) -> None:
    settings.MCP_STATELESS_HTTP = False
    app = build_app(server)
    before = ACTIVE_SESSIONS._value.get()
    async with running(app), http(app) as client:
        for _ in range(200):
            response = await post(client, HANDSHAKE, initialize())
            assert response.status_code == 401
            assert "mcp-session-id" not in response.headers
        assert ACTIVE_SESSIONS._value.get() == before


async def test_a_session_answers_only_the_token_that_opened_it(
    server: FastMCP[Any], settings: Settings, token: MCPToken
) -> None:
    settings.MCP_STATELESS_HTTP = False
    other_user = await sync_to_async(lambda: make_token(make_user("eve", "auth.view_group")).token)()
    same_user = await sync_to_async(lambda: make_token(token.user).token)()
    app = build_app(server)
    async with running(app), http(app) as client:
        opened = await post(client, HANDSHAKE, initialize(), token.token)
        session = {"mcp-session-id": opened.headers["mcp-session-id"]}
        for intruder in (other_user, same_user):
            for path in ("/mcp", "/mcp/"):
                taken = await post(client, HANDSHAKE, call(HANDSHAKE, "who_am_i"), intruder, path, **session)
                assert taken.status_code == 404
            auth = {"authorization": f"Bearer {intruder}", "accept": "text/event-stream"}
            assert (await client.get("/mcp", headers=auth | session)).status_code == 404
            assert (await client.delete("/mcp", headers=auth | session)).status_code == 404
        assert (await post(client, HANDSHAKE, call(HANDSHAKE, "who_am_i"), **session)).status_code == 401
        own = await post(client, HANDSHAKE, call(HANDSHAKE, "who_am_i"), token.token, **session)
        assert answer(own)["result"]["content"][0]["text"] == "ada"


async def test_an_sse_session_takes_messages_only_from_the_token_that_opened_it(
    app: Starlette, token: MCPToken
) -> None:
    other = await sync_to_async(lambda: make_token(token.user).token)()
    own = {"authorization": f"Bearer {token.token}"}
    async with running(app), http(app) as client, client.stream("GET", "/mcp/sse", headers=own) as stream:
        lines = stream.aiter_lines()
        while not (line := await anext(lines)).startswith("data: "):
            pass
        path = line.removeprefix("data: ")
        assert path.startswith("/mcp/messages/?session_id=")
        assert (await post(client, HANDSHAKE, initialize(), path=path)).status_code == 401
        assert (await post(client, HANDSHAKE, initialize(), other, path)).status_code == 404
        assert (await post(client, HANDSHAKE, initialize(), token.token, path)).status_code == 202


@pytest.mark.parametrize("transport", HTTP_TRANSPORTS)
async def test_without_required_auth_calls_run_without_a_user(
    server: FastMCP[Any], settings: Settings, transactional_db: None, transport: str
) -> None:
    settings.DEBUG, settings.MCP_REQUIRE_AUTH = True, False
    app = build_app(server)
    async with running(app), mcp_client(app, transport) as client:
        assert "create_group" in {tool.name for tool in await client.list_tools()}
        assert (await client.call_tool("who_am_i")).data == "nobody"
        needs_user = await client.call_tool("list_groups", raise_on_error=False)
        assert needs_user.is_error
        assert "Authorization: Bearer" in needs_user.content[0].text


@pytest.mark.parametrize("era", ERAS)
async def test_without_required_auth_a_good_token_counts_and_a_bad_one_is_refused(
    server: FastMCP[Any], settings: Settings, token: MCPToken, era: str
) -> None:
    settings.DEBUG, settings.MCP_REQUIRE_AUTH = True, False
    app = build_app(server)
    async with running(app), http(app) as client:
        for bad in ("Bearer wrong", "Basic YWRhOmFkYQ==", "Bearer"):
            assert (await post(client, era, call(era, "who_am_i"), authorization=bad)).status_code == 401
        response = await post(client, era, call(era, "who_am_i"), token.token)
    assert answer(response)["result"]["content"][0]["text"] == "ada"


def test_no_app_is_built_open_to_anyone(server: FastMCP[Any], settings: Settings) -> None:
    settings.DEBUG, settings.MCP_REQUIRE_AUTH = False, False
    with pytest.raises(ImproperlyConfigured, match="MCP_REQUIRE_AUTH is off and DEBUG too"):
        build_app(server)


def database_away(raw: str) -> Any:
    """An authenticator whose database is away."""
    raise OperationalError("connection to server at 10.0.0.7 failed: password authentication failed for user app")


@pytest.mark.parametrize("path", ["/mcp", "/mcp/sse", "/mcp/messages/?session_id=0"])
async def test_a_database_outage_is_503_and_never_401(app: Starlette, settings: Settings, path: str) -> None:
    settings.MCP_AUTHENTICATORS = [f"{__name__}.database_away"]
    before = failures("database_unavailable")
    async with running(app), http(app, Authorization="Bearer mcp_x") as client:
        for response in (await client.get(path), await client.post(path, json=initialize())):
            assert (response.status_code, response.headers["retry-after"]) == (503, "5")
            assert response.json() == {
                "error": "temporarily_unavailable",
                "error_description": "Try again in 5 seconds.",
            }
    assert failures("database_unavailable") == before + 2
