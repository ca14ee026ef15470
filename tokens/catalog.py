"""The tools a token may be given; whoever serves tools says which there are."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ToolInfo:
    """What someone choosing tools for a token sees of one."""

    name: str
    title: str = ""
    tags: tuple[str, ...] = ()
    description: str = ""


Catalog = Callable[[], Iterable[ToolInfo]]
_catalogs: list[Catalog] = []


def register_tool_catalog(catalog: Catalog | None) -> None:
    """Make this function the source of tool_catalog(), in place of any before; None takes it away."""
    _catalogs[:] = [catalog] if catalog else []


def has_tool_catalog() -> bool:
    return bool(_catalogs)


def tool_catalog() -> list[ToolInfo]:
    """Return all tools by name; empty when nobody registered a catalog."""
    return sorted((tool for catalog in _catalogs for tool in catalog()), key=lambda tool: tool.name)


def unknown_tools(names: Sequence[str]) -> list[str]:
    """Return the names no tool has; without a catalog there is nothing to compare with, so none."""
    if not has_tool_catalog():
        return []
    known = {tool.name for tool in tool_catalog()}
    return [name for name in names if name not in known]
