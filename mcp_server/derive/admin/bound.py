"""A ModelAdmin for one call: the project's own object, copied so that a tool can watch it work."""

import copy
import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

from django.contrib.admin import ModelAdmin
from django.contrib.admin.utils import flatten, flatten_fieldsets, get_fields_from_path
from django.contrib.auth import get_permission_codename
from django.core.exceptions import FieldDoesNotExist
from django.db import connections, router
from django.db.models import JSONField
from django.db.models.constants import LOOKUP_SEP
from django.utils.functional import cached_property

from mcp_server.derive.admin.exposure import Exposed
from mcp_server.derive.admin.form_classes import form_class_of
from mcp_server.derive.admin.guards import guard, has_page
from mcp_server.derive.admin.request import AdminRequest, admin_path
from mcp_server.derive.admin.values import name_of
from mcp_server.derive.requests import Origin, own_origin
from mcp_server.derive.secrecy import fields_on, is_secret
from mcp_server.permissions import asked_once

logger = logging.getLogger(__name__)

R = TypeVar("R")


class Bound:
    """One exposed model, the caller's request and a copy of the ModelAdmin whose hooks a verb may wrap."""

    def __init__(self, exposed: Exposed, user: Any, origin: Origin) -> None:
        self.exposed, self.user, self.origin = exposed, user, origin
        self.model, self.opts, self.site = exposed.model, exposed.model._meta, exposed.site
        self.admin = copy.copy(exposed.model_admin)
        self._declared_search = self.admin.get_search_fields
        self.admin.get_search_fields = self._search_fields
        # Django builds a form to tell the names of its fields.
        self.admin._get_form_for_get_fields = partial(form_class_of, self.admin, fields=None)
        guard(self.admin, user)
        self.request = self.new_request()

    def new_request(self, view: str = "changelist", *args: Any, method: str = "GET") -> AdminRequest:
        path = admin_path(self.site, self.model, view, *args)
        return AdminRequest(path, user=self.user, origin=self.origin, method=method)

    def has_page(self, *views: str) -> bool:
        """Tell whether the admin has one of these pages for the model."""
        return any(has_page(self.site, self.opts, view) for view in views)

    def _search_fields(self, request: Any) -> Any:
        # Whoever may search a password hash finds it character by character.
        return [name for name in self._declared_search(request) if self._may_search(name.lstrip("^=@"))]

    def _may_search(self, path: str) -> bool:
        # The text of a whole JSON value is that of its secret keys too.
        is_json = isinstance(next(reversed([*fields_on(self.model, path)]), None), JSONField)
        first = path.partition(LOOKUP_SEP)[0]
        own = first in ("pk", self.opts.pk.name) or self.exposed.shows(first)
        return own and not is_secret(path, self.model) and not is_json

    def peer(self, model: Any) -> Any:
        """Return the ModelAdmin of another model of this site, exposed or not, or None."""
        found = self.site._registry.get(model)
        # A copy, because hooks keep the request on self: the next caller must not find this one's.
        return None if found is None else copy.copy(found)

    def other(self, model: Any) -> "Bound | None":
        """Return another model of this site for the same caller, exposed or not."""
        exposed = self.exposed.peers.get(model)
        if exposed is None and (admin := self.peer(model)) is not None:
            exposed = Exposed(self.site, model, admin, model._meta.model_name, self.exposed.peers)
        return None if exposed is None else Bound(exposed, self.user, self.origin)

    def database(self) -> str:
        """Return the database that rows are written to: the router's, or the one a ModelAdmin chose by using()."""
        one_alone = len(list(connections)) == 1
        chosen: str | None = None if one_alone else self.admin.get_queryset(self.request)._db
        return chosen or router.db_for_write(self.model)

    def may_view(self, model: Any) -> bool:
        """Tell whether the caller may see rows of a model: by its ModelAdmin, or by Django's permissions."""
        if (admin := self.site._registry.get(model)) is not None:
            return bool(admin.has_view_or_change_permission(self.request))
        opts = model._meta
        names = (f"{opts.app_label}.{get_permission_codename(verb, opts)}" for verb in ("view", "change"))
        return any(self.user.has_perm(name) for name in names)

    def may_follow(self, path: str) -> bool:
        """Tell whether a path of fields exists and leads only through models whose rows the caller may see."""
        try:
            fields = get_fields_from_path(self.model, path)
        except (FieldDoesNotExist, AttributeError, TypeError):
            return False
        models_on_the_way = {field.related_model for field in fields if field.is_relation}
        return None not in models_on_the_way and all(self.may_view(model) for model in models_on_the_way)

    def columns(self) -> dict[str, Any]:
        """Return the list's columns by name; a secret is none."""
        return self._columns

    @cached_property
    def _columns(self) -> dict[str, Any]:
        named = (
            (name_of(column, number), column)
            for number, column in enumerate(self.admin.get_list_display(self.request))
            if column not in ("__str__", "action_checkbox")
        )
        return {name: column for name, column in named if self.exposed.shows(name)}

    def detail(self, row: Any = None) -> dict[str, Any]:
        """Return the fields of the form's page, editable and read-only, by name."""
        fieldsets = self.admin.get_fieldsets(self.request, row)
        excluded = set(self.admin.get_exclude(self.request, row) or ())
        return self.visible(flatten_fieldsets(fieldsets), excluded)

    def visible(self, fields: Iterable[Any], excluded: Iterable[str] = ()) -> dict[str, Any]:
        named = {name_of(field, number): field for number, field in enumerate(flatten(list(fields)))}
        return {name: field for name, field in named.items() if self.exposed.shows(name) and name not in excluded}

    def unique_fields(self) -> list[str]:
        """Return the fields, the primary key apart, whose value names one row and which the caller sees."""
        return self._unique

    @cached_property
    def _unique(self) -> list[str]:
        names = unique_names(self.model)
        if not names or self.columns().keys() >= set(names):
            # The form is not asked for what the list shows.
            return names
        seen = {*self.columns(), *self.declared()}
        return [name for name in names if name in seen]

    def shown_of(self, row: Any, names: Iterable[str]) -> list[str]:
        """Return those of the names whose values the caller sees: in the list, or on the row's page if it opens."""
        names, columns = list(names), self.columns()
        if columns.keys() >= set(names):
            # Nothing asks for the page: a rule for single rows may cost a query for each.
            return names
        page = self._page_of(row) if self.opens(row) else set()
        return [name for name in names if name in columns or name in page]

    def opens(self, row: Any) -> bool:
        """Tell whether the caller may open the page of this row."""
        return bool(self.admin.has_view_or_change_permission(self.request, row))

    def _page_of(self, row: Any) -> set[str]:
        varies = overrides(self.exposed.model_admin, *PAGE_HOOKS)
        return set(self.detail(row)) if varies else self.declared()

    def declared(self) -> set[str]:
        """Return the names of fields a form is bound to show, without building it where that can be told."""
        return self._declared

    @cached_property
    def _declared(self) -> set[str]:
        admin = self.exposed.model_admin
        if overrides(admin, *PAGE_HOOKS):
            return self._declared_by_hooks()
        if admin.fieldsets or admin.fields:
            fields = flatten_fieldsets(admin.fieldsets) if admin.fieldsets else admin.fields
            return set(self.visible(fields, admin.exclude or ()))
        # The form is asked for what is read-only in it, which a hook may take from the row.
        return self._declared_by_hooks()

    def on_sample(self, ask: Callable[[Any], R], otherwise: R) -> R:
        """Ask about the form of a row that is not known yet: with an empty one, or where hooks need more, with none."""
        for row in (sample(self.model), None):
            try:
                return ask(row)
            except Exception:
                # Offline it is the database that is missing, and some hooks only answer for a row that exists.
                logger.debug("A hook of %s needs a row that exists", self.opts.label, exc_info=True)
        return otherwise

    def _declared_by_hooks(self) -> set[str]:
        """Return what the form of a row shows this caller; a hook that needs a real row shows nothing beforehand."""
        try:
            return set(self.detail(sample(self.model)))
        except Exception:
            logger.debug("The form of %s needs a row to say its fields", self.opts.label, exc_info=True)
            return set()


PAGE_HOOKS = ("get_fieldsets", "get_fields", "get_exclude")


def overrides(admin: Any, *hooks: str) -> bool:
    """Tell whether a ModelAdmin has hooks of its own in the place of Django's."""
    return any(getattr(type(admin), name) is not getattr(ModelAdmin, name) for name in hooks)


def sample(model: Any) -> Any:
    """Return an empty row: what a ModelAdmin asks of a row decides what an existing one's form shows."""
    return model()


def for_lists(exposed: Exposed, user: Any) -> Bound:
    """Return the model as a list's caller has it, once for all that stands in the list; nobody may change it."""
    return asked_once((Bound, exposed, id(user)), lambda: Bound(exposed, user, own_origin()))


def unique_names(model: Any) -> list[str]:
    """Return the names of the concrete fields, other than the primary key and secrets, that are unique."""
    return [
        field.name
        for field in model._meta.concrete_fields
        if field.unique and not field.primary_key and not is_secret(field.name, model) and not field.is_relation
    ]


def model_field(model: Any, name: Any) -> Any:
    """Return the model's own field of this name, or None for anything computed."""
    if not isinstance(name, str):
        return None
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    return None if field.auto_created and not field.concrete else field
