"""Turns a JSON value into what a browser would have posted for a form field."""

import base64
import binascii
import datetime
import json
from collections.abc import Hashable, Mapping
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cache
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.admin.widgets import AutocompleteMixin, RelatedFieldWidgetWrapper
from django.core.exceptions import SuspiciousFileOperation, ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.forms.models import ModelChoiceField, ModelMultipleChoiceField
from django.http.multipartparser import MultiPartParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime, parse_time

from mcp_server.derive.admin.bound import Bound
from mcp_server.derive.admin.lookup import is_key, resolve
from mcp_server.derive.admin.pages import read_page
from mcp_server.derive.admin.refusal import RefusalError
from mcp_server.derive.choices import chosen
from mcp_server.derive.secrecy import HIDDEN, with_secrets

# What travels through JSON as base64 has to fit the body a server takes.
MAX_FILE_BYTES = 2 * 1024 * 1024
MAX_SELECTED = 1000
# The rule for names is a method of the parser that asks nothing of it.
NO_PARSER: Any = None
RELATIVE = ("multiply", "add")
NUMBERS = (forms.IntegerField, forms.FloatField, forms.DecimalField)
NUMBER = 'Give a number with a point and no separators, such as "1299.50".'
RELATIVE_NUMBER = 'Give a number such as "1299.50", or a change such as {"multiply": "1.10"} or {"add": -3}.'
UPLOAD = 'Give {"name": "report.pdf", "content": "<base64>"}, or null to remove the file.'


def is_relative(value: Any) -> bool:
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in RELATIVE


def python_value(bound: Bound, field: Any, value: Any, current: Any) -> Any:
    """Return the value as the form field's widget can show it; raises ValidationError with a sentence that helps."""
    if value is None:
        return None
    if isinstance(field, ModelMultipleChoiceField):
        return [_related(bound, field, item) for item in _list(value)]
    if isinstance(field, ModelChoiceField):
        return _related(bound, field, value)
    if isinstance(field, forms.FileField):
        return _upload(field, value)
    if isinstance(field, forms.JSONField):
        return _json(field, value, current)
    if isinstance(field, NUMBERS):
        return _number(field, value, current)
    if isinstance(field, forms.MultipleChoiceField):
        return [chosen(field.choices, item) for item in _list(value)]
    if isinstance(field, forms.ChoiceField):
        return chosen(field.choices, value)
    if isinstance(field, forms.MultiValueField) and not isinstance(field, forms.SplitDateTimeField):
        return _each(bound, field, value, current)
    return _simple(field, value)


def _each(bound: Bound, field: Any, value: Any, current: Any) -> list[Any]:
    """Return the values of a field with several inputs; a number alone is for the first, and the others stay."""
    shown = list(current) if isinstance(current, list | tuple) else _split(field, current)
    if not isinstance(value, list):
        is_amount = isinstance(field.fields[0], NUMBERS) and len(shown) == len(field.fields)
        value = [value, *shown[1:]] if is_amount else _split(field, value)
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
        raise ValidationError(f"At most {MAX_SELECTED} at once.")
    return value


def _related(bound: Bound, field: Any, ref: Any) -> Any:
    """Return what the field posts for the row that `ref` names, among the rows the form offers."""
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
    """Tell whether `ref` can be posted as it is: a number is an id, a text only where ids are text, or it is a UUID."""
    if isinstance(ref, int):
        return True
    column = field.queryset.model._meta.pk if key == "pk" else field.queryset.model._meta.get_field(key)
    while column.remote_field:
        column = column.target_field
    is_text = column.get_internal_type() in ("CharField", "TextField", "SlugField") and "\x00" not in ref
    return (is_text or is_key(column, ref)) and bool(field.queryset.filter(**{key: ref}).exists())


def _upload(field: Any, value: Any) -> Any:
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
        raise ValidationError(f"{name[:40]!r} is no name of a file.") from None


def _json(field: Any, value: Any, current: Any) -> str:
    """Return the text of a JSON value; "[secret]", as it was read, stands for what is stored."""
    text = value if isinstance(value, str) and _is_json(value) else json.dumps(value)
    if HIDDEN not in text:
        return text
    try:
        return json.dumps(with_secrets(json.loads(text), current), cls=field.encoder)
    except LookupError:
        raise ValidationError(f"{HIDDEN} stands for a value that is kept, and here is none to keep.") from None


