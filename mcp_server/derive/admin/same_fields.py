"""Tells whether the form class of a ModelAdmin or inline is made of nothing that another request would change."""

from collections.abc import Mapping
from copy import deepcopy
from functools import lru_cache
from inspect import getattr_static
from typing import Any

from django.contrib.admin import ModelAdmin
from django.contrib.admin.options import FORMFIELD_FOR_DBFIELD_DEFAULTS
from django.db.models import FilePathField, Manager, QuerySet
from django.forms.models import ModelFormMetaclass

from mcp_server.derive.admin.exposure import overrides

MAX_KNOWN = 1000
# All that makes the fields of a form and is told the request, beside what form_classes.py keeps a class by.
FIELD_HOOKS = (
    *("formfield_for_dbfield", "formfield_for_choice_field", "formfield_for_foreignkey", "formfield_for_manytomany"),
    *("get_field_queryset", "get_autocomplete_fields"),
)
# What else is asked of a ModelAdmin or inline while its form class is built.
ATTRIBUTES = (
    *("form", "formset", "fk_name", "can_delete", "radio_fields", "raw_id_fields", "autocomplete_fields"),
    *("filter_vertical", "filter_horizontal"),
)
# The same where code of the project's puts it on a ModelAdmin's instance.
BY_HAND = {*FIELD_HOOKS, *ATTRIBUTES}
# A field of another kind may make what it likes.
DJANGOS = ("django.db.", "django.contrib.contenttypes.")


def builds_alike(admin: Any) -> bool:
    """Tell whether the class follows from names, rights and numbers alone, as far as those are told the request."""
    kind: Any = type(admin)
    if vars(admin).keys() & BY_HAND or admin.formfield_overrides != _declared_overrides(kind):
        return False
    return _builds_alike(kind, admin.model, admin.admin_site)


@lru_cache(maxsize=MAX_KNOWN)
def _declared_overrides(kind: Any) -> Any:
    """Return what a ModelAdmin begins with; None where nobody but its instance knows."""
    if not isinstance(kind.formfield_overrides, Mapping):
        return None
    found = deepcopy(FORMFIELD_FOR_DBFIELD_DEFAULTS)
    for field, options in kind.formfield_overrides.items():
        found.setdefault(field, {}).update(options)
    return found


@lru_cache(maxsize=MAX_KNOWN)
def _builds_alike(kind: Any, model: Any, site: Any) -> bool:
    computed = (hasattr(getattr_static(kind, name, None), "__get__") for name in ATTRIBUTES)
    if overrides(kind, ModelAdmin, FIELD_HOOKS) or any(computed) or type(kind.form) is not ModelFormMetaclass:
        return False
    meta = getattr(kind.form, "_meta", None)
    if getattr(meta, "formfield_callback", None) is not None:
        return False
    made = [made for name in ("widgets", "field_classes") for made in (getattr(meta, name, None) or {}).values()]
    made += [value for options in _declared_overrides(kind).values() for value in options.values()]
    return not any(map(_may_differ, made)) and all(_is_fixed(field, site) for field in model._meta.get_fields())


def _may_differ(value: Any) -> bool:
    """Tell whether what is called for a field or widget is the project's: it may look at who asks, or into a table."""
    return callable(value) and not getattr(value, "__module__", "").startswith("django.")


def _is_fixed(field: Any, site: Any) -> bool:
    """Tell whether a model's field gives the same form field each time, as far as it is Django's own."""
    if field.auto_created and not field.concrete:
        return True
    if not type(field).__module__.startswith(DJANGOS) or isinstance(field, FilePathField):
        return False
    if not field.is_relation or (manager := getattr(field.related_model, "_default_manager", None)) is None:
        return True
    related = site._registry.get(field.related_model)
    return _is_plain(manager) and (related is None or not overrides(type(related), ModelAdmin, ("get_ordering",)))


def _is_plain(manager: Any) -> bool:
    """Tell whether a manager is Django's; one of the project's may choose by the language, the tenant or the hour."""
    narrowing = ("all", "using", "order_by")
    return not overrides(type(manager), Manager, ("get_queryset", *narrowing)) and not overrides(
        manager._queryset_class, QuerySet, ("__init__", "_chain", "_clone", *narrowing)
    )
