"""Completes ids of rows and values of foreign keys, as far as the caller may see them in the admin."""

from collections.abc import Mapping
from typing import Any

from django.apps import apps
from django.contrib import admin
from mcp_types import Completion

from mcp_server.context import token_has
from mcp_server.derive.admin.bound import Bound, for_lists
from mcp_server.derive.admin.exposure import Exposed
from mcp_server.derive.admin.lookup import find
from mcp_server.derive.admin.reading import autocomplete, by_label, foreign_keys, searched
from mcp_server.derive.admin.rows import named
from mcp_server.derive.completion import MAX_VALUES, REFUSALS, nothing, told
from mcp_server.derive.requests import own_origin


def complete_tool(exposed: Exposed, user: Any, argument: str, value: str) -> Completion:
    """Complete `id`, `ids`, unique fields and foreign keys of an admin tool; these also as `values.x`, `filters.x`."""
    bound = for_lists(exposed, user)
    name = argument.removeprefix("values.").removeprefix("filters.")
    if name in ("id", "ids") or name in bound.unique_fields():
        return row_names(bound, value)
    return related_names(bound, name, value) if name in foreign_keys(bound) else nothing()


def row_ids(bound: Bound, typed: str) -> Completion:
    """Return primary keys of rows the caller may read: the one that was typed, then those its text finds."""
    return told(str(row.pk) for row in _rows(bound, typed))


def row_names(bound: Bound, typed: str) -> Completion:
    """Return what tools take for a row: its first unique field, else its id; after a comma the next one of a list."""
    before, comma, last = typed.rpartition(",")
    prefix = f"{before}{comma} " if comma else ""
    unique = bound.unique_fields()
    return told(f"{prefix}{_name(named(bound, row), unique)}" for row in _rows(bound, last.strip()))


def names_of_rows(label: str, user: Any, typed: str) -> Completion:
    """Return names of rows of a model, "app.model", as its admin lets the caller see them."""
    model, site = apps.get_model(label), admin.site
    own = site._registry.get(model)
    if own is None or getattr(own, "mcp_expose", None) is False:
        return nothing()
    bound = Bound(Exposed(site, model, own, str(model._meta.model_name)), user, own_origin())
    return row_names(bound, typed) if may_look(bound) else nothing()


def may_look(bound: Bound) -> bool:
    """Tell whether the caller gets into this admin and may see rows of the model at all."""
    return bool(bound.site.has_permission(bound.request) and bound.admin.has_view_or_change_permission(bound.request))


def related_names(bound: Bound, field: str, typed: str) -> Completion:
    """Return what tools take for the rows that a foreign key may refer to."""
    if not may_list(bound.exposed):
        return nothing()
    answer = autocomplete(bound, {"field": field, "search": typed, "limit": MAX_VALUES})
    values = [_name(row, [name for name in row if name not in ("id", "label")]) for row in answer["rows"]]
    return Completion(values=values, has_more="next_offset" in answer)


def may_list(exposed: Exposed) -> bool:
    """Tell whether there is a tool that lists these rows, which the caller's token has: completion tells no more."""
    return any(token_has(exposed.tool_name(verb)) for verb in ("list", "autocomplete") if verb in exposed.verbs)


def _name(row: Mapping[str, Any], unique: list[str]) -> str:
    values = [row[name] for name in unique if row.get(name) not in (None, "")]
    return str(values[0] if values else row["id"])


def _rows(bound: Bound, typed: str) -> list[Any]:
    """Return rows in the caller's scope which each may be seen by its own rule."""
    if not may_list(bound.exposed):
        return []
    rows = [*_exactly(bound, typed), *_searched(bound, typed)]
    may = bound.admin.has_view_or_change_permission
    return [row for row in rows if may(bound.request, row)]


def _exactly(bound: Bound, typed: str) -> list[Any]:
    try:
        return [find(bound, {"id": typed})] if typed else []
    except REFUSALS:
        return []


def _searched(bound: Bound, typed: str) -> list[Any]:
    rows = bound.admin.get_queryset(bound.request)
    # Where nobody said what is searched, labels are.
    has_search = bool(bound.admin.get_search_fields(bound.request))
    found = searched(bound, rows, typed) if has_search else by_label(rows, typed)
    return list(found[: MAX_VALUES + 1])
