"""Finds the row that a value of a form field refers to, among those that the form offers to this caller."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib.admin.widgets import AutocompleteMixin
from django.core.exceptions import ValidationError

from mcp_server.derive.admin.bound import Bound
from mcp_server.derive.admin.lookup import is_key, key_of, resolve
from mcp_server.derive.admin.refusal import RefusalError


def find_referred(bound: Bound, field: Any, ref: Any) -> Any:
    """Return what the field posts for the row that `ref` names; raises ValidationError where the form offers none."""
    key = field.to_field_name or "pk"
    admin = bound.peer(field.queryset.model)
    named = ref.get("id") if isinstance(ref, Mapping) and key == "pk" else ref
    if isinstance(named, int | str) and not isinstance(named, bool) and _offers(field, key, named):
        return named
    rows, other = field.queryset, bound.other(field.queryset.model)
    by_key_alone = False
    if not bound.may_view(rows.model):
        other, by_key_alone = None, not _shows_labels(field)
        if by_key_alone:
            # A reference is written as it was read; its label counts for nothing.
            ref = {"id": ref.get("id") if isinstance(ref, Mapping) else ref}
    elif admin is not None:
        # By any other name than its key, only a row the caller could have looked up.
        rows = rows.filter(pk__in=admin.get_queryset(bound.request).order_by().values("pk"))
    try:
        pk = resolve(rows, ref, search=other)
    except RefusalError as error:
        text = "Give an id: you may not look these rows up." if by_key_alone else str(error)
        raise ValidationError(text) from None
    return pk if key == "pk" else rows.values_list(key, flat=True).get(pk=pk)


def _shows_labels(field: Any) -> bool:
    """Tell whether the page lists the rows by their labels, as a plain select does and a search does not."""
    widget = getattr(field.widget, "widget", field.widget)
    return isinstance(widget, forms.Select) and not isinstance(widget, AutocompleteMixin)


def _offers(field: Any, key: str, ref: Any) -> bool:
    """Tell whether `ref` can be posted as it is: a number is an id, a text only where ids are text, or it is a UUID.

    A field that refers to something else than the id posts that; what is the id of another row is ambiguous.
    """
    opts = field.queryset.model._meta
    is_id = key in ("pk", opts.pk.name)
    if isinstance(ref, int):
        return is_id
    column = opts.pk if is_id else opts.get_field(key)
    while column.remote_field:
        column = column.target_field
    is_text = column.get_internal_type() in ("CharField", "TextField", "SlugField") and "\x00" not in ref
    if not (is_text or is_key(column, ref)) or not field.queryset.filter(**{key: ref}).exists():
        return False
    return is_id or not field.queryset.exclude(**{key: ref}).filter(pk=key_of(opts.pk, ref)).exists()
