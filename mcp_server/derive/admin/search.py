"""Tools that only search: `search_<model>` for the models that MCP_SEARCH_MODELS names."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.apps import apps
from django.contrib import admin as django_admin
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db import models
from fastmcp import FastMCP
from pydantic import PrivateAttr

from mcp_server.conf import setting
from mcp_server.derive.admin.bound import Bound, for_lists, model_field
from mcp_server.derive.admin.callers import caller_key, most_permitted_user, views
from mcp_server.derive.admin.derived_tool import READ, DerivedTool
from mcp_server.derive.admin.exposure import Exposed, permission_to, short_name
from mcp_server.derive.admin.listing import list_rows
from mcp_server.derive.admin.texts import parameters, without_database
from mcp_server.derive.named_models import model_problem
from mcp_server.derive.registration import add_derived
from mcp_server.derive.requests import Origin
from mcp_server.derive.secrecy import is_secret

logger = logging.getLogger(__name__)

OPTIONS = ("list_display", "search_fields", "list_filter", "ordering", "list_select_related")
# The names the tool's arguments have, and those of the list they go to.
NAMES = {"q": "search", "filters": "filters", "ordering": "order", "fields": "fields", "limit": "limit"}
NAMES |= {"offset": "offset", "total": "total", "count_only": "count_only"}


class SearchTool(DerivedTool):
    """The list of one model's ModelAdmin, of the registered one where there is one."""

    _exposed: Exposed = PrivateAttr()

    @classmethod
    def of(cls, exposed: Exposed, user: Any) -> "SearchTool":
        bound = for_lists(exposed, user)
        listed = parameters(bound, "list")["properties"]
        tool = cls(
            name=short_name(f"search_{exposed.noun}"),
            description=f"Search {bound.opts.verbose_name_plural} by words, filters and order; pages by next_offset.",
            parameters={
                "type": "object",
                "properties": {name: listed[key] for name, key in NAMES.items() if key in listed},
            },
            output_schema={"type": "object"},
            annotations=READ,
        )
        tool._exposed = exposed
        return tool

    def meta_for_clients(self) -> Mapping[str, Any]:
        return self._exposed.meta("view")

    def visible_to(self, user: Any) -> bool:
        return self._allowed(for_lists(self._exposed, user))

    def seen_by(self, user: Any) -> Any:
        make: Any = lambda: self.of(self._exposed, user)  # noqa: E731  (the same store as the admin's tools)
        return views.get((self.name, self._exposed, caller_key(user)), make)

    def _allowed(self, bound: Bound) -> bool:
        # A model without an admin has no rules but Django's permissions.
        registered = bound.peer(bound.model) is not None
        lets_in = not registered or bound.site.has_permission(bound.request)
        return bool(lets_in and bound.admin.has_view_or_change_permission(bound.request))

    def answer(self, user: Any, origin: Origin, arguments: Mapping[str, Any]) -> Any:
        bound = Bound(self._exposed, user, origin)
        if not self._allowed(bound):
            raise PermissionDenied
        return list_rows(bound, {NAMES[name]: value for name, value in arguments.items()})


def register_search_tools(mcp: FastMCP[Any], chosen: Any = None, site: Any = None) -> list[str]:
    """Register search_<model> for each model of `chosen` (default: MCP_SEARCH_MODELS) and return the names.

    `chosen` is a list of "app.model", or a dict from these to options called like ModelAdmin's: list_display,
    search_fields, list_filter, ordering, list_select_related. A registered ModelAdmin rules over rows and rights.
    """
    chosen = setting("MCP_SEARCH_MODELS") if chosen is None else chosen
    if problems := list(search_problems(chosen)):
        logger.error("No search tools are made: %s", " ".join(problems))
        return []
    wanted = chosen if isinstance(chosen, Mapping) else {label: {} for label in chosen}
    found = {apps.get_model(label): options for label, options in wanted.items()}
    user = most_permitted_user()
    with without_database():
        tools = [SearchTool.of(exposed, user) for exposed in _exposed(found, site or django_admin.site)]
    return add_derived(mcp, tools)


def _exposed(found: Mapping[Any, Any], site: Any) -> Iterator[Exposed]:
    names = [model._meta.model_name for model in found]
    for model, options in found.items():
        name, label = model._meta.model_name, model._meta.app_label
        own = site._registry.get(model)
        if getattr(own, "mcp_expose", None) is False:
            logger.error("MCP_SEARCH_MODELS: %s is hidden by its ModelAdmin, which says mcp_expose = False.", model)
            continue
        noun = name if names.count(name) == 1 else f"{label}_{name}"
        yield Exposed(site, model, _model_admin(model, site, own, options), noun)


def _model_admin(model: Any, site: Any, own: Any, options: Mapping[str, Any]) -> Any:
    if own is not None and not options:
        return own
    base = type(own) if own is not None else Undescribed
    attributes = dict(options) if own is not None else _plain(model) | dict(options)
    return type(f"Searched{model.__name__}", (base,), attributes)(model, site)


class Undescribed(django_admin.ModelAdmin):  # type: ignore[type-arg]
    """The admin of a model that has none."""

    def get_list_display(self, request: Any) -> Any:
        names = super().get_list_display(request)
        # Nobody chose these columns, so none tells the label of a row that the caller may not view.
        return [name for name in names if _may_view(request.user, model_field(self.model, name))]


def _may_view(user: Any, field: Any) -> bool:
    if field is None or not field.related_model:
        return True
    return bool(user.has_perm(permission_to("view", field.related_model)))


def _plain(model: Any) -> dict[str, Any]:
    """Return the list of a model nobody described: its fields, searched by its texts."""
    fields = [field for field in model._meta.concrete_fields if not is_secret(field.name, model)]
    texts = (models.CharField, models.TextField)
    kinds = (models.BooleanField, models.DateField, models.ForeignKey)
    return {
        # Said here, so that no form is made to find them.
        "fields": [field.name for field in fields],
        "list_display": [field.name for field in fields if not field.primary_key] or ["__str__"],
        "search_fields": [field.name for field in fields if isinstance(field, texts) and not field.choices],
        "list_filter": [field.name for field in fields if field.choices or isinstance(field, kinds)],
        "list_select_related": [field.name for field in fields if isinstance(field, models.ForeignKey)],
    }


def search_problems(chosen: Any) -> Iterator[str]:
    """Yield a sentence for each mistake in MCP_SEARCH_MODELS, which names the key."""
    if not isinstance(chosen, Mapping) and (isinstance(chosen, str) or not isinstance(chosen, Iterable)):
        yield 'MCP_SEARCH_MODELS: give a list of "app.model", or a dict from these to options.'
        return
    options = chosen if isinstance(chosen, Mapping) else {}
    for label in chosen:
        where = f"MCP_SEARCH_MODELS[{label!r}]"
        if problem := model_problem(label):
            yield f"{where}: {problem}"
        given = options.get(label) or {}
        if not isinstance(given, Mapping):
            yield f"{where}: give a dict of options."
        elif unknown := [name for name in given if name not in OPTIONS]:
            yield f"{where}[{unknown[0]!r}]: is no option; use {', '.join(OPTIONS)}."


def opened(chosen: Iterable[str]) -> list[str]:
    """Return those of the models that hold accounts, which the admin's tools leave out by default."""
    user = get_user_model()
    found = [(label, apps.get_model(label)) for label in chosen]
    return [label for label, model in found if model is user or model._meta.app_label == "auth"]
