"""The form behind a page: found in the view, described as arguments, and filled in as a browser would."""

import inspect
import json
from collections.abc import Iterator, Mapping
from typing import Any

from django import forms
from django.forms.models import ModelChoiceField, ModelMultipleChoiceField
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from mcp_server.derive.choices import ungrouped
from mcp_server.derive.files import FILE_SCHEMA, uploaded
from mcp_server.derive.views.rules import layers, view_class_of

Schema = dict[str, Any]
TYPES: list[tuple[Any, Schema]] = [
    (forms.FileField, FILE_SCHEMA),
    (forms.EmailField, {"type": "string", "format": "email"}),
    (forms.URLField, {"type": "string", "format": "uri"}),
    (forms.UUIDField, {"type": "string", "format": "uuid"}),
    (forms.DateTimeField, {"type": "string", "format": "date-time"}),
    (forms.DateField, {"type": "string", "format": "date"}),
    (forms.TimeField, {"type": "string", "format": "time"}),
    (forms.DecimalField, {"type": "string", "format": "decimal"}),
    (forms.FloatField, {"type": "number"}),
    (forms.IntegerField, {"type": "integer"}),
    (forms.NullBooleanField, {"type": ["boolean", "null"]}),
    (forms.BooleanField, {"type": "boolean"}),
    (forms.JSONField, {}),
]


def form_of(callback: Any) -> Any:
    """Return the form class of a view: of a generic one its own, of a function the only one that it names."""
    view_class = view_class_of(callback)
    if view_class is not None:
        return _form_of_class(view_class)
    named: set[Any] = {
        value
        for layer in layers(callback)
        for name in getattr(getattr(layer, "__code__", None), "co_names", ())
        if inspect.isclass(value := getattr(layer, "__globals__", {}).get(name)) and issubclass(value, forms.BaseForm)
    }
    return named.pop() if len(named) == 1 else None


def _form_of_class(view_class: Any) -> Any:
    view = view_class()
    if not hasattr(view, "get_form_class"):
        return None
    try:
        form = view.get_form_class()
    except Exception:
        # A form that depends on the request is not known before one.
        declared = getattr(view_class, "form_class", None)
        return declared if inspect.isclass(declared) else None
    return form


def schema_of(form: Any) -> dict[str, Schema]:
    """Return the JSON schema of each field."""
    return {name: _field_schema(name, field) for name, field in form.base_fields.items() if not field.disabled}


def required_of(form: Any) -> list[str]:
    fields = form.base_fields.items()
    return [name for name, field in fields if field.required and field.initial is None and not field.disabled]


def filled_in(form: Any, present: Any, values: Mapping[str, Any]) -> tuple[bytes, str]:
    """Return body and content type of the form sent with these values; what is left out stays as the page shows it.

    `present` is the form of the page as a generic view gives it, None where the view keeps it to itself.
    """
    data: dict[str, list[Any]] = {}
    prefix = getattr(present, "prefix", None) or form.prefix
    for name, field in form.base_fields.items():
        value = values[name] if name in values else _shown(field, present, name)
        for each in _written(name, field, value):
            data.setdefault(f"{prefix}-{name}" if prefix else name, []).append(each)
    return encode_multipart(BOUNDARY, data), MULTIPART_CONTENT


def _shown(field: Any, present: Any, name: str) -> Any:
    if present is not None and name in present.fields:
        return present[name].value()
    return field.initial() if callable(field.initial) else field.initial


def _written(name: str, field: Any, value: Any) -> Iterator[Any]:
    if value is None or value is False:
        return
    if isinstance(field, forms.FileField):
        if isinstance(value, dict | str):
            yield uploaded(name, value)
    elif value is True:
        yield "true" if isinstance(field, forms.NullBooleanField) else "on"
    elif isinstance(field, forms.JSONField):
        yield value if isinstance(value, str) else json.dumps(value)
    elif isinstance(value, list | tuple):
        yield from (str(getattr(each, "pk", each)) for each in value)
    else:
        yield str(getattr(value, "pk", value))


def _field_schema(name: str, field: Any) -> Schema:
    told = str(field.help_text or field.label or name.replace("_", " ").capitalize()).strip()
    return {**_type(field), "description": told if told.endswith(".") else f"{told}."}


def _type(field: Any) -> Schema:
    if isinstance(field, ModelMultipleChoiceField):
        return {"type": "array", "items": {"type": ["integer", "string"]}}
    if isinstance(field, ModelChoiceField):
        return {"type": ["integer", "string"]}
    if isinstance(field, forms.MultipleChoiceField):
        return {"type": "array", "items": {"type": "string", "enum": _choices(field)}}
    if isinstance(field, forms.ChoiceField):
        return {"type": "string", "enum": _choices(field)}
    schema = next((dict(schema) for kind, schema in TYPES if isinstance(field, kind)), {"type": "string"})
    bounds = {"maxLength": "max_length", "minLength": "min_length", "minimum": "min_value", "maximum": "max_value"}
    known = {key: getattr(field, attribute, None) for key, attribute in bounds.items()}
    is_text = schema == {"type": "string"}
    kept = ("maxLength", "minLength") if is_text else ("minimum", "maximum")
    return schema | {key: known[key] for key in kept if isinstance(known[key], int | float)}


def _choices(field: Any) -> list[str]:
    return [str(key) for key, _ in ungrouped(field.choices)]
