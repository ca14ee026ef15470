"""Where derived components live: added and found by name at once, however many there are."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from fastmcp import FastMCP
from fastmcp.prompts import Prompt
from fastmcp.resources import ResourceTemplate
from fastmcp.server.providers import LocalProvider, Provider
from fastmcp.tools import Tool

Component = Tool | Prompt | ResourceTemplate
C = TypeVar("C", Tool, Prompt, ResourceTemplate)


class DerivedProvider(Provider):
    """Keeps components without versions; what is written by hand on the same server hides its namesakes.

    FastMCP's own store compares every component with all others when it is added, and looks through all at a call.
    """

    def __init__(self, written: LocalProvider) -> None:
        super().__init__()
        self._written = written
        self._kept: dict[str, Component] = {}

    def add(self, components: Iterable[Component]) -> tuple[list[Component], list[Component]]:
        """Keep those whose names are free; return them, and those whose names are taken."""
        added: list[Component] = []
        taken: list[Component] = []
        written = self._names_written()
        for component in components:
            name = _name(component.key)
            if name in written or name in self._kept:
                taken.append(component)
            else:
                self._kept[name] = component
                added.append(component)
        return added, taken

    def _names_written(self) -> set[str]:
        # It has no public way to ask that is not asynchronous, and servers are imported inside a running loop.
        return {_name(key) for key in self._written._components}

    def all(self, kind: type[C]) -> list[C]:
        """Return the components of a kind."""
        written = self._names_written()
        return [part for name, part in self._kept.items() if isinstance(part, kind) and name not in written]

    def one(self, kind: type[C], name: str) -> C | None:
        """Return the component of a kind that has this name."""
        key = kind.make_key(name)
        found = self._kept.get(key)
        return found if isinstance(found, kind) and key not in self._names_written() else None

    async def _list_tools(self) -> Sequence[Tool]:
        return self.all(Tool)

    async def _get_tool(self, name: str, version: Any = None) -> Tool | None:
        return self.one(Tool, name)

    async def _list_prompts(self) -> Sequence[Prompt]:
        return self.all(Prompt)

    async def _get_prompt(self, name: str, version: Any = None) -> Prompt | None:
        return self.one(Prompt, name)

    async def _list_resource_templates(self) -> Sequence[ResourceTemplate]:
        return self.all(ResourceTemplate)

    async def _get_resource_template(self, uri: str, version: Any = None) -> ResourceTemplate | None:
        matching = (template for template in self.all(ResourceTemplate) if template.matches(uri) is not None)
        return next(matching, None)


def derived_of(mcp: FastMCP[Any]) -> DerivedProvider:
    """Return the server's provider of derived components, which is made at the first one."""
    for provider in mcp.providers:
        if isinstance(provider, DerivedProvider):
            return provider
    mcp.add_provider(made := DerivedProvider(mcp.local_provider))
    return made


def _name(key: str) -> str:
    """Return a component's key without its version."""
    return key.rpartition("@")[0]
