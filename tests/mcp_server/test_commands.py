"""The commands that serve, show and configure."""

import json
import shlex
import socket
import sys
import tomllib
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from fastmcp import FastMCP
from pytest_django import Settings

import mcp_server.server
from tests.mcp_server.test_matrix import ALL_TOOLS, OPEN_TOOLS, READ_TOOLS
from tests.mcp_server.world import VIEW
from tests.tokens.people import make_token, make_user
from tokens.client_config import CLIENTS, TRANSPORTS
from tokens.models import MCPToken


def run(*arguments: str, **options: Any) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


@pytest.fixture
def world(server: FastMCP[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp_server.server, "mcp", server)


def listed(*arguments: str) -> set[str]:
    return {line.split()[1] for line in run("mcp_tools", *arguments).splitlines()}


def test_mcp_tools_lists_every_tool_with_what_it_does(world: None) -> None:
    lines = run("mcp_tools").splitlines()
    assert {line.split()[1] for line in lines} == ALL_TOOLS
    (reads,) = [line for line in lines if "list_groups" in line]
    (writes,) = [line for line in lines if "create_group" in line]
    assert (reads.split()[0], writes.split()[0]) == ("read", "write")
    assert writes.endswith("Create a group and return its name.")


def test_mcp_tools_lists_what_a_caller_would_see(world: None, ada: Any) -> None:
    make_user("nobody")
    assert listed("--user", "ada") == ALL_TOOLS == listed("--user", "ada@example.com")
    assert listed("--user", "nobody") == OPEN_TOOLS | {"touch"}
    for expected, token in [
        (ALL_TOOLS, make_token(ada)),
        (READ_TOOLS, make_token(ada, access="read")),
        (OPEN_TOOLS, make_token(ada, access="limited")),
        (READ_TOOLS, make_token(ada, VIEW, access="limited")),
        ({"who_am_i", "touch"}, make_token(ada, allowed_tools=["who_am_i", "touch"])),
        ({"who_am_i"}, make_token(ada, allowed_tools=["who_am_i", "touch"], access="read")),
    ]:
        assert listed("--token-id", str(token.pk)) == expected


def test_mcp_tools_says_whom_it_does_not_know(world: None, db: None) -> None:
    with pytest.raises(CommandError, match=r"There is no token with the id 7. See `manage.py mcp_tokens list`."):
        run("mcp_tools", "--token-id", "7")
    with pytest.raises(CommandError, match="eve"):
        run("mcp_tools", "--user", "eve")
    with pytest.raises(CommandError, match="not allowed with"):
        run("mcp_tools", "--user", "eve", "--token-id", "7")


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("client", CLIENTS)
def test_mcp_config_prints_what_each_client_can_read(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, client: str, transport: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["/srv/shop/manage.py", "mcp_config"])
    settings.MCP_PUBLIC_URL, settings.MCP_SERVER_NAME = "https://shop.example.com/", "furniture shop"
    text = run("mcp_config", "--client", client, "--transport", transport, "--token", "mcp_secret")
    url = "https://shop.example.com/mcp" + ("/sse" if transport == "sse" else "")
    entry = entry_of(client, text)
    if transport == "stdio":
        assert sys.executable in entry
        assert entry[entry.index("mcp_stdio") - 1] == "/srv/shop/manage.py"
    else:
        assert url in entry
    assert any("mcp_secret" in part for part in entry)


def entry_of(client: str, text: str) -> list[str]:
    """Read the configuration as the client does; return all its words."""
    if client == "claude-code":
        words = shlex.split(text)
        assert words[:3] == ["claude", "mcp", "add"]
        assert "furniture shop" in words
        return words
    if client == "codex":
        return words_of(tomllib.loads(text)["mcp_servers"]["furniture shop"])
    return words_of(json.loads(text)["servers" if client == "vscode" else "mcpServers"]["furniture shop"])


def words_of(value: Any) -> list[str]:
    if isinstance(value, dict):
        value = list(value.values())
    return [word for part in value for word in words_of(part)] if isinstance(value, list) else [str(value)]


def test_mcp_config_leaves_a_place_for_the_token_and_tells_where_it_goes() -> None:
    err = StringIO()
    out = StringIO()
    call_command("mcp_config", client="cursor", url="http://localhost:9000/mcp", stdout=out, stderr=err)
    assert "Bearer <token>" in out.getvalue()
    assert "http://localhost:9000/mcp" in out.getvalue()
    assert err.getvalue().startswith("For Cursor, in ~/.cursor/mcp.json:")


@pytest.mark.parametrize("arguments", [["--client", "netscape"], ["--client", "cursor", "--transport", "smoke"], []])
def test_mcp_config_names_the_choices(arguments: list[str]) -> None:
    with pytest.raises(CommandError, match=r"cursor|http|--client"):
        run("mcp_config", *arguments)


@pytest.mark.parametrize("port", ["-1", "65536", "99999999"])
def test_runserver_mcp_refuses_ports_there_are_not(port: str) -> None:
    with pytest.raises(CommandError, match=rf"^--port must be from 0 to 65535, not {port}\.$"):
        run("runserver_mcp", f"--port={port}")


def test_runserver_mcp_refuses_what_is_no_port() -> None:
    with pytest.raises(CommandError, match="invalid int value: 'http'"):
        run("runserver_mcp", "--port", "http")


def test_runserver_mcp_needs_an_asgi_application(settings: Settings) -> None:
    del settings.ASGI_APPLICATION
    with pytest.raises(CommandError, match="Set ASGI_APPLICATION"):
        run("runserver_mcp")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_runserver_mcp_says_in_one_sentence_that_the_port_is_taken(host: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            CommandError, match=rf"^{host}:{port} is taken by another program\. Choose another --port\.$"
        ):
            run("runserver_mcp", "--host", host, "--port", str(port))


def test_runserver_mcp_says_in_one_sentence_that_there_is_no_such_address() -> None:
    with pytest.raises(CommandError, match=r"^203\.0\.113\.1:8001 cannot be listened on: "):
        run("runserver_mcp", "--host", "203.0.113.1")


def test_a_token_made_by_the_command_line_is_listed(world: None, ada: Any) -> None:
    made = json.loads(run("create_mcp_token", "--user", "ada", "--name", "Laptop", "--tools", "touch", "--json"))
    assert MCPToken.objects.get(pk=made["id"]).allowed_tools == ["touch"]
    assert listed("--token-id", str(made["id"])) == {"touch"}
