"""Keeps the form classes that are the same at every request: building one takes longer than filling a small form."""

from collections.abc import Callable, Hashable
from copy import deepcopy
from functools import lru_cache, partial, wraps
from typing import Any
from weakref import WeakKeyDictionary

from django.contrib.admin import ModelAdmin
from django.contrib.admin.options import InlineModelAdmin
from django.contrib.admin.utils import flatten_fieldsets
from django.db.models import FilePathField, Manager
from django.forms.models import ModelFormMetaclass

from mcp_server.derive.admin.exposure import overrides

MAX_KEPT = 1000
# All that takes part in building a class and is told the request, beside what stands in a key below.
BUILDING = (
    *("formfield_for_dbfield", "formfield_for_choice_field", "formfield_for_foreignkey", "formfield_for_manytomany"),
    *("get_field_queryset", "get_autocomplete_fields"),
)
# A field of another kind may make what it likes, and one of FilePathField's choices are files of now.
DJANGOS = ("django.db.", "django.contrib.contenttypes.")

_kept: dict[Hashable, Any] = {}


def of_class(ask: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Remember what is asked of a class, as long as there is the class."""
    known: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()

    @wraps(ask)
    def answer(kind: Any) -> bool:
        if kind not in known:
            known[kind] = ask(kind)
        return known[kind]

    return answer


def kept_form(admin: Any, request: Any, row: Any = None, change: bool = False, **named: Any) -> Any:
    """Return what get_form returns; it may be shared, so it is to be read, or for unshared()."""
    if named.keys() != {"fields"} or not builds_alike(admin, ModelAdmin, "get_form"):
        return admin.get_form(request, row, change=change, **named)
    key = (
        *(type(admin), admin.admin_site, admin.model, admin.form),
        *_fields_of(admin, request, row, named["fields"]),
        change and not admin.has_change_permission(request, row),
    )
    return _once(key, lambda: _marked(admin.get_form(request, row, change=change, **named)))


def keep_formset(inline: Any) -> None:
    """Let the inline share its formset class, and that one's form class, with the same inline of other requests."""
    if builds_alike(inline, InlineModelAdmin, "get_formset"):
        inline.get_formset = partial(_kept_formset, inline)


def _kept_formset(inline: Any, request: Any, row: Any = None, **named: Any) -> Any:
    fields = named["fields"] if "fields" in named else flatten_fieldsets(inline.get_fieldsets(request, row))
    hooks = (inline.get_extra, inline.get_min_num, inline.get_max_num)
    rights = (inline.has_add_permission, inline.has_change_permission, inline.has_delete_permission)
    key = (
        *(type(inline), inline.admin_site, inline.parent_model, inline.form, inline.formset, inline.fk_name),
        *_fields_of(inline, request, row, fields),
        *(ask(request, row) for ask in (*hooks, *rights)),
    )

    def build() -> Any:
        formset = InlineModelAdmin.get_formset(inline, request, row, fields=fields)
        _marked(formset.form)
        return formset

    return _once(key, build)


def unshared(form: Any) -> Any:
    """Return the form class as one of its own: what code of the project's does to its fields reaches nobody else."""
    if "mcp_shared" not in vars(form):
        return form
    fields = {"base_fields": deepcopy(form.base_fields)}
    return type.__new__(type(form), form.__name__, (form,), {"__module__": form.__module__, **fields})


def _marked(form: Any) -> Any:
    form.mcp_shared = True
    return form


def builds_alike(admin: Any, base: Any, builder: str) -> bool:
    """Tell whether nothing of the project's, and nothing that changes meanwhile, takes part in building the class."""
    if vars(admin).keys() & {builder, *BUILDING}:
        return False
    kind: Any = type(admin)
    return _builds_alike(kind, base, builder, admin.model, admin.form)


@lru_cache(maxsize=MAX_KEPT)
def _builds_alike(own: Any, base: Any, builder: str, model: Any, form: Any) -> bool:
    if overrides(own, base, (builder, *BUILDING)) or type(form) is not ModelFormMetaclass:
        return False
    own_callback = getattr(getattr(form, "_meta", None), "formfield_callback", None)
    return own_callback is None and all(map(_is_fixed, model._meta.get_fields()))


def _is_fixed(field: Any) -> bool:
    """Tell whether a model's field gives the same form field each time, as far as it is Django's own."""
    if field.auto_created and not field.concrete:
        return True
    if not type(field).__module__.startswith(DJANGOS) or isinstance(field, FilePathField):
        return False
    # A manager of the project's may choose the rows by the language, the tenant or the hour.
    manager = getattr(field.related_model, "_default_manager", None) if field.is_relation else None
    return manager is None or type(manager).get_queryset is Manager.get_queryset


def _fields_of(admin: Any, request: Any, row: Any, fields: Any) -> tuple[Hashable, ...]:
    excluded = admin.get_exclude(request, row)
    given = (fields, excluded, admin.get_readonly_fields(request, row))
    return tuple(None if names is None else tuple(names) for names in given)


def _once(key: Hashable, build: Callable[[], Any]) -> Any:
    try:
        found = _kept.get(key)
    except TypeError:
        # A hook gave something that is no name, such as a list.
        return build()
    if found is None:
        found = build()
        if len(_kept) >= MAX_KEPT:
            _kept.clear()
        _kept[key] = found
    return found
