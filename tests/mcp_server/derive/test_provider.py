"""Derived components keep their names from each other, and give them up to what is written by hand."""

from typing import Any

import pytest
from fastmcp import Client, FastMCP
from fastmcp.prompts import Prompt
from fastmcp.resources import ResourceTemplate
from fastmcp.tools import Tool

from mcp_server.derive.registration import add_derived


def tool(text: str) -> Tool:
    def hours() -> str:
        """Tell the hours."""
        return text

    return Tool.from_function(hours)


def prompt(text: str) -> Prompt:
    def ask() -> str:
        return text

    return Prompt.from_function(ask)


def template(text: str) -> ResourceTemplate:
    def note(pk: str) -> str:
        return text

    return ResourceTemplate.from_function(note, uri_template="note://{pk}")


async def answers(server: FastMCP[Any]) -> list[str]:
    """Return what a client gets of the tool, the prompt and the resource, each of which its list has once."""
    async with Client(server) as client:
        lists = [await client.list_tools(), await client.list_prompts(), await client.list_resource_templates()]
        assert [len(listed) for listed in lists] == [1, 1, 1]
        asked, read = await client.get_prompt("ask"), await client.read_resource("note://1")
        return [(await client.call_tool("hours")).data, asked.messages[0].content.text, read[0].text]


@pytest.fixture
def server() -> FastMCP[Any]:
    return FastMCP("shop", on_duplicate="error")


def write_by_hand(server: FastMCP[Any]) -> None:
    server.add_tool(tool("by hand"))
    server.add_prompt(prompt("by hand"))
    server.add_template(template("by hand"))


async def test_derived_components_are_listed_found_and_used(server):
    assert add_derived(server, [tool("derived"), prompt("derived"), template("derived")]) == [
        "hours",
        "ask",
        "note://{pk}",
    ]
    assert await answers(server) == ["derived"] * 3


async def test_the_first_of_two_namesakes_stays_and_the_other_is_logged(server, caplog):
    add_derived(server, [tool("first"), prompt("first"), template("first")])
    assert add_derived(server, [tool("second"), prompt("second"), template("second")]) == []
    assert "tool name hours is taken" in caplog.text
    assert "prompt name ask is taken" in caplog.text
    assert await answers(server) == ["first"] * 3


async def test_what_is_written_by_hand_wins_whenever_it_comes(server, caplog):
    write_by_hand(server)
    assert add_derived(server, [tool("derived"), prompt("derived"), template("derived")]) == []
    assert "tool name hours is taken" in caplog.text
    assert await answers(server) == ["by hand"] * 3


async def test_what_is_written_by_hand_later_hides_its_namesakes(server):
    add_derived(server, [tool("derived"), prompt("derived"), template("derived")])
    write_by_hand(server)
    assert await answers(server) == ["by hand"] * 3


async def test_a_versioned_tool_written_by_hand_wins_as_well(server):
    server.tool(lambda: "by hand", name="hours", version="2")
    assert add_derived(server, [tool("derived")]) == []
    async with Client(server) as client:
        assert (await client.call_tool("hours")).content[0].text == "by hand"


async def test_names_that_nobody_has_are_unknown(server):
    add_derived(server, [tool("derived")])
    assert await server.get_tool("prices") is None
    assert await server.get_prompt("hours") is None
    assert await server.get_resource_template("note://1") is None
