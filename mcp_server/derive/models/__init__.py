"""Tools from a model alone, where there is neither an admin nor an API: read-only unless writing is asked for."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import CompositePrimaryKey, Model, QuerySet
from fastmcp import FastMCP

from mcp_server.classes.resources import register_resource_classes
from mcp_server.classes.tools import register_tool_classes
from mcp_server.derive.models.exposed import ExposedModel
from mcp_server.derive.models.tools import ACTIONS, resource_class, tool_class

__all__ = ["register_model_tools"]


def register_model_tools(
    mcp: FastMCP[Any],
    model: type[Model],
    actions: Iterable[str] = ("list", "retrieve"),
    *,
    fields: Sequence[str] | None = None,
    queryset: Callable[[Any], QuerySet[Any]] | None = None,
    permission: Callable[[Any, str], bool] | None = None,
    search: Sequence[str] = (),
    prefix: str = "",
    as_resource: bool = False,
) -> list[str]:
    """Register `<prefix>_list`, `_retrieve`, and where asked for `_create`, `_update`, `_delete`; return the names.

    `queryset(user)` says which rows a user may reach, `permission(user, action)` who may do what (without it Django's
    model permissions); `search` names the fields that `search` looks into. Fields named like secrets are left out
    unless `fields` names them. Raises ImproperlyConfigured for unknown actions and fields, and for what has to name a
    row by a composite key.
    """
    chosen = list(actions)
    if unknown := [action for action in chosen if action not in ACTIONS]:
        raise ImproperlyConfigured(f"Unknown action {unknown[0]!r}: use {', '.join(ACTIONS)}.")
    if isinstance(model._meta.pk, CompositePrimaryKey) and (as_resource or {*chosen} - {"list", "create"}):
        raise ImproperlyConfigured(
            f"{model._meta.label} has a composite key: only list and create have no row to name."
        )
    exposed = ExposedModel(model, fields, queryset, permission, tuple(search), prefix)
    names = register_tool_classes(mcp, *(tool_class(exposed, action) for action in chosen))
    if as_resource:
        register_resource_classes(mcp, resource_class(exposed))
    return names
