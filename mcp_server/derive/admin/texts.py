"""What a tool says of itself: a short description and the schema of its arguments."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.db import connections, models

from mcp_server.derive.admin.bound import Bound
from mcp_server.derive.admin.bulk import OPERATIONS, operations
from mcp_server.derive.admin.filters import field_filters, filter_choices, path_of
from mcp_server.derive.admin.listing import MAX_ROWS, sortable
from mcp_server.derive.admin.reading import shown_relations
from mcp_server.derive.admin.refusal import words_of
from mcp_server.derive.admin.schema import change_schema, values_schema
from mcp_server.derive.admin.sidebar import choices_of, kind_of, own_parameters

logger = logging.getLogger(__name__)

MAX_COLUMNS = 6
LIMIT = {"type": "integer", "description": f"1-{MAX_ROWS}"}
OFFSET = {"type": "integer", "description": "Skip"}
DRY_RUN = {"type": "boolean", "description": "Only show"}
FIELDS = {"type": "array", "description": "Only these"}
CAN = {"type": "boolean", "description": "Add rights"}
ROWS = {"type": "array", "description": "Ids or labels"}
FILTER_TYPES: list[tuple[Any, dict[str, Any]]] = [
    (models.BooleanField, {"type": "boolean"}),
    (models.IntegerField, {"type": "integer"}),
    (models.FloatField | models.DecimalField, {"type": "number"}),
    # Of a moment a day is enough; it is the whole day.
    (models.DateField, {"type": "string", "format": "date"}),
    (models.CharField | models.TextField | models.UUIDField, {"type": "string"}),
]


def description(bound: Bound, verb: str) -> str:
    """Return the tool's description: what it does to which model, and where to look next."""
    opts = bound.opts
    one, many = str(opts.verbose_name), str(opts.verbose_name_plural)
    about = f" {words}." if (words := words_of(type(bound.admin))) else ""
    texts = {
        "describe": f"Fields, filters, rights of {many}.{about}",
        "list": f"List {many}{_columns(bound)}",
        "get": f"One {one}, all fields.",
        "create": f"Add one {one}.",
        "update": f"Change one {one}; answers old and new. For more rows: {bound.exposed.tool_name('bulk')}.",
        "delete": f"Delete one {one}; dry_run shows what goes with it.",
        "bulk": f"All or nothing (atomic=false: each on its own): {' or '.join(_operations(bound))} up to 100 {many}.",
        "actions": f"Actions on {many}.",
        "action": f"Run one on {many}; some ask first.",
        "related": f"Rows around one {one}.",
        "history": f"Changes of one {one}.",
        "autocomplete": f"Find {many} or FK values.",
    }
    return texts[verb][:750]


def _columns(bound: Bound) -> str:
    names: list[str] = []
    with best_effort():
        names = list(bound.columns())
    return f": {', '.join(names[:MAX_COLUMNS])}{', …' if len(names) > MAX_COLUMNS else ''}" if names else "."


def parameters(bound: Bound, verb: str) -> dict[str, Any]:
    """Return the argument schema of a verb."""
    properties: dict[str, Any] = {}
    required: list[str] = []
    if verb in ("get", "update", "delete", "related", "history"):
        properties |= naming(bound)
    if verb in PARAMETERS:
        properties |= PARAMETERS[verb](bound)
    required += [name for name in ("values", "operation", "action") if name in properties and verb != "bulk"]
    if verb == "bulk":
        required = ["operation"]
    if verb == "action":
        required.append("ids")
    schema: dict[str, Any] = {"type": "object"}
    return schema | ({"properties": properties} if properties else {}) | ({"required": required} if required else {})


def naming(bound: Bound) -> dict[str, Any]:
    """Return the argument that names one row; a unique field given by its own name is taken as well."""
    unique: list[str] = []
    with best_effort():
        unique = bound.unique_fields()
    return {"id": {"description": f"{', '.join(['Id', *unique])} or label"}}


def _list(bound: Bound) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with best_effort():
        if bound.admin.get_search_fields(bound.request):
            found["search"] = {"type": "string", "description": "Words"}
    with best_effort():
        text = "Others too, __gte, __lte, __icontains; FK: id or label"
        found["filters"] = {"type": "object", "description": text, "properties": _filters(bound)}
    with best_effort():
        if columns := sortable(bound):
            found["order"] = {"type": "array", "description": f"-{next(iter(columns))}: down"}
    flags = {"type": "boolean"}
    return found | {
        "fields": FIELDS,
        "limit": LIMIT,
        "offset": OFFSET,
        "total": flags | {"description": "Count all"},
        "count_only": flags | {"description": "No rows"},
        **rights_shown(bound),
    }


def rights_shown(bound: Bound) -> dict[str, Any]:
    """Return the argument that asks what may be done to a row, for callers who may do anything at all."""
    admin, request = bound.admin, bound.request
    with best_effort():
        return {"can": CAN} if admin.has_change_permission(request) or admin.has_delete_permission(request) else {}
    return {"can": CAN}


