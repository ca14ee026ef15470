"""What a row's values look like in an answer: JSON types, no markup, and no secrets."""

import datetime
import html
import re
from collections.abc import Iterable, Sized
from decimal import Decimal
from enum import Enum
from typing import Any

from django.contrib.admin.utils import lookup_field
from django.core.exceptions import ObjectDoesNotExist
from django.db import models
from django.utils import timezone
from django.utils.encoding import force_str
from django.utils.functional import Promise
from django.utils.html import strip_tags
from django.utils.safestring import SafeString

from mcp_server.derive.secrecy import HIDDEN, is_secret_key

MAX_RELATED = 50


def label_of(row: models.Model) -> str:
    return force_str(row)


def held(row: models.Model, field: Any) -> Any:
    """Return what a row holds in a column; some kinds of field show instead an object that looks into the row."""
    shown = getattr(row, field.attname)
    return vars(row).get(field.attname, shown)


def reference(row: models.Model | None) -> Any:
    """Return how a row is named where another row refers to it."""
    return None if row is None else {"id": plain(row.pk), "label": label_of(row)}


def plain(value: Any, field: Any = None) -> Any:
    """Return a value as JSON has it: decimals and times as strings, rows as id and label, markup as text."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, SafeString):
        return text_of(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        # Neither NaN nor infinity is JSON.
        return value if value == value and abs(value) != float("inf") else str(value)
    if isinstance(value, Decimal):
        return decimal_text(value, field)
    if isinstance(value, datetime.datetime):
        return (timezone.localtime(value) if timezone.is_aware(value) else value).isoformat()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return _compound(value, field)


def _compound(value: Any, field: Any) -> Any:
    if isinstance(value, Enum):
        # What its column holds, and what a form takes.
        return plain(value.value, field)
    if isinstance(value, models.Model):
        return reference(value)
    if isinstance(value, models.fields.files.FieldFile):
        return file_of(value)
    if isinstance(value, models.Manager | models.QuerySet):
        return many(value.all())
    if isinstance(value, dict):
        return {force_str(k): HIDDEN if is_secret_key(k, item) else plain(item) for k, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return f"[{len(value)} bytes]"
    if isinstance(value, Iterable) and isinstance(value, Sized) and not isinstance(value, Promise):
        # A field's own kind of list, made for a nicer text on a page.
        return [plain(item) for item in value]
    text = force_str(value)
    # A lazy translation may turn out to be markup.
    return text_of(text) if isinstance(value, Promise) and isinstance(text, SafeString) else text


def many(rows: Iterable[Any]) -> list[Any]:
    """Return references to related rows, at most 50 of them and how many more there are."""
    found = list(rows)
    shown = [reference(row) for row in found[:MAX_RELATED]]
    return shown if len(found) <= MAX_RELATED else [*shown, {"more": len(found) - MAX_RELATED}]


def decimal_text(value: Decimal, field: Any = None) -> str:
    """Return a decimal without an exponent, with the places its field keeps."""
    places = getattr(field, "decimal_places", None)
    if places is not None and value.is_finite():
        return f"{value:.{places}f}"
    return format(value, "f")


def file_of(value: Any) -> Any:
    """Return a file's name and address; the path on the server stays out."""
    if not value:
        return None
    try:
        return {"name": value.name, "url": value.url}
    except (ValueError, NotImplementedError):
        return {"name": value.name}


def text_of(markup: str) -> str:
    """Return the text of markup, one space where it had a break."""
    spaced = re.sub(r"<(br|/p|/li|/div|/tr|/td|/h\d)[^>]*>", " ", str(markup), flags=re.IGNORECASE)
    return re.sub(r"\s+", " ", html.unescape(strip_tags(spaced))).strip()


def name_of(column: Any, number: int = 0) -> str:
    """Return the name of a column or field, which the admin also lets be a function."""
    if not callable(column):
        return str(column)
    name = getattr(column, "__name__", "")
    return name if name and name != "<lambda>" else f"column_{number}"


def read(column: Any, row: Any, model_admin: Any) -> Any:
    """Return the value of a column or read-only field as the admin computes it."""
    try:
        field, attribute, value = lookup_field(column, row, model_admin)
    except (AttributeError, ValueError, ObjectDoesNotExist):
        return None
    if field is None and callable(value) and not isinstance(value, models.Manager):
        value = None
    if getattr(attribute, "boolean", False) and value is not None:
        return bool(value)
    return plain(value, field)
