"""What a write changed: old and new values, for the answer and for the log."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.admin import ModelAdmin
from django.db import models
from django.db.models.signals import post_save, pre_save
from django.forms.models import BaseModelForm

from mcp_server.derive.admin.bound import model_field
from mcp_server.derive.admin.exposure import overrides
from mcp_server.derive.admin.rows import cut_pair, identity
from mcp_server.derive.admin.values import held, label_of, plain, read
from mcp_server.derive.secrecy import HIDDEN, is_blind, is_secret

DJANGOS_TIMES = {kind.pre_save for kind in (models.DateField, models.DateTimeField, models.TimeField)}


def stored(row: Any) -> dict[str, Any]:
    """Return the row's own columns as they are in memory, secrets included: for comparing only."""
    deferred = row.get_deferred_fields()
    fields = (field for field in row._meta.concrete_fields if field.attname not in deferred)
    return {
        field.name: str(value) if isinstance(value, models.fields.files.FieldFile) else value
        for field in fields
        for value in [held(row, field)]
    }


def is_stored(row: Any) -> bool:
    """Tell whether there is such a row: a hook of the project's own may save another object, or none."""
    if not row._state.adding:
        return True
    return row.pk is not None and bool(_rows_like(row).exists())


def is_as_before(row: Any, before: Mapping[str, Any]) -> bool:
    """Tell whether a row that was to go is still there, and not even marked as deleted."""
    left = None if row.pk is None else _rows_like(row).first()
    return left is not None and {name: stored(left).get(name) for name in before} == before


def saves_plainly(admin: Any, form: Any, model: Any) -> bool:
    """Tell whether nothing of the project stands between the form's values and the row."""
    hooks = ("save_form", "save_model", "save_related", "changeform_view", "change_view", "add_view")
    own = overrides(type(admin), ModelAdmin, hooks) or overrides(form, BaseModelForm, ("save",))
    own = own or overrides(model, models.Model, ("save", "save_base"))
    return not own and not pre_save.has_listeners(model) and not post_save.has_listeners(model)


def same(field: Any, old: Any, new: Any) -> bool:
    """Tell whether two values of a field are none to speak of as a change: clocks, and nothing called by two names."""
    if old == new or is_clock(field):
        return True
    return old in (None, "") and new in (None, "") and stores_null(field)


def stores_null(field: Any) -> bool:
    """Tell whether "" is stored as NULL, as the form's "" for an address that is not there."""
    return bool(field is not None and field.null and not field.empty_strings_allowed)


def is_clock(field: Any) -> bool:
    """Tell whether a field is set by the time at which its row is saved."""
    if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        return True
    return isinstance(field, models.DateField | models.TimeField) and type(field).pre_save not in DJANGOS_TIMES


def new_value(form: Any, name: str, row: Any) -> Any:
    """Return a field's value after the form was saved, as an answer has it."""
    if is_secret(name, type(row)) or is_blind(form.fields[name].widget):
        return HIDDEN
    field = model_field(type(row), name)
    if field is None or field.many_to_many:
        return plain(form.cleaned_data.get(name))
    value = read(name, row, None)
    return None if value == "" and stores_null(field) else value


def inline_outcome(formset: Any, deleted: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return what became of an inline's rows; a hook may have left out new ones, and kept some that were to go."""
    new, gone = getattr(formset, "new_objects", ()), getattr(formset, "deleted_objects", ())
    before = {id(form.instance): deleted.get(f"{form.prefix}-") for form in formset.forms} if gone else {}
    kept = [row for row in gone if (was := before.get(id(row))) is not None and is_as_before(row, was)]
    done: dict[str, list[Any]] = {
        "added": [identity(row) for row in new if is_stored(row)],
        "changed": [inline_change(formset, row) for row, _ in getattr(formset, "changed_objects", ())],
        "deleted": [label_of(row) for row in gone if row not in kept],
        "not_added": [label_of(row) for row in new if not is_stored(row)],
        "not_deleted": [label_of(row) for row in kept],
    }
    return {kind: rows for kind, rows in done.items() if rows}


def inline_change(formset: Any, row: Any) -> dict[str, Any]:
    """Return what names a saved row of an inline, with old and new of each changed field."""
    # A formset may have saved another copy of the row than its form has.
    form = next(form for form in formset.forms if form.instance is row or form.instance.pk == row.pk)
    changed = {name: [form.mcp_old.get(name), new_value(form, name, form.instance)] for name in form.changed_data}
    return identity(form.instance) | {"changed": changed}


def shortened(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return changes as an answer has them: the log alone keeps long values."""
    return {name: cut_pair(item) if isinstance(item, list) else _shortened_rows(item) for name, item in changes.items()}


def _shortened_rows(happened: Mapping[str, Any]) -> dict[str, Any]:
    changed = [row | {"changed": shortened(row["changed"])} for row in happened.get("changed", ())]
    return {**happened, **({"changed": changed} if changed else {})}


def lost(form: Any, names: Iterable[str]) -> list[str]:
    """Return those of the fields that were to change for which the database still has the old value."""
    row = form.instance
    fields = {name: field for name in names if (field := model_field(type(row), name)) is not None}
    if row.pk is None or not fields or (form.mcp_new and not form.prefix):
        return []
    many = [name for name, field in fields.items() if field.many_to_many and not _has(row, name, form)]
    own = [name for name, field in fields.items() if field.concrete and not field.many_to_many]
    own = [name for name in own if not form.mcp_new and not isinstance(fields[name], models.FileField)]
    return many + [name for name, now in _in_database(row, own).items() if _kept_old(form, name, fields[name], now)]


def _has(row: Any, name: str, form: Any) -> bool:
    wanted, manager = list(form.cleaned_data[name]), getattr(row, name)
    if not all(isinstance(item, models.Model) for item in wanted):
        # Words, say, of which only the form knows the rows.
        return True
    # By the key's own name: not every manager of such rows knows what "pk" is.
    return {item.pk for item in wanted} == set(manager.values_list(manager.model._meta.pk.name, flat=True))


def _in_database(row: Any, names: list[str]) -> dict[str, Any]:
    return next(iter(_rows_like(row).order_by().values(*names)[:1]), {}) if names else {}


def _rows_like(row: Any) -> Any:
    """Return the stored rows with the key of this one: in the database it came from."""
    return type(row)._base_manager.using(row._state.db).filter(pk=row.pk)


def _kept_old(form: Any, name: str, field: Any, now: Any) -> bool:
    wanted = form.cleaned_data[name]
    wanted = getattr(wanted, field.target_field.attname, wanted) if field.is_relation else wanted
    return bool(now != wanted and plain(now, field) == _scalar(form.mcp_old.get(name)))


def _scalar(value: Any) -> Any:
    return value.get("id") if isinstance(value, dict) and "id" in value else value


def with_values(message: Any, changes: Mapping[str, Any]) -> Any:
    """Add old and new values to the admin's own change message; the admin shows it as before."""
    if not isinstance(message, list):
        return message
    values = {name: pair for name, pair in changes.items() if isinstance(pair, list)}
    inlines = (rows for rows in changes.values() if isinstance(rows, dict))
    by_label = {row["label"]: row["changed"] for rows in inlines for row in rows.get("changed", ())}
    return [_with_values(part, values, by_label) for part in message]


def _with_values(part: Any, values: Any, by_label: Mapping[str, Any]) -> Any:
    changed = part.get("changed")
    if not isinstance(changed, dict):
        return part
    found = by_label.get(str(changed.get("object"))) if "name" in changed else values
    return {"changed": {**changed, "values": json.loads(json.dumps(found, default=str))}} if found else part
