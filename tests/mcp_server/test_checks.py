"""`manage.py check` finds unsafe settings and tools that no model could use."""

from typing import Annotated, Any

import pytest
from django.core.checks import Tags, run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from fastmcp import FastMCP
from pydantic import Field
from pytest_django import Settings

import mcp_server.server
from mcp_server.checks import check_allowed_tools, check_authentication, check_broker, check_tools
from tests.tokens.people import make_token, make_user


@pytest.fixture
def mcp(monkeypatch: pytest.MonkeyPatch) -> FastMCP[Any]:
    """The server that the checks look at, empty."""
    empty = FastMCP("Empty")
    monkeypatch.setattr(mcp_server.server, "mcp", empty)
    return empty


def ids(messages: list[Any]) -> list[str]:
    return [message.id for message in messages]


def test_the_projects_own_tools_pass() -> None:
    assert check_tools(None) == []
    assert check_authentication(None) == []


def test_open_doors_are_an_error_outside_development(db: None, settings: Settings) -> None:
    settings.MCP_REQUIRE_AUTH, settings.DEBUG = False, False
    assert ids(check_authentication(None)) == ["mcp_server.E001"]
    with pytest.raises(SystemCheckError, match="anyone could call"):
        call_command("check")
    settings.DEBUG = True
    assert check_authentication(None) == []


@pytest.mark.parametrize("name", ["list groups", "list.groups", "größe", "x" * 65])
def test_a_name_not_every_client_takes_is_an_error(mcp: FastMCP[Any], name: str) -> None:
    @mcp.tool(name=name)
    def tool() -> str:
        """Do something."""
        return ""

    assert ids(check_tools(None)) == ["mcp_server.E002"]


@pytest.mark.parametrize("name", ["list_groups", "list-groups", "X", "x" * 64])
def test_a_good_tool_passes(mcp: FastMCP[Any], name: str) -> None:
    @mcp.tool(name=name)
    def tool(limit: Annotated[int, Field(description="How many.")] = 5) -> str:
        """Do something."""
        return ""

    assert check_tools(None) == []


def test_a_tool_without_a_description_is_an_error(mcp: FastMCP[Any]) -> None:
    @mcp.tool
    def silent() -> str:
        return ""

    assert ids(check_tools(None)) == ["mcp_server.E003"]


def test_a_long_description_is_an_error(mcp: FastMCP[Any]) -> None:
    mcp.tool(lambda: "", name="fits", description="x" * 750)
    mcp.tool(lambda: "", name="does_not_fit", description="x" * 751)
    (message,) = check_tools(None)
    assert (message.id, "does_not_fit" in message.msg, "751" in message.msg) == ("mcp_server.E004", True, True)


def test_an_argument_without_a_description_is_an_error(mcp: FastMCP[Any]) -> None:
    @mcp.tool
    def search(text: str, limit: Annotated[int, Field(description="How many.")] = 5) -> str:
        """Search."""
        return ""

    (message,) = check_tools(None)
    assert (message.id, "argument text" in message.msg) == ("mcp_server.E005", True)


def test_a_token_that_allows_tools_nobody_has_is_a_warning(db: None, mcp: FastMCP[Any]) -> None:
    mcp.tool(lambda: "", name="list_groups", description="List.")
    user = make_user("ada")
    make_token(user)
    make_token(user, allowed_tools=["list_groups"])
    stale = make_token(user, allowed_tools=["list_groups", "list_people", "a_gone_one"])
    (message,) = check_allowed_tools(None, databases=["default"])
    assert message.id == "mcp_server.W001"
    assert message.msg == f"Token {stale.pk} allows tools that do not exist: a_gone_one, list_people."
    assert check_allowed_tools(None) == []
    assert ids(run_checks(tags=[Tags.database], databases=["default"])) == ["mcp_server.W001"]


@pytest.mark.parametrize("broker", ["redis", "postgresql", "kafka://user:hunter22@broker"])
def test_an_unknown_broker_is_an_error_that_does_not_repeat_it(settings: Settings, broker: str) -> None:
    settings.MCP_BROKER = broker
    (error,) = check_broker(None)
    assert (error.id, "hunter22" in str(error)) == ("mcp_server.E009", False)
    for known in ("", "postgres", "redis://cache:6379/1", "rediss://cache", "unix:///run/redis.sock"):
        settings.MCP_BROKER = known
        assert check_broker(None) == []
