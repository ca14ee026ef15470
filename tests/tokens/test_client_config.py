"""Configurations that clients can read back."""

import json
import shlex
import tomllib

import pytest

from tokens.client_config import CLIENTS, TRANSPORTS, client_config
from tokens.conf import endpoint_url, server_name
from tokens.secret import make_secret

TOKEN = make_secret()


def config(client: str, transport: str = "http", url: str = "https://shop.example.com/mcp") -> str:
    python, manage_py = "/srv/my shop/.venv/bin/python", "C:\\shop\\manage.py"
    return client_config(
        client, url=url, token=TOKEN, transport=transport, name="shop", python=python, manage_py=manage_py
    )


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_every_client_gets_the_token_once(client: str, transport: str) -> None:
    assert config(client, transport).count(TOKEN) == 1


def test_claude_desktop_goes_through_mcp_remote() -> None:
    server = json.loads(config("claude-desktop"))["mcpServers"]["shop"]
    assert server["command"] == "npx"
    assert server["env"] == {"AUTH_HEADER": f"Bearer {TOKEN}"}
    assert "Authorization:${AUTH_HEADER}" in server["args"]
    assert "https://shop.example.com/mcp" in server["args"]
    assert not any(" " in arg for arg in server["args"])
    assert "--allow-http" not in server["args"]


def test_mcp_remote_is_told_of_plain_http_and_of_sse() -> None:
    args = json.loads(config("claude-desktop", "sse", "http://localhost:8001/mcp/sse"))["mcpServers"]["shop"]["args"]
    assert "--allow-http" in args
    assert args[args.index("--transport") + 1] == "sse-only"


@pytest.mark.parametrize(
    ("client", "root"), [("claude-desktop", "mcpServers"), ("cursor", "mcpServers"), ("vscode", "servers")]
)
def test_over_stdio_a_client_starts_the_command_with_the_token_in_its_environment(client: str, root: str) -> None:
    server = json.loads(config(client, "stdio"))[root]["shop"]
    assert server["command"] == "/srv/my shop/.venv/bin/python"
    assert server["args"] == ["C:\\shop\\manage.py", "mcp_stdio"]
    assert server["env"] == {"MCP_TOKEN": TOKEN}


def test_cursor_takes_address_and_headers() -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    server = {"url": "https://shop.example.com/mcp", "headers": headers}
    assert json.loads(config("cursor")) == {"mcpServers": {"shop": server}}


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_vscode_names_the_transport(transport: str) -> None:
    assert json.loads(config("vscode", transport))["servers"]["shop"]["type"] == transport


def test_codex_reads_toml() -> None:
    server = tomllib.loads(config("codex"))["mcp_servers"]["shop"]
    assert server == {"url": "https://shop.example.com/mcp", "http_headers": {"Authorization": f"Bearer {TOKEN}"}}
    local = tomllib.loads(config("codex", "stdio"))["mcp_servers"]["shop"]
    assert local["args"] == ["C:\\shop\\manage.py", "mcp_stdio"]
    assert tomllib.loads(config("codex", "sse"))["mcp_servers"]["shop"]["command"] == "npx"


def test_codex_reads_a_name_with_a_dot() -> None:
    text = client_config("codex", url="https://a/mcp", token=TOKEN, name="shop.example")
    assert "shop.example" in tomllib.loads(text)["mcp_servers"]


def test_claude_code_gets_a_command_for_the_shell() -> None:
    words = shlex.split(config("claude-code"))
    assert words[:7] == ["claude", "mcp", "add", "--transport", "http", "shop", "https://shop.example.com/mcp"]
    assert words[7:] == ["--header", f"Authorization: Bearer {TOKEN}"]
    local = shlex.split(config("claude-code", "stdio"))
    assert local[local.index("--") :] == ["--", "/srv/my shop/.venv/bin/python", "C:\\shop\\manage.py", "mcp_stdio"]
    assert f"MCP_TOKEN={TOKEN}" in local


@pytest.mark.parametrize(("client", "transport"), [("emacs", "http"), ("cursor", "carrier-pigeon")])
def test_an_unknown_client_or_transport_is_refused_with_the_choices(client: str, transport: str) -> None:
    with pytest.raises(ValueError, match=r"Unknown .* Choose one of: ") as refused:
        config(client, transport)
    assert TOKEN not in str(refused.value)


def test_the_endpoint_comes_from_the_public_url(settings) -> None:
    settings.MCP_PUBLIC_URL = "https://shop.example.com/"
    assert endpoint_url() == "https://shop.example.com/mcp"
    assert endpoint_url("sse") == "https://shop.example.com/mcp/sse"


def test_the_name_is_the_projects_unless_set(settings) -> None:
    settings.ROOT_URLCONF = "oak_shop.urls"
    assert server_name() == "oak-shop"
    settings.MCP_SERVER_NAME = "Oak"
    assert server_name() == "Oak"
