"""Any installed app may bring tools of its own."""

import asyncio
from typing import Any

import pytest

from mcp_server.server import create_server, register_everything

MODULE = '''
"""Tools of this app."""

from mcp_server.classes import register_tool_classes, tool


@tool
def greet(user):
    """Greet."""
    return "hello"


def register(mcp):
    register_tool_classes(mcp, greet)
'''


@pytest.fixture
def greetings(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    app = tmp_path / "greetings"
    app.mkdir()
    (app / "__init__.py").write_text("")
    (app / "mcp_tools.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "greetings"]


def test_mcp_tools_of_an_installed_app_is_found(greetings):
    server = create_server()
    register_everything(server)
    assert "greet" in {tool.name for tool in asyncio.run(server.list_tools(run_middleware=False))}
