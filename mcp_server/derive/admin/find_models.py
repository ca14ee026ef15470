"""The tool that tells which models there are."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, ClassVar

from fastmcp import FastMCP
from fastmcp.tools import Tool
from pydantic import PrivateAttr

from mcp_server.derive.admin import describe
from mcp_server.derive.admin.bound import Bound, for_lists
from mcp_server.derive.admin.derived_tool import READ, DerivedTool
from mcp_server.derive.admin.exposure import Exposed
from mcp_server.derive.provider import derived_of
from mcp_server.derive.registration import add_derived
from mcp_server.derive.requests import Origin


class FindModels(DerivedTool):
    """Tells which models there are; one for all registered sites."""

    # Stays in the list where a search stands for the derived tools: it says which words to search for.
    derived: ClassVar[bool] = False
    _tools: list[Exposed] = PrivateAttr(default_factory=list)
    _known: list[Exposed] = PrivateAttr(default_factory=list)

    @classmethod
    def empty(cls) -> "FindModels":
        return cls(
            name="find_models",
            description="Find the models you may use here; their tools are list_<model>, get_<model>, … Start here.",
            parameters={
                "type": "object",
                "properties": {"search": {"type": "string", "description": "Part of a name"}},
            },
            output_schema={"type": "object", "properties": {"models": {"type": "array"}}},
            annotations=READ,
        )

    def visible_to(self, user: Any) -> bool:
        # One model is enough; the others need not be asked.
        return any(describe.find_models(self._tools, self._known, partial(for_lists, user=user)))

    def answer(self, user: Any, origin: Origin, arguments: Mapping[str, Any]) -> Any:
        found = describe.find_models(self._tools, self._known, partial(Bound, user=user, origin=origin))
        return describe.named(found, arguments.get("search", ""))

    def add(self, tools: Iterable[Exposed], known: Iterable[Exposed]) -> None:
        self._tools += tools
        self._known += known


def register_find_models(mcp: FastMCP[Any], exposed: list[Exposed], known: list[Exposed]) -> list[str]:
    """Let the tool know these models, and those that have no tools; return its name where it is new."""
    own = [tool for tool in derived_of(mcp).all(Tool) if isinstance(tool, FindModels)]
    if own:
        own[0].add(exposed, known)
        return []
    tool = FindModels.empty()
    tool.add(exposed, known)
    return add_derived(mcp, [tool])
