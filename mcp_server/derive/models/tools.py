"""The tool class of each action on a model."""

from collections.abc import Callable
from typing import Annotated, Any

from django.db import models
from django.db.models import Q, QuerySet
from pydantic import BaseModel, Field, create_model

from mcp_server.classes.errors import Invalid
from mcp_server.classes.resources import Resource
from mcp_server.classes.schema import Schema, Text
from mcp_server.classes.tools import Tool
from mcp_server.derive.models.exposed import ExposedModel
from mcp_server.derive.models.rows import as_answer, delete, find, write
from mcp_server.derive.models.types import answered_type, asked_type, description_of, key_type
from mcp_server.permissions import CREATE, READ_ONLY, UPDATE

MAX_PAGE = 100
MAX_OFFSET = 1_000_000
ACTIONS = ("list", "retrieve", "create", "update", "delete")


class Rule:
    """Asks the model's registration who may do what."""

    def __init__(self, exposed: ExposedModel, action: str) -> None:
        self.exposed, self.action = exposed, action
        self.permissions = exposed.permissions[action]

    def has_permission(self, request: Any, view: Any) -> bool:
        return self.exposed.allows(request.user, self.action)


def tool_class(exposed: ExposedModel, action: str) -> type[Tool]:
    """Return the tool class of one action."""
    body = {
        "list": _list,
        "retrieve": _retrieve,
        "create": _create,
        "update": _update,
        "delete": _delete,
    }[action](exposed)
    told = {
        "name": f"{exposed.prefix}_{action}",
        "tags": {exposed.model._meta.app_label},
        "permission_classes": [Rule(exposed, action)],
    }
    return type(f"{exposed.model.__name__}{action.title()}", (Tool,), told | body)


def resource_class(exposed: ExposedModel) -> type[Resource]:
    """Return the resource template that reads one row."""
    meta = exposed.model._meta

    def read(self: Resource, user: Any, id: str) -> Any:
        key = exposed.key.to_python(id)
        return _row_model(exposed)(**as_answer(exposed, find(exposed, user, key))).model_dump(mode="json")

    told = {
        "uri": f"model://{meta.label_lower}/{{id}}",
        "name": f"{exposed.prefix}",
        "description": f"One {exposed.noun}.",
        "mime_type": "application/json",
        "tool_name": f"{exposed.prefix}_retrieve",
        "permission_classes": [Rule(exposed, "retrieve")],
        "read": read,
    }
    return type(f"{exposed.model.__name__}Resource", (Resource,), told)


def _list(exposed: ExposedModel) -> dict[str, Any]:
    filters = {field.name: field for field in exposed.fields if _is_filter(field)}
    names = [field.name for field in exposed.fields if isinstance(field, models.Field) and _is_sortable(field)]
    arguments: dict[str, Any] = {
        name: (asked_type(field) | None, Field(None, description=f"Only rows with this: {description_of(field)}"))
        for name, field in filters.items()
    }
    if exposed.search:
        told = f"Text to find in {', '.join(name.replace('__', '.') for name in exposed.search)}."
        arguments["search"] = (Text | None, Field(None, description=told))
    orders = {"type": "string", "enum": [value for name in names for value in (name, f"-{name}")]}
    arguments["ordering"] = (list[Annotated[str, Field(json_schema_extra=orders)]], _ordering())
    arguments["limit"] = (int, Field(20, ge=1, le=MAX_PAGE, description=f"Rows to return, 1 to {MAX_PAGE}."))
    arguments["offset"] = (int, Field(0, ge=0, le=MAX_OFFSET, description="Rows to skip."))

    def run(self: Tool, user: Any, ordering: list[str], limit: int, offset: int, **asked: Any) -> dict[str, Any]:
        rows = exposed.rows(user)
        if text := asked.pop("search", None):
            rows = rows.filter(_search(exposed, text))
        for name, value in asked.items():
            rows = _narrowed(rows, filters[name], value) if value is not None else rows
        wrong = [name for name in ordering if name.removeprefix("-") not in names]
        if wrong:
            raise Invalid(ordering=f"{wrong[0][:60]!r} is not one of: {', '.join(orders['enum'])}.")
        rows = rows.order_by(*ordering, "pk") if ordering or not rows.ordered else rows
        count = rows.count()
        page = [as_answer(exposed, row) for row in rows[offset : offset + limit]]
        return {"count": count, "next_offset": offset + limit if count > offset + limit else None, "results": page}

    row = _row_model(exposed)
    return {
        "description": f"List {exposed.nouns}. next_offset is the offset of the next page.",
        "annotations": READ_ONLY,
        "Input": create_model("Input", __base__=Schema, **arguments),
        "Output": create_model("Output", count=(int, ...), next_offset=(int | None, ...), results=(list[row], ...)),  # type: ignore[valid-type]
        "run": run,
    }


