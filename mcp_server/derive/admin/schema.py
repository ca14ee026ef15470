"""JSON schemas from the admin's forms: types, choices, bounds and help, in few bytes."""

import logging
from collections.abc import Collection, Mapping
from typing import Any

from django import forms
from django.contrib.admin import ModelAdmin
from django.contrib.admin.utils import flatten_fieldsets
from django.core.validators import FileExtensionValidator, MaxValueValidator, MinValueValidator
from django.db.models import NOT_PROVIDED, BinaryField, FileField
from django.forms.models import BaseModelForm, ModelChoiceField, ModelMultipleChoiceField

from mcp_server.derive.admin.bound import Bound, model_field
from mcp_server.derive.admin.exposure import overrides
from mcp_server.derive.admin.form_classes import form_class_of
from mcp_server.derive.admin.inlines import Inline, formsets_of, inlines_of
from mcp_server.derive.admin.kept import asks_of_blank
from mcp_server.derive.admin.values import name_of, plain, text_of
from mcp_server.derive.choices import examples, selectable, several
from mcp_server.derive.secrecy import is_secret

logger = logging.getLogger(__name__)

FILE = "File: name, base64 content"
MAX_CHOICES = 25
MAX_HELP = 80
MAX_HELP_AGAIN = 50
# Bounds a column has anyway tell nobody anything.
COLUMN_LIMIT = 2**31 - 1
MAY_BE_RELATIVE = (forms.IntegerField, forms.DecimalField, ModelMultipleChoiceField)
STRINGS: list[tuple[Any, dict[str, Any]]] = [
    (forms.EmailField, {"type": "string", "format": "email"}),
    (forms.URLField, {"type": "string", "format": "uri"}),
    (forms.UUIDField, {"type": "string", "format": "uuid"}),
    (forms.DateTimeField, {"type": "string", "format": "date-time"}),
    (forms.SplitDateTimeField, {"type": "string", "format": "date-time"}),
    (forms.DateField, {"type": "string", "format": "date"}),
    (forms.TimeField, {"type": "string", "format": "time"}),
    (forms.DurationField, {"type": "string", "description": "[days] HH:MM:SS"}),
]


def values_schema(bound: Bound, row: Any = None, *, change: bool = False, full: bool = False) -> dict[str, Any]:
    """Return the schema of what create or update takes: the form's fields and the inlines' rows."""
    form = form_class_of(bound.admin, bound.request, row, change=change)
    declared = form_fields(form, row)
    aside = not_on_page(bound.admin, bound.request, row, form, declared)
    fields = {
        name: field
        for name, field in declared.items()
        if not field.disabled and bound.exposed.takes(name) and name not in aside
    }
    properties = {name: field_schema(bound, field, change=change, full=full) for name, field in fields.items()}
    _bound_by_columns(properties, bound.model)
    for name in properties:
        if is_secret(name, bound.model):
            properties[name].pop("default", None)
    required = [name for name, field in fields.items() if field.required and field.initial is None]
    required = [name for name in required if database_default(bound.model, name) is NOT_PROVIDED]
    for inline in inlines_of(bound, formsets_of(bound, row)):
        lacking, rights = lacks(bound, inline), inline.rights(bound.request, row)
        rights["add"] = rights["add"] and not lacking
        # A new row has no rows that could be changed.
        if bound.exposed.takes(inline.name) and (any(rights.values()) if change else rights["add"]):
            properties[inline.name] = inline_schema(bound, inline, rights, change=change, full=full)
            if full and lacking:
                told = f"No row can be added: tools do not write {', '.join(lacking)}"
                properties[inline.name]["description"] = told
            required += [inline.name] if inline.formset.min_num and inline.formset.validate_min else []
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if not change and required:
        schema["required"] = required
    return schema


def change_schema(bound: Bound, *, full: bool = False) -> dict[str, Any]:
    """Return the schema of what update takes, of a row that is not known yet."""
    return bound.on_sample(lambda row: values_schema(bound, row, change=True, full=full), {"type": "object"})


def form_fields(form: Any, row: Any = None) -> dict[str, Any]:
    """Return the fields as the form's own __init__ leaves them, or as declared where it needs more than a row."""
    if form.__init__ is BaseModelForm.__init__:
        # Django's own only copies them.
        return dict(form.base_fields)
    try:
        return dict((form(instance=row) if row is not None else form()).fields)
    except Exception:
        logger.debug("The fields of %s are described as declared", form, exc_info=True)
        return dict(form.base_fields)


