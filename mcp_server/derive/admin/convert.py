"""Turns a JSON value into what a form field's widget can show; posting.py writes it down as a browser posts it."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation, ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.forms.models import ModelChoiceField, ModelMultipleChoiceField
from django.http.multipartparser import MultiPartParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime, parse_time

from mcp_server.derive.admin.amounts import NUMBERS, read_number
from mcp_server.derive.admin.bound import Bound
from mcp_server.derive.admin.kept import is_text_of_bytes
from mcp_server.derive.admin.references import find_referred
from mcp_server.derive.choices import chosen, several
from mcp_server.derive.secrecy import HIDDEN, with_secrets

# What travels through JSON as base64 has to fit the body a server takes.
MAX_FILE_BYTES = 2 * 1024 * 1024
MAX_SELECTED = 1000
# The rule for names is a method of the parser that asks nothing of it.
NO_PARSER: Any = None
SELECTION = 'Give {"add": [...], "remove": [...]}, or a list, which replaces the whole selection.'
UPLOAD = 'Give {"name": "report.pdf", "content": "<base64>"}, or null to remove the file.'


def python_value(bound: Bound, field: Any, value: Any, current: Any) -> Any:
    """Return the value as the form field's widget can show it; raises ValidationError with a sentence that helps."""
    if value is None:
        return None
    if isinstance(field, ModelMultipleChoiceField):
        return _selection(bound, field, value, current)
    if isinstance(field, ModelChoiceField):
        return find_referred(bound, field, value)
    if isinstance(field, forms.FileField):
        return _upload(value)
    if isinstance(field, forms.JSONField):
        return _json(field, value, current)
    if (choices := several(field)) is not None:
        return [chosen(choices, item) for item in _list(value)]
    if isinstance(field, NUMBERS):
        return read_number(field, value, current)
    if isinstance(field, forms.ChoiceField):
        return chosen(field.choices, value)
    if isinstance(field, forms.MultiValueField) and not isinstance(field, forms.SplitDateTimeField):
        return _each(bound, field, value, current)
    return _simple(field, value)


def _selection(bound: Bound, field: Any, value: Any, current: Any) -> list[Any]:
    """Return what is selected: the rows of a list, or those of now with some added and some removed."""

    def found(items: Any) -> list[str]:
        return [str(find_referred(bound, field, item)) for item in _list(items)]

    if not isinstance(value, Mapping):
        return found(value)
    if not value or value.keys() - {"add", "remove"}:
        raise ValidationError(SELECTION)
    now, removed = [str(field.prepare_value(row)) for row in current or ()], found(value.get("remove", []))
    return [key for key in dict.fromkeys([*now, *found(value.get("add", []))]) if key not in removed]


def _each(bound: Bound, field: Any, value: Any, current: Any) -> list[Any]:
    """Return the values of a field with several inputs; a number or file alone is for the first, the others stay."""
    shown = list(current) if isinstance(current, list | tuple) else _split(field, current)
    if not isinstance(value, list):
        is_first = isinstance(field.fields[0], (*NUMBERS, forms.FileField)) and len(shown) == len(field.fields)
        value = [value, *shown[1:]] if is_first else _split(field, value)
    if len(value) != len(field.fields) or all(item is None for item in value):
        raise ValidationError(f"Give a list of {len(field.fields)} values, one for each input; see describe.")
    known = [*shown, *[None] * len(value)]
    return [python_value(bound, part, item, now) for part, item, now in zip(field.fields, value, known, strict=False)]


def _split(field: Any, value: Any) -> list[Any]:
    try:
        return list(field.widget.decompress(value))
    except Exception:
        # The widget was written for what its field makes, not for whatever a caller sends.
        return []


def _simple(field: Any, value: Any) -> Any:
    if isinstance(field, forms.BooleanField | forms.NullBooleanField):
        if not isinstance(value, bool):
            raise ValidationError("Give true or false.")
        return value
    if isinstance(field, forms.DateTimeField | forms.SplitDateTimeField):
        return _moment(value)
    if isinstance(field, forms.DateField):
        return _parsed(parse_date, value, "Give a date as YYYY-MM-DD.")
    if isinstance(field, forms.TimeField):
        return _parsed(parse_time, value, "Give a time as HH:MM:SS.")
    if isinstance(field, forms.CharField) and not _keeps_lists(field):
        if isinstance(value, bool | dict | list):
            raise ValidationError("Give text.")
        return str(value)
    return value


def _keeps_lists(field: Any) -> bool:
    # A field such as PostgreSQL's arrays is a CharField that shows a list as one line of text.
    return type(field).prepare_value is not forms.Field.prepare_value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValidationError("Give a list; it replaces the whole selection.")
    if len(value) > MAX_SELECTED:
        raise ValidationError(f"Give at most {MAX_SELECTED}.")
    return value


def _upload(value: Any) -> Any:
    if not isinstance(value, Mapping) or set(value) - {"name", "content", "content_type"} or "content" not in value:
        raise ValidationError(UPLOAD)
    # As Django reads the name that a browser sends: the last part of a path, without what cannot be printed.
    name, text = MultiPartParser.sanitize_file_name(NO_PARSER, str(value.get("name", ""))), value["content"]
    if not name or not isinstance(text, str):
        # A path on the server is text too: only bytes that came with the call are ever stored.
        raise ValidationError(UPLOAD)
    if len(text) > MAX_FILE_BYTES * 4 // 3 + 4:
        raise ValidationError(f"The file is larger than {MAX_FILE_BYTES // 1024 // 1024} MB.")
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValidationError(f"The content is not base64. {UPLOAD}") from None
    try:
        return SimpleUploadedFile(name, content, str(value.get("content_type", "application/octet-stream")))
    except SuspiciousFileOperation:
        raise ValidationError(f"{name[:40]!r} is no name for a file; give one such as report.pdf.") from None


def check_base64(column: Any, field: Any, value: Any) -> None:
    """Raise ValidationError for a text that a column of bytes would stumble over."""
    if value is None or not is_text_of_bytes(column, field):
        return
    try:
        base64.b64decode(value, validate=True)
    except ValueError:
        raise ValidationError("Give base64.") from None


def _json(field: Any, value: Any, current: Any) -> str:
    """Return the text of a JSON value; "[secret]", as it was read, stands for what is stored."""
    text = value if isinstance(value, str) and _is_json(value) else json.dumps(value)
    if HIDDEN not in text:
        return text
    try:
        return json.dumps(with_secrets(json.loads(text), current), cls=field.encoder)
    except LookupError:
        raise ValidationError(f"{HIDDEN} keeps a stored value, and here is none to keep: give a value.") from None


def _is_json(text: str) -> bool:
    try:
        # A text that happens to be a number is a text all the same.
        return isinstance(json.loads(text), dict | list)
    except ValueError:
        return False


def _moment(value: Any) -> Any:
    text = "Give ISO 8601 with a zone, such as 2026-02-01T09:30:00+00:00."
    moment = _parsed(parse_datetime, value, text)
    if timezone.is_naive(moment):
        return timezone.make_aware(moment) if settings.USE_TZ else moment
    # A project without zones keeps the time of its own clock.
    return moment if settings.USE_TZ else timezone.make_naive(moment)


def _parsed(parse: Any, value: Any, sentence: str) -> Any:
    try:
        found = parse(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None:
        raise ValidationError(sentence)
    return found
