"""Rows as answers, and arguments as rows: written by a form of the model, so that its rules are asked."""

import json
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import ProtectedError, RestrictedError
from django.forms import ModelForm, modelform_factory

from mcp_server.classes.errors import BadRequest, NotFound
from mcp_server.derive.models.exposed import ExposedModel


def as_answer(exposed: ExposedModel, row: Any) -> dict[str, Any]:
    """Return the row's fields by name: keys for relations, addresses for files."""
    return {field.name: _value(field, row) for field in exposed.fields}


def find(exposed: ExposedModel, user: Any, key: Any) -> Any:
    """Return the row with this key among those the user may reach; NotFound says the same for all others."""
    row = exposed.rows(user).filter(pk=key).first()
    if row is None:
        raise NotFound(f"There is no {exposed.noun} {key}. Look it up with {exposed.prefix}_list.")
    return row


def write(exposed: ExposedModel, user: Any, row: Any, changes: dict[str, Any]) -> Any:
    """Save the changes through a form of the model; nothing is written when a rule says no.

    A row that the user could not reach afterwards is not written either.
    """
    names = [field.name for field in exposed.writable]
    form_class = modelform_factory(exposed.model, fields=names, formfield_callback=_form_field)
    sent = {name: _as_form_value(exposed, name, value) for name, value in changes.items()}
    with transaction.atomic():
        blank = form_class(instance=row)
        data = {name: _as_form_value(exposed, name, _present(blank, name)) for name in blank.fields} | sent
        form = form_class(data, instance=row)
        if not form.is_valid():
            raise ValidationError(form.errors.as_data())
        saved = form.save()
        return find(exposed, user, saved.pk)


def delete(exposed: ExposedModel, user: Any, key: Any) -> None:
    """Delete the row with this key; raises NotFound, or BadRequest where other rows keep it."""
    row = find(exposed, user, key)
    try:
        with transaction.atomic():
            row.delete()
    except (ProtectedError, RestrictedError) as error:
        rows: Any = getattr(error, "protected_objects", None) or getattr(error, "restricted_objects", ())
        kinds = sorted({str(blocking._meta.verbose_name_plural) for blocking in rows})
        raise BadRequest(f"{row} cannot be deleted: {', '.join(kinds)} refer to it.") from error


def _value(field: Any, row: Any) -> Any:
    if isinstance(field, models.ManyToManyField):
        return [other.pk for other in getattr(row, field.name).all()]
    value = getattr(row, field.attname)
    if isinstance(field, models.FileField):
        return value.url if value else None
    return value


def _form_field(field: Any, **options: Any) -> Any:
    # What Django 6 does by itself.
    scheme = {"assume_scheme": "https"} if isinstance(field, models.URLField) else {}
    return field.formfield(**options, **scheme)


def _present(form: "ModelForm[Any]", name: str) -> Any:
    value = form.get_initial_for_field(form.fields[name], name)
    return [other.pk for other in value] if isinstance(value, list) and form.instance.pk else value


def _as_form_value(exposed: ExposedModel, name: str, value: Any) -> Any:
    # A form reads JSON as text; everything else it takes as it is.
    if isinstance(exposed.model._meta.get_field(name), models.JSONField):
        return json.dumps(value)
    return value
