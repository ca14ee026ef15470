"""Ready-to-paste configuration for the clients people use."""

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

TRANSPORTS = ("http", "sse", "stdio")
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Server:
    """What every client needs to know, each in its own words."""

    name: str
    url: str
    token: str
    transport: str
    python: str
    manage_py: str

    @property
    def bearer(self) -> str:
        return f"Bearer {self.token}"

    @property
    def remote(self) -> dict[str, Any]:
        return {"url": self.url, "headers": {"Authorization": self.bearer}}

    @property
    def local(self) -> dict[str, Any]:
        return {"command": self.python, "args": [self.manage_py, "mcp_stdio"], "env": {"MCP_TOKEN": self.token}}

    @property
    def bridged(self) -> dict[str, Any]:
        """Reach the server through mcp-remote, for clients that only start programs."""
        # The header has no space and takes its value from the environment: spaces in arguments break on Windows.
        args = ["-y", "mcp-remote", self.url, "--header", "Authorization:${AUTH_HEADER}"]
        args += ["--transport", "sse-only" if self.transport == "sse" else "http-only"]
        if self.url.startswith("http://"):
            args.append("--allow-http")
        return {"command": "npx", "args": args, "env": {"AUTH_HEADER": self.bearer}}


def client_config(
    client: str,
    *,
    url: str,
    token: str,
    transport: str = "http",
    name: str = "django",
    python: str = "python",
    manage_py: str = "manage.py",
) -> str:
    """Return what to paste for this client: JSON, TOML for Codex, a shell command for Claude Code.

    `url` is the endpoint itself, such as https://example.com/mcp. Over stdio, `python` and `manage_py` should be
    absolute paths, since a client starts them from a folder of its own. An unknown client or transport is a ValueError.
    """
    if client not in CLIENTS:
        raise ValueError(f"Unknown client {client!r}. Choose one of: {', '.join(CLIENTS)}.")
    if transport not in TRANSPORTS:
        raise ValueError(f"Unknown transport {transport!r}. Choose one of: {', '.join(TRANSPORTS)}.")
    return CLIENTS[client].render(Server(name, url, token, transport, python, manage_py))


def _claude_desktop(server: Server) -> str:
    entry = server.local if server.transport == "stdio" else server.bridged
    return _json({"mcpServers": {server.name: entry}})


def _claude_code(server: Server) -> str:
    add = ["claude", "mcp", "add", "--transport", server.transport, server.name]
    if server.transport == "stdio":
        run = ["--", server.python, server.manage_py, "mcp_stdio"]
        return shlex.join([*add, "--env", f"MCP_TOKEN={server.token}", *run])
    return shlex.join([*add, server.url, "--header", f"Authorization: {server.bearer}"])


def _cursor(server: Server) -> str:
    entry = server.local if server.transport == "stdio" else server.remote
    return _json({"mcpServers": {server.name: entry}})


def _vscode(server: Server) -> str:
    entry = server.local if server.transport == "stdio" else server.remote
    return _json({"servers": {server.name: {"type": server.transport} | entry}})


def _codex(server: Server) -> str:
    if server.transport == "http":
        return _toml(server.name, {"url": server.url, "http_headers": {"Authorization": server.bearer}})
    # Codex speaks no SSE of its own.
    return _toml(server.name, server.local if server.transport == "stdio" else server.bridged)


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _toml(name: str, entry: dict[str, Any]) -> str:
    lines = [f"[mcp_servers.{_toml_key(name)}]"]
    return "\n".join([*lines, *(f"{key} = {_toml_value(value)}" for key, value in entry.items())])


def _toml_value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml_key(key)} = {_toml_value(item)}" for key, item in value.items()) + " }"
    return json.dumps(value)  # TOML reads JSON's strings and lists of strings.


def _toml_key(name: str) -> str:
    return name if BARE_KEY.fullmatch(name) else json.dumps(name)


@dataclass(frozen=True)
class Client:
    """A program people use, and where its configuration goes."""

    label: str
    where: str
    render: Callable[[Server], str]


CLIENTS = {
    "claude-desktop": Client(
        "Claude Desktop",
        "claude_desktop_config.json (Settings, Developer, Edit Config); needs Node.js for mcp-remote",
        _claude_desktop,
    ),
    "claude-code": Client("Claude Code", "a terminal", _claude_code),
    "cursor": Client("Cursor", "~/.cursor/mcp.json", _cursor),
    "vscode": Client("VS Code", ".vscode/mcp.json", _vscode),
    "codex": Client("Codex", "~/.codex/config.toml", _codex),
}