def not_on_page(admin: Any, request: Any, row: Any, form: Any, names: Collection[str]) -> set[str]:
    """Return those of a form's fields that its page does not show: it has them declared, and no fieldset names them."""
    chosen = getattr(getattr(form, "_meta", None), "fields", None)
    if chosen is None or chosen == forms.ALL_FIELDS or not (left := set(names) - set(chosen)):
        return set()
    if draws_itself(admin):
        left &= form.base_fields.keys()
    return left - {name_of(field) for field in flatten_fieldsets(admin.get_fieldsets(request, row))}


def draws_itself(admin: Any) -> bool:
    """Tell whether a ModelAdmin shows its form in its own way: also what the form adds once it is made."""
    return hasattr(admin, "render_change_form") and overrides(type(admin), ModelAdmin, ("render_change_form",))


def added_fields(bound: Bound, row: Any) -> dict[str, Any]:
    """Return the fields that only the form made for this row has, where the page shows them."""
    if not draws_itself(bound.admin):
        return {}
    form = form_class_of(bound.admin, bound.request, row, change=True)
    return bound.visible(form_fields(form, row).keys() - form.base_fields.keys())


def lacks(bound: Bound, inline: Inline) -> list[str]:
    """Return the fields that a new row of an inline needs and that nobody gives it: the mixin keeps them from tools."""
    if asks_of_blank(inline.formset) or overrides(type(bound.admin), ModelAdmin, ("get_formset_kwargs",)):
        # The project's own code may complete it.
        return []
    fields = form_fields(inline.formset.form).items()
    needed = [name for name, field in fields if field.required and field.initial is None and not field.disabled]
    needed = [name for name in needed if database_default(inline.formset.model, name) is NOT_PROVIDED]
    return [name for name in needed if name != inline.back and not inline.takes(name)]


def inline_schema(
    bound: Bound, inline: Inline, rights: Mapping[str, bool], *, change: bool, full: bool
) -> dict[str, Any]:
    form = inline.formset.form
    shown = [name for name in inline.fields(bound.request, None) if inline.takes(name)]
    fields = {name: field for name, field in form_fields(form).items() if name in shown and not field.disabled}
    # Without secrets: `shown` has none.
    properties = {name: field_schema(bound, field, change=False, full=full) for name, field in fields.items()}
    _bound_by_columns(properties, inline.formset.model)
    if change:
        properties |= {"id": {}} if rights["change"] or rights["delete"] else {}
        properties |= {"delete": {"const": True}} if rights["delete"] else {}
    items: dict[str, Any] = {"type": "object", "properties": properties}
    items |= {"required": ["id"]} if change and not rights["add"] else {}
    schema: dict[str, Any] = {"type": "array", "items": items}
    formset = inline.formset
    if formset.min_num and formset.validate_min and not change:
        schema["minItems"] = formset.min_num
    if full and formset.max_num is not None and formset.max_num < 1000:
        schema["maxItems"] = formset.max_num
    return schema


def field_schema(bound: Bound, field: Any, *, change: bool, full: bool) -> dict[str, Any]:
    """Return the schema of one form field; `change` lets a value be relative, `full` adds labels and defaults."""
    schema = dict(_typed(bound, field, full=full))
    if change and isinstance(field, MAY_BE_RELATIVE) and "type" in schema and several(field) is None:
        schema["type"] = [schema["type"], "object"]
    text = text_of(str(field.help_text or "")) if not isinstance(field, ModelMultipleChoiceField) else ""
    # What create says at length, update says again in short; describe says all of it.
    limit = len(text) if full else MAX_HELP_AGAIN if change else MAX_HELP
    parts = [schema.pop("description", ""), text if len(text) <= limit else f"{text[:limit].rstrip()}…"]
    if full and (label := str(field.label or "")):
        schema["title"] = text_of(label)
    if described := ". ".join(part.rstrip(".") for part in parts if part):
        schema["description"] = described
    if full and field.required and field.initial is None:
        schema["required"] = True
    if full and (initial := _initial(field)) is not None:
        schema["default"] = initial
    return schema


def _typed(bound: Bound, field: Any, *, full: bool) -> dict[str, Any]:
    if isinstance(field, ModelMultipleChoiceField):
        return {"type": "array", "description": target(bound, field)}
    if isinstance(field, ModelChoiceField):
        return {"description": target(bound, field)}
    if (choices := several(field)) is not None:
        return {"type": "array", "items": _choices(choices, full=full)}
    if isinstance(field, forms.NullBooleanField | forms.BooleanField):
        return {"type": "boolean"}
    if isinstance(field, forms.ChoiceField):
        return _choices(field.choices, full=full)
    if isinstance(field, forms.FileField):
        return {"type": "object", "description": f"{FILE}{_kinds(field)}"}
    if isinstance(field, forms.JSONField):
        return {"description": "JSON"}
    for kind, schema in STRINGS:
        if isinstance(field, kind):
            return schema
    return _number(field) or _parts(bound, field, full=full) or _text(field)


