"""Which fields and keys hold secrets: by their name, or by the kind of field a project keeps them in."""

import json
import re
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from functools import cache, lru_cache
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import BooleanField, DateField, DurationField, TimeField
from django.db.models.constants import LOOKUP_SEP
from django.forms import PasswordInput

from tokens.audit import SECRET_NAME

HIDDEN = "[secret]"
# EncryptedCharField, FernetTextField, TextPGPSymmetricKeyField: whoever chose one of these did not mean it to be read.
SECRET_KIND = re.compile(r"encrypt|cipher|fernet|pgp|password|secret|hashed", re.IGNORECASE)
# Whether there is a password and since when a token has been valid is no secret, whatever the field is called.
HARMLESS = (BooleanField, DateField, TimeField, DurationField)
# In JSON these name anything: {"key": "colour", "value": "oak"}.
PLAIN_KEYS = {"key", "keys"}


def is_secret(path: str, model: Any = None) -> bool:
    """Tell whether a field, or any field on a path that begins at the model, holds a secret."""
    return _is_secret(path, model)


@lru_cache(maxsize=10_000)
def _is_secret(path: str, model: Hashable) -> bool:
    fields = list(fields_on(model, path))
    if any(_is_secret_kind(field.__class__) for field in fields):
        return True
    harmless = {field.name for field in fields if isinstance(field, HARMLESS)}
    named = LOOKUP_SEP.join(part for part in path.split(LOOKUP_SEP) if part not in harmless)
    return SECRET_NAME.search(named) is not None


def fields_on(model: Any, path: str) -> Iterator[Any]:
    """Yield the model's own fields along a path, as far as it consists of them."""
    for part in path.split(LOOKUP_SEP):
        if model is None or isinstance(model, str):
            return
        try:
            field = model._meta.pk if part == "pk" else model._meta.get_field(part)
        except FieldDoesNotExist:
            return
        yield field
        model = field.related_model


@cache
def _is_secret_kind(kind: type) -> bool:
    return any(SECRET_KIND.search(base.__name__) for base in kind.__mro__)


def secret_names(admins: Iterable[Any]) -> set[str]:
    """Return the names of the fields that hold secrets, of the models of these admins and inlines."""
    found: set[str] = set()
    for admin in admins:
        fields = (field.name for field in admin.model._meta.concrete_fields)
        found |= {name for name in fields if is_secret(name, admin.model)} | blind_fields(admin)
    return found


def blind_fields(admin: Any) -> set[str]:
    """Return the fields whose stored value the page of this admin or inline never shows: a password's input has them.

    What is declared is found; a widget that a hook puts in for one request is not.
    """
    widgets = {name: field.widget for name, field in getattr(admin.form, "declared_fields", {}).items()}
    widgets |= getattr(getattr(admin.form, "_meta", None), "widgets", None) or {}
    for kind, options in (admin.formfield_overrides or {}).items():
        if is_blind(options.get("widget")):
            widgets |= {f.name: options["widget"] for f in admin.model._meta.fields if isinstance(f, kind)}
    return {name for name, widget in widgets.items() if is_blind(widget)}


def is_blind(widget: Any) -> bool:
    kind = widget if isinstance(widget, type) else type(widget)
    return issubclass(kind, PasswordInput) and not getattr(widget, "render_value", False)


def without_values_of(names: Collection[str], value: Any) -> Any:
    """Return a call's arguments with "[secret]" in the place of the values of these names, at any depth."""
    if isinstance(value, Mapping):
        return {k: HIDDEN if k in names else without_values_of(names, item) for k, item in value.items()}
    return [without_values_of(names, item) for item in value] if isinstance(value, list) else value


def is_secret_key(key: object, value: object) -> bool:
    """Tell whether a key of a JSON object holds a secret; an empty value and a switch are none."""
    name = str(key)
    is_empty = value is None or isinstance(value, bool) or value in ("", [], {})
    return not is_empty and name.lower() not in PLAIN_KEYS and SECRET_NAME.search(name) is not None


def without_secrets(value: Any) -> Any:
    """Return a JSON value with "[secret]" in the place of what its keys say is secret."""
    if isinstance(value, Mapping):
        return {k: HIDDEN if is_secret_key(k, item) else without_secrets(item) for k, item in value.items()}
    return [without_secrets(item) for item in value] if isinstance(value, list | tuple) else value


def with_secrets(value: Any, stored: Any) -> Any:
    """Return a JSON value that was read without secrets with those that are stored; raises LookupError for others."""
    if value == HIDDEN:
        raise LookupError
    if isinstance(value, Mapping):
        kept = stored if isinstance(stored, Mapping) else {}
        return {
            key: kept[key]
            if item == HIDDEN and is_secret_key(key, kept.get(key))
            else with_secrets(item, kept.get(key))
            for key, item in value.items()
        }
    if not isinstance(value, list):
        return value
    # Items move: one that holds a secret is found by all the rest of it.
    known = {_text(without_secrets(item)): item for item in (stored if isinstance(stored, list) else ())}
    return [known[text] if (text := _text(item)) in known else with_secrets(item, None) for item in value]


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