def _retrieve(exposed: ExposedModel) -> dict[str, Any]:
    def run(self: Tool, user: Any, id: Any) -> dict[str, Any]:
        return as_answer(exposed, find(exposed, user, id))

    return _acting(f"Return one {exposed.noun}.", READ_ONLY, exposed, run, {"id": _key(exposed)})


def _create(exposed: ExposedModel) -> dict[str, Any]:
    arguments = {field.name: _argument(field, required=_is_needed(field)) for field in exposed.writable}

    def run(self: Tool, user: Any, **values: Any) -> dict[str, Any]:
        return as_answer(exposed, write(exposed, user, exposed.model(), _given(values)))

    return _acting(f"Create one {exposed.noun} and return it.", CREATE, exposed, run, arguments)


def _update(exposed: ExposedModel) -> dict[str, Any]:
    changeable = (field for field in exposed.writable if not field.primary_key)
    arguments = {field.name: _argument(field, required=False) for field in changeable if field.name != "id"}

    def run(self: Tool, user: Any, id: Any, **values: Any) -> dict[str, Any]:
        return as_answer(exposed, write(exposed, user, find(exposed, user, id), _given(values)))

    text = f"Change one {exposed.noun} and return it; fields left out stay as they are."
    return _acting(text, UPDATE, exposed, run, {**arguments, "id": _key(exposed)})


def _delete(exposed: ExposedModel) -> dict[str, Any]:
    def run(self: Tool, user: Any, id: Any) -> str:
        delete(exposed, user, id)
        return "Deleted."

    body = _acting(f"Delete one {exposed.noun} for good.", UPDATE, exposed, run, {"id": _key(exposed)})
    return body | {"Output": None}


class _LeftOut:
    """Stands for an argument that was not sent; null is a value."""

    def __repr__(self) -> str:
        return "left out"


LEFT_OUT = _LeftOut()


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if not isinstance(value, _LeftOut)}


def _acting(
    text: str, annotations: Any, exposed: ExposedModel, run: Callable[..., Any], arguments: dict[str, Any]
) -> dict[str, Any]:
    made = create_model("Input", __base__=Schema, **arguments)
    return {"description": text, "annotations": annotations, "Input": made, "Output": _row_model(exposed), "run": run}


def _row_model(exposed: ExposedModel) -> type[BaseModel]:
    fields: dict[str, Any] = {field.name: (answered_type(field), ...) for field in exposed.fields}
    return create_model("Row", **fields)


def _argument(field: Any, *, required: bool) -> tuple[Any, Any]:
    described = description_of(field)
    if required:
        return asked_type(field), Field(description=described)
    return asked_type(field), Field(default_factory=lambda: LEFT_OUT, description=described)


def _key(exposed: ExposedModel) -> tuple[Any, Any]:
    return key_type(exposed.model), Field(description=f"Key of the {exposed.noun}.")


def _ordering() -> Any:
    return Field(
        default_factory=list, description="Fields to sort by, in this order; - before a name means descending."
    )


def _is_needed(field: Any) -> bool:
    return not (field.blank or field.null or field.has_default())


def _is_filter(field: Any) -> bool:
    kinds = (models.BooleanField, models.ForeignKey, models.ManyToManyField)
    return isinstance(field, kinds) or bool(field.choices) or bool(field.unique)


def _is_sortable(field: Any) -> bool:
    return not isinstance(field, models.ManyToManyField | models.JSONField | models.FileField)


def _narrowed(rows: QuerySet[Any], field: Any, value: Any) -> QuerySet[Any]:
    if isinstance(field, models.ManyToManyField):
        # By subquery: a join would count a row once for each match.
        links: Any = field.remote_field.through
        holders = links._default_manager.filter(**{f"{field.m2m_reverse_field_name()}__in": value})
        return rows.filter(pk__in=holders.values(field.m2m_field_name()))
    return rows.filter(**{field.name: value})


def _search(exposed: ExposedModel, text: str) -> Q:
    found = Q()
    for name in exposed.search:
        found |= Q(**{f"{name}__icontains": text})
    return found