def _parts(bound: Bound, field: Any, *, full: bool) -> dict[str, Any] | None:
    """Return the schema of a field with several inputs, such as an amount and its currency."""
    if not isinstance(field, forms.MultiValueField):
        return None
    parts = [_typed(bound, part, full=full) for part in field.fields]
    alone = "; or the first alone" if _number(field.fields[0]) or isinstance(field.fields[0], forms.FileField) else ""
    return {"description": f"A list of {len(parts)}{alone}"} | ({"prefixItems": parts} if full else {})


def _number(field: Any) -> dict[str, Any] | None:
    if isinstance(field, forms.DecimalField):
        places = field.decimal_places
        return {"type": "string", "description": f"Decimal, {places} places" if places is not None else "Decimal"}
    if isinstance(field, forms.FloatField):
        return {"type": "number"} | _bounds(field)
    return {"type": "integer"} | _bounds(field) if isinstance(field, forms.IntegerField) else None


def _bounds(field: Any) -> dict[str, Any]:
    lowest = [v.limit_value for v in field.validators if isinstance(v, MinValueValidator)]
    highest = [v.limit_value for v in field.validators if isinstance(v, MaxValueValidator)]
    found = {"minimum": max((v for v in lowest if not callable(v)), default=None)}
    found["maximum"] = min((v for v in highest if not callable(v)), default=None)
    return {name: plain(v) for name, v in found.items() if v is not None and abs(v) < COLUMN_LIMIT}


def database_default(model: Any, name: str) -> Any:
    """Return the value or expression that the database has for a column, or NOT_PROVIDED."""
    return getattr(model_field(model, name), "db_default", NOT_PROVIDED)


def _bound_by_columns(properties: Mapping[str, dict[str, Any]], model: Any) -> None:
    """Add the bounds that only the model's validators know, and the defaults; a form field has those of its own."""
    for name, schema in properties.items():
        column = model_field(model, name)
        if database_default(model, name) is not NOT_PROVIDED:
            schema.pop("required", None)
        if "integer" in str(schema.get("type")) and column is not None:
            schema |= _bounds(column)
        elif isinstance(column, BinaryField) and schema.get("type") == "string":
            schema["contentEncoding"] = "base64"
        elif isinstance(column, FileField) and (text := schema.get("description", "")).startswith(FILE):
            schema["description"] = f"{FILE}{_kinds(column, text)}{text.removeprefix(FILE)}"


def _text(field: Any) -> dict[str, Any]:
    limit = getattr(field, "max_length", None)
    return {"type": "string"} | ({"maxLength": limit} if limit else {})


def _choices(choices: Any, *, full: bool) -> dict[str, Any]:
    pairs = selectable(choices)
    if len(pairs) > MAX_CHOICES and not full:
        return {"description": f"One of {len(pairs)} choices, see describe"}
    if told := examples(pairs):
        return {"description": told}
    labels = [f"{key}={label}" for key, label in pairs if str(key).lower() != label.lower()]
    # A word says by itself what it stands for; a number does not.
    explained = {"description": ", ".join(labels)} if labels and (full or str(pairs[0][0]).isdecimal()) else {}
    return {"enum": [plain(key) for key, _ in pairs]} | explained


def _kinds(field: Any, said: str = "") -> str:
    """Return the kinds of files a field takes, unless it was said already."""
    found = [v.allowed_extensions or [] for v in field.validators if isinstance(v, FileExtensionValidator)]
    kinds = found[0] if found and len(found[0]) < 10 else []
    return f", {'/'.join(kinds)}" if kinds and not all(kind in said for kind in kinds) else ""


def target(bound: Bound, field: Any) -> str:
    """Return what a foreign key points to, by the noun its tools have."""
    if field.queryset is None:
        return "FK"
    model = field.queryset.model
    peer = bound.exposed.peers.get(model)
    return f"FK {peer.noun if peer else model._meta.model_name}"


def _initial(field: Any) -> Any:
    value = field.initial() if callable(field.initial) else field.initial
    return None if value in (None, "", [], {}) or hasattr(value, "tzinfo") else plain(value)
