"""Spares building form classes that are the same at every request: it takes longer than filling a small form."""

import logging
import sys
from collections.abc import Callable, Hashable, Mapping
from copy import copy, deepcopy
from functools import lru_cache, partial
from typing import Any

from django.contrib.admin import ModelAdmin
from django.contrib.admin.options import InlineModelAdmin
from django.contrib.admin.utils import flatten_fieldsets
from django.utils.translation import get_language

from mcp_server.derive.admin.same_fields import builds_alike

logger = logging.getLogger(__name__)

MAX_KEPT = 1000
# A class that has one of these of its own takes no twin, or is told of it.
UNLIKE = ("__slots__", "__init_subclass__", "__getattribute__")

_kept: dict[Hashable, Any] = {}


class KeepsForm(ModelAdmin):  # type: ignore[type-arg]
    """Stands between a project's ModelAdmin and Django's, so that what overrides get_form runs every time."""

    def get_form(self, request: Any, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if "fields" not in kwargs:
            kwargs["fields"] = flatten_fieldsets(self.get_fieldsets(request, obj))
        answers = _names(self, request, obj)
        if change:
            answers["has_change_permission"] = self.has_change_permission(request, obj)
        build = partial(super(KeepsForm, _answering(self, answers)).get_form, request, obj, change, **kwargs)
        return _once(self, request, answers, kwargs, build=build, own=_own_form)

    def get_inline_instances(self, request: Any, obj: Any = None) -> Any:
        inlines = super().get_inline_instances(request, obj)
        for inline in inlines:
            # The inline itself stays what it is, for code that looks at its class.
            inline.get_formset = keeping(inline).get_formset  # type: ignore[method-assign]
        return inlines


class KeepsFormset(InlineModelAdmin):  # type: ignore[type-arg]
    """The same for inlines and get_formset."""

    def get_formset(self, request: Any, obj: Any = None, **kwargs: Any) -> Any:
        if "fields" not in kwargs:
            kwargs["fields"] = flatten_fieldsets(self.get_fieldsets(request, obj))
        answers = _names(self, request, obj)
        for right in ("has_add_permission", "has_change_permission", "has_delete_permission"):
            answers[right] = getattr(self, right)(request, obj)
        for number in ("get_extra", "get_min_num", "get_max_num"):
            answers[number] = getattr(self, number)(request, obj, **kwargs)
        build = partial(super(KeepsFormset, _answering(self, answers)).get_formset, request, obj, **kwargs)
        asked = [answers, self.parent_model._meta.label]
        return _once(self, request, asked, kwargs, build=build, own=_own_formset)


def keeping(admin: Any) -> Any:
    """Return the same ModelAdmin or inline, state and all, as one that has each class built once for all requests.

    Every class it returns is the caller's own: what is done to it reaches nobody else.
    """
    own: Any = type(admin)
    if isinstance(admin, KeepsForm | KeepsFormset) or not _lasts(own) or (kind := _keeping(own)) is None:
        return admin
    twin = object.__new__(kind)
    twin.__dict__ = vars(admin)
    return twin


def form_class_of(admin: Any, *args: Any, **kwargs: Any) -> Any:
    """Return what the ModelAdmin's get_form returns, as a class of the caller's own."""
    return _whole(keeping(admin).get_form(*args, **kwargs))


def _whole(form: Any) -> Any:
    """Return the class that a functools.partial of a form class stands for: its fields are asked for too."""
    if not isinstance(form, partial):
        return form
    kind = _whole(form.func)

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        kind.__init__(self, *form.args, *args, **{**form.keywords, **kwargs})

    return _subclass(kind, __init__=init)


def _lasts(kind: Any) -> bool:
    """Tell whether a class is found where it says it is: one that a hook makes for one call shall end with it."""
    found = sys.modules.get(kind.__module__)
    for name in kind.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is kind


@lru_cache(maxsize=MAX_KEPT)
def _keeping(kind: Any) -> Any:
    """Return the class with ours right before Django's among its bases, or None where there can be none."""
    keeps = KeepsForm if issubclass(kind, ModelAdmin) else KeepsFormset
    own = (name for base in kind.__mro__ if base not in keeps.__mro__ for name in UNLIKE if vars(base).get(name))
    if any(own) or type(kind) is not type(keeps):
        return None
    try:
        return type(kind.__name__, (kind, keeps), {"__module__": kind.__module__})
    except Exception:
        logger.debug("%s takes no subclass: its form classes are built at every request", kind, exc_info=True)
        return None


def _answering(admin: Any, answers: Mapping[str, Any]) -> Any:
    """Return the same with these answers: a class is to be made of what it is kept by, though hooks may waver."""
    twin = object.__new__(type(admin))
    told = {name: lambda *args, _answer=answer, **named: _answer for name, answer in answers.items()}
    twin.__dict__ = vars(admin) | told
    return twin


def _once(admin: Any, request: Any, *asked: Any, build: Callable[[], Any], own: Callable[..., Any]) -> Any:
    """Return what was built for the same answers as the caller's own; build it where it may come out differently."""
    kind: Any = type(admin)
    if not builds_alike(admin):
        return build()
    try:
        key = (kind, admin.model, admin.admin_site, get_language(), _plain(asked))
    except TypeError:
        return build()
    if (found := _kept.get(key)) is None:
        if len(_kept) >= MAX_KEPT:
            _kept.clear()
        found = _kept[key] = _without_caller(build())
    return own(found, partial(admin.formfield_for_dbfield, request=request))


def _names(admin: Any, request: Any, row: Any) -> dict[str, Any]:
    return {name: getattr(admin, name)(request, row) for name in ("get_exclude", "get_readonly_fields")}


def _plain(asked: Any) -> Hashable:
    """Return texts and numbers as a key; TypeError for what may be another thing next time, such as a function."""
    if isinstance(asked, Mapping):
        return tuple((name, _plain(value)) for name, value in sorted(asked.items()))
    if isinstance(asked, list | tuple):
        return tuple(map(_plain, asked))
    if asked is None or isinstance(asked, str | int):
        return asked
    raise TypeError(asked)


def _without_caller(built: Any) -> Any:
    """Return what was built, forgetting for whom: the request that it was built in would stay as long as it does."""
    form = getattr(built, "form", built)
    form._meta.formfield_callback = form.Meta.formfield_callback = None
    return built


def _own_form(form: Any, callback: Any) -> Any:
    meta, fields = copy(form._meta), deepcopy(form.base_fields)
    meta.fields, meta.exclude, meta.formfield_callback = copy(meta.fields), copy(meta.exclude), callback
    return _subclass(
        form,
        _meta=meta,
        Meta=type("Meta", (form.Meta,), {"formfield_callback": staticmethod(callback)}),
        base_fields=fields,
        declared_fields={name: fields.get(name, field) for name, field in form.declared_fields.items()},
    )


def _own_formset(formset: Any, callback: Any) -> Any:
    return _subclass(formset, form=_own_form(formset.form, callback))


def _subclass(kind: Any, **attributes: Any) -> Any:
    # Past the metaclass, which would build every field a second time.
    return type.__new__(type(kind), kind.__name__, (kind,), {"__module__": kind.__module__, **attributes})