def _filters(bound: Bound) -> dict[str, Any]:
    found = {name: _choices(spec) for name, spec in own_parameters(bound).items()}
    declared = {path_of(item) for item in bound.admin.get_list_filter(bound.request)}
    for name, field in field_filters(bound).items():
        if name in declared or name == bound.admin.date_hierarchy:
            keys = [key for key, _ in filter_choices(field) if key is not None]
            found[name] = {"enum": keys} if 0 < len(keys) <= 12 else _type_of(field)
    return found


def _type_of(field: Any) -> dict[str, Any]:
    """Return what a filter takes in JSON's terms; a foreign key takes an id or a label."""
    types = ((types, schema) for types, schema in FILTER_TYPES if isinstance(field, types))
    return {} if field.is_relation else next((schema for _, schema in types), {})


def _choices(spec: Any) -> dict[str, Any]:
    keys = list(choices_of(spec))
    otherwise = {"type": "boolean"} if kind_of(spec) == "boolean" else {}
    return {"enum": keys} if 0 < len(keys) <= 12 else otherwise


def _values(bound: Bound, *, change: bool) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"}
    with best_effort():
        schema = change_schema(bound) if change else values_schema(bound)
    fields = schema.get("properties", {}).values()
    keys = [item for item in fields if str(item.get("description", "")).startswith("FK")]
    hints = [f"FK: id, label or unique field; see autocomplete_{bound.exposed.noun}."] if keys else []
    if change:
        lists = ', lists {"add":[],"remove":[]}' if any("type" in item for item in keys) else ""
        hints.append(f'Numbers may be {{"add":-3}}, {{"multiply":"1.1"}}{lists}.')
    schema["description"] = " ".join(hints) or "The fields"
    return {"values": schema, "dry_run": DRY_RUN}


def _operations(bound: Bound) -> list[str]:
    with best_effort():
        return operations(bound)
    return list(OPERATIONS)


def bulk_arguments(noun: str, allowed: list[str]) -> dict[str, Any]:
    """Return the arguments of these operations; what a caller cannot do is not advertised to them."""
    found: dict[str, Any] = {"operation": {"enum": allowed, "description": "Which"}}
    if allowed != ["create"]:
        found["ids"] = ROWS
    if "update" in allowed:
        found["values"] = {"type": "object", "description": f"update: of all ids, see update_{noun}"}
    items = {"create": "create: values", "update": "update: {id, values}"}
    if told := "; ".join(items[name] for name in allowed if name in items):
        found["items"] = {"type": "array", "description": told}
    return found | {"atomic": {"type": "boolean", "description": "Default true"}, "dry_run": DRY_RUN}


def _action(bound: Bound) -> dict[str, Any]:
    names: list[str] = []
    with best_effort():
        names = [str(name) for name in bound.admin.get_actions(bound.request)]
    return {
        "action": {"enum": names, "description": "Which"} if names else {"type": "string", "description": "Which"},
        "ids": ROWS,
        "confirm": {"type": "boolean", "description": "After its question"},
        "parameters": {"type": "object", "description": "Answers to it"},
        "dry_run": DRY_RUN,
    }


def _related(bound: Bound) -> dict[str, Any]:
    names: list[str] = []
    with best_effort():
        names = list(shown_relations(bound))
    return {"relation": {"enum": names, "description": "Else counts"}, "offset": OFFSET}


def _autocomplete(bound: Bound) -> dict[str, Any]:
    return {
        "search": {"type": "string", "description": "Words"},
        "field": {"type": "string", "description": "A FK"},
        "offset": OFFSET,
    }


PARAMETERS: dict[str, Any] = {
    "list": _list,
    "get": lambda bound: {"fields": FIELDS, **rights_shown(bound)},
    "create": lambda bound: _values(bound, change=False),
    "update": lambda bound: _values(bound, change=True),
    "delete": lambda bound: {"dry_run": DRY_RUN},
    "bulk": lambda bound: bulk_arguments(bound.exposed.noun, _operations(bound)),
    "action": _action,
    "related": _related,
    "history": lambda bound: {"offset": OFFSET},
    "autocomplete": _autocomplete,
}


class QueryRefusedError(RuntimeError):
    """The registered schemas are made when the server starts, perhaps before there is a database."""


@contextmanager
def without_database() -> Iterator[None]:
    """Refuse every query: what the project's code cannot say without the database is left out."""

    def refuse(*args: Any) -> Any:
        raise QueryRefusedError

    with ExitStack() as stack:
        for connection in connections.all():
            stack.enter_context(connection.execute_wrapper(refuse))
            # A database that is away would otherwise hold up the start once for every form that asks it.
            stack.callback(setattr, connection, "connect", connection.connect)
            connection.connect = refuse  # type: ignore[method-assign]
        yield


@contextmanager
def best_effort() -> Iterator[None]:
    """Let the project's code say what it can; what it cannot is left to describe."""
    try:
        yield
    except Exception:
        # The project's own hooks may fail for a user or a row that is not quite real; the tool works all the same.
        logger.debug("A part of a tool's schema is left to describe", exc_info=True)