def _is_json(text: str) -> bool:
    try:
        # A text that happens to be a number is a text all the same.
        return isinstance(json.loads(text), dict | list)
    except ValueError:
        return False


def _number(field: Any, value: Any, current: Any) -> Any:
    if is_relative(value):
        return _computed(field, value, current)
    number = _decimal(value, RELATIVE_NUMBER if current is not None else NUMBER)
    return int(number) if isinstance(field, forms.IntegerField) and number == number.to_integral_value() else number


def _computed(field: Any, change: Mapping[str, Any], current: Any) -> Decimal:
    """Return the current value multiplied or added to, rounded half up to what the field keeps."""
    if current is None:
        raise ValidationError("There is no value yet that could be changed relatively.")
    (kind, amount), now = next(iter(change.items())), Decimal(str(current))
    given = _decimal(amount, RELATIVE_NUMBER)
    result = now * given if kind == "multiply" else now + given
    places = field.decimal_places if isinstance(field, forms.DecimalField) else None
    if isinstance(field, forms.IntegerField) and not isinstance(field, forms.FloatField | forms.DecimalField):
        places = 0
    try:
        return result if places is None else result.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    except InvalidOperation:
        raise ValidationError("The result is too large.") from None


def _decimal(value: Any, sentence: str) -> Decimal:
    try:
        number = Decimal(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or abs(number.adjusted()) > 300:
        raise ValidationError(sentence)
    return number


def _moment(value: Any) -> Any:
    text = "Give ISO 8601 with a zone, such as 2026-02-01T09:30:00+00:00."
    moment = _parsed(parse_datetime, value, text)
    return timezone.make_aware(moment) if timezone.is_naive(moment) and settings.USE_TZ else moment


def _parsed(parse: Any, value: Any, sentence: str) -> Any:
    try:
        found = parse(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None:
        raise ValidationError(sentence)
    return found


def posted(widget: Any, name: str, value: Any) -> dict[str, list[str]]:
    """Return what a browser sends for a widget that shows this value: the inverse of value_from_datadict."""
    if isinstance(widget, RelatedFieldWidgetWrapper):
        return posted(widget.widget, name, value)
    if isinstance(widget, forms.MultiWidget):
        return _parts(widget, name, value)
    if isinstance(widget, forms.CheckboxInput):
        # "false" is read as False; a box that is not ticked is not sent at all.
        return {name: ["on"]} if widget.check_test(value) else {}
    if isinstance(widget, forms.FileInput):
        return {}
    if shows_apart(widget):
        return rendered(widget, name, value)
    shown = _exact(widget, value) or widget.format_value(_local(value))
    if shown is None:
        return {name: [""]} if not getattr(widget, "allow_multiple_selected", False) else {}
    return {name: [str(item) for item in shown]} if isinstance(shown, list | tuple) else {name: [str(shown)]}


def shows_apart(widget: Any) -> bool:
    """Tell whether a widget reads inputs of other names than its own, such as one select each for day, month, year."""
    return isinstance(widget, forms.SelectDateWidget) or not reads_plainly(widget.__class__)


@cache
def reads_plainly(kind: Hashable) -> bool:
    bases: tuple[type, ...] = getattr(kind, "__mro__", ())
    owner = next(base for base in bases if "value_from_datadict" in vars(base))
    return owner.__module__.startswith("django.")


def rendered(widget: Any, name: str, value: Any) -> dict[str, list[str]]:
    """Return what a browser would send: what the widget's own HTML says once it shows the value."""
    form = read_page(f'<form method="post">{widget.render(name, value)}</form>').form
    return form.data if form else {}


def _exact(widget: Any, value: Any) -> str | None:
    # The widgets of the admin show no microseconds, though the fields behind them take them.
    if isinstance(widget, forms.DateTimeInput | forms.TimeInput) and getattr(value, "microsecond", None):
        return str(_local(value))
    return None


def _parts(widget: Any, name: str, value: Any) -> dict[str, list[str]]:
    values = value if isinstance(value, list | tuple) else widget.decompress(value)
    data: dict[str, list[str]] = {}
    for part, suffix, item in zip(widget.widgets, widget.widgets_names, values, strict=False):
        data |= posted(part, f"{name}{suffix}", item)
    return data


def _local(value: Any) -> Any:
    if isinstance(value, datetime.datetime) and timezone.is_aware(value):
        return timezone.localtime(value).replace(tzinfo=None)
    return value
