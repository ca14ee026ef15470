"""Collapses derived tools behind a search and a call, for sites whose list of tools no model could read."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from django.core.exceptions import ImproperlyConfigured
from fastmcp import Context, FastMCP
from fastmcp.dependencies import CurrentContext
from fastmcp.exceptions import ToolError
from fastmcp.server.dependencies import get_context
from fastmcp.server.transforms.search import BM25SearchTransform
from fastmcp.tools import FunctionTool, Tool, ToolResult
from pydantic import Field
from pydantic_core import to_json

from mcp_server.permissions import READ_ONLY, PassesOn

MAX_RESULTS = 3
# Words of a sentence that stand in many tools and say nothing of what is wanted.
FILLERS = re.compile(
    r"\b(?:a|all|an|and|any|as|at|by|for|from|i|in|is|it|me|my|of|on|one|or|the|this|to|what|with)\b", re.I
)


class PassingTool(PassesOn, FunctionTool):
    """Runs on nobody's account: what it calls is authorized under its own name."""


class DerivedToolSearch(BM25SearchTransform):
    """Hides what says that it is derived; what was written by hand stays in the list.

    Both tools here only pass on: search looks through the caller's own list, and call goes through every
    middleware again, so that a tool the caller may not use is as unknown as it is without the search.
    """

    async def transform_tools(self, tools: Sequence[Tool]) -> Sequence[Tool]:
        if not _in_a_message():
            # Commands, checks and the choice of a token's tools know every tool by its own name.
            return tools
        listed = [tool for tool in tools if not is_derived(tool)]
        return tools if len(listed) == len(tools) else [*listed, self._make_search_tool(), self._make_call_tool()]

    async def _get_visible_tools(self, ctx: Any) -> Sequence[Tool]:
        return [tool for tool in await self.get_tool_catalog(ctx) if is_derived(tool)]

    def _make_search_tool(self) -> Tool:
        async def search_tools(
            query: Annotated[str, Field(description="A verb and a model")], ctx: Context = CurrentContext()
        ) -> ToolResult:
            """Find tools by words such as 'update product' or 'list order'; returns the best three with their
            arguments. Run them with call_tool."""
            return ToolResult(shown(await self._found(await self._get_visible_tools(ctx), query)))

        return PassingTool.from_function(search_tools, annotations=READ_ONLY)

    async def _found(self, tools: Sequence[Tool], query: str) -> list[Tool]:
        """Return the tool of this name, then those that say most of the words, in their arguments too."""
        by_name = {tool.name: tool for tool in tools}
        spoken = [tool.model_copy(update={"description": words_of(tool), "parameters": {}}) for tool in tools]
        names = [query.strip(), *(tool.name for tool in await self._search(spoken, wanted(query)))]
        return [by_name[name] for name in dict.fromkeys(names) if name in by_name][:MAX_RESULTS]

    def _make_call_tool(self) -> Tool:
        async def call_tool(
            name: Annotated[str, Field(description="A tool's name")],
            arguments: Annotated[dict[str, Any], Field(description="Its arguments")],
            ctx: Context = CurrentContext(),
        ) -> ToolResult:
            """Run a tool that search_tools found."""
            if not any(tool.name == name for tool in await self._get_visible_tools(ctx)):
                raise ToolError(f"Unknown tool: {name!r}. Find one with search_tools.", log_level=logging.INFO)
            return await ctx.fastmcp.call_tool(name, arguments)

        return PassingTool.from_function(call_tool)


def collapse_derived_tools(mcp: FastMCP[Any]) -> None:
    """Let lists show a search instead of the derived tools; called once, after everything is registered."""
    if any(isinstance(transform, DerivedToolSearch) for transform in mcp.transforms):
        raise ImproperlyConfigured("The derived tools of this server are collapsed already.")
    mcp.add_transform(DerivedToolSearch(max_results=MAX_RESULTS))


def words_of(tool: Tool) -> str:
    """Return what a tool is searched by: its name above all, its description, its arguments and their choices."""
    return singular(" ".join([*[tool.name] * 3, tool.description or "", *_words_in(tool.parameters)]))


def _words_in(schema: Any) -> Iterator[str]:
    if not isinstance(schema, Mapping):
        return
    yield from map(str, schema.get("enum", ()))
    for name, inside in schema.get("properties", {}).items():
        yield name
        yield from _words_in(inside)
    yield from _words_in(schema.get("items"))


def wanted(query: str) -> str:
    """Return the words of a query that can tell one tool from another."""
    return FILLERS.sub(" ", singular(query))


def singular(text: str) -> str:
    """Return the words with the plurals of most English ones taken back, so that orders finds order."""
    words = text.replace("_", " ")
    return re.sub(r"(\w{2,}[^\Ws])s\b", r"\1", re.sub(r"(\w{2,})ies\b", r"\1y", words))


def shown(tools: Sequence[Tool]) -> str:
    """Return what a model needs to call the tools: names, descriptions and arguments."""
    found = [{"name": tool.name, "description": tool.description, "arguments": tool.parameters} for tool in tools]
    return to_json(found).decode() if found else "No tool fits. Use a verb and a model, such as 'update product'."


def is_derived(tool: Tool) -> bool:
    kind = type(tool)
    return bool(getattr(kind, "derived", kind.__module__.startswith(f"{__package__}.")))


def _in_a_message() -> bool:
    try:
        return get_context().request_context is not None
    except RuntimeError:
        return False
