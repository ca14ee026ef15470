"""The filters of a list: what list_filter, date_hierarchy and the visible fields allow, and nothing more."""

import datetime
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.contrib.admin.utils import get_fields_from_path
from django.contrib.admin.views.main import IGNORED_PARAMS, PAGE_VAR
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from mcp_server.derive.admin.arguments import MAX_TERM
from mcp_server.derive.admin.bound import Bound
from mcp_server.derive.admin.lookup import resolve
from mcp_server.derive.admin.refusal import RefusalError
from mcp_server.derive.admin.sidebar import own_parameters, sent
from mcp_server.derive.choices import chosen, stored
from mcp_server.derive.secrecy import is_secret

# What a comparison with a day means for a moment: until a day is until its end.
DAYS = {
    "exact": [("gte", "start"), ("lt", "end")],
    "in": [("gte", "start"), ("lt", "end")],
    "gte": [("gte", "start")],
    "lt": [("lt", "start")],
    "gt": [("gte", "end")],
    "lte": [("lt", "end")],
}
# Each may cost a query.
MAX_VALUES = 100
# Names that mean something else in the query string of the admin's list.
RESERVED = (*IGNORED_PARAMS, PAGE_VAR)
LOOKUPS = ("gte", "lte", "gt", "lt", "isnull", "contains", "icontains", "startswith", "iexact", "in")
# A database takes no patterns of any length.
PATTERNS = ("contains", "icontains", "startswith", "iexact")
# Of a date; those of the list's own drill-down among them, and the largest there is of each.
PARTS = {"year": 9999, "month": 12, "day": 31}


def field_filters(bound: Bound) -> dict[str, Any]:
    """Return the fields a caller may filter by: those of list_filter, of date_hierarchy and the visible ones."""
    admin, request = bound.admin, bound.request
    paths = [path_of(item) for item in admin.get_list_filter(request)]
    paths += [admin.date_hierarchy, *bound.columns(), *bound.declared()]
    found = {}
    for path in dict.fromkeys(path for path in paths if path):
        field = _readable(bound, path)
        if field is not None:
            found[path] = field
    return found


def _readable(bound: Bound, path: str) -> Any:
    """Return the last field of the path, or None where the caller may not look along it."""
    if is_secret(path, bound.model) or not bound.exposed.shows(path.partition("__")[0]) or not bound.may_follow(path):
        return None
    return get_fields_from_path(bound.model, path)[-1]


def query_of(bound: Bound, given: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the query string of the admin's list that means these filters; refuses others by name."""
    if not given:
        return {}
    parameters, fields = own_parameters(bound), field_filters(bound)
    query: dict[str, list[str]] = {}
    for name, value in given.items():
        if isinstance(value, list) and not 0 < len(value) <= MAX_VALUES:
            # Without any, the list would show everything.
            raise RefusalError(f"filters: {name} takes at least 1 and at most {MAX_VALUES} values.")
        if name in parameters:
            query[name] = sent(name, parameters[name], value)
            continue
        path, lookup = _split(name, fields)
        if path is None:
            allowed = ", ".join([*parameters, *fields]) or "none"
            raise RefusalError(
                f"filters: {name} is no filter. Allowed: {allowed}; after a field __{', __'.join(LOOKUPS)}, "
                f"after a date __{', __'.join(PARTS)}."
            )
        query |= dict(_conditions(bound, path, lookup, fields[path], value))
    return query


def _split(name: str, fields: Mapping[str, Any]) -> tuple[str | None, str]:
    if name in fields:
        return name, "exact"
    path, _, lookup = name.rpartition("__")
    is_part = lookup in PARTS and isinstance(fields.get(path), models.DateField)
    return (path, lookup) if path in fields and (lookup in LOOKUPS or is_part) else (None, "")


def _conditions(bound: Bound, path: str, lookup: str, field: Any, value: Any) -> Iterator[tuple[str, list[str]]]:
    if lookup == "isnull" or value is None or _is_null_choice(field, lookup, value):
        is_null = lookup != "isnull" or value is None or _truth(path, value)
        yield f"{path}__isnull", ["1" if is_null else "0"]
        return
    if lookup in PARTS:
        yield f"{path}__{lookup}", [_part(path, lookup, value)]
        return
    if lookup == "in" and isinstance(value, str) and "," in value:
        # One text with a comma in it, or several values as an address has them: nobody could tell.
        raise RefusalError(f'filters: {path}__in: give a list, such as ["A", "B"].')
    values = value if isinstance(value, list) else [value]
    if isinstance(field, models.JSONField):
        # The text of a JSON value is that of its secret keys too.
        raise RefusalError(f"filters: {path} takes __isnull only.")
    if field.is_relation:
        if lookup not in ("exact", "in"):
            raise RefusalError(f"filters: {path} takes ids or labels, without __{lookup}.")
        yield f"{path}__pk", [str(_related_pk(bound, path, field, item)) for item in values]
        return
    if isinstance(field, models.DateTimeField) and all(map(_is_day, values)) and lookup in DAYS:
        # A day is a range: a time of day is part of every stored value.
        yield from _day(path, lookup, values)
        return
    checked = [_checked(path, field, lookup, item) for item in values]
    bare = lookup in ("exact", "in") and path not in RESERVED
    yield (path if bare else f"{path}__{'exact' if lookup == 'in' else lookup}"), checked


def _truth(path: str, value: Any) -> bool:
    text = str(value).lower()
    if text not in ("true", "1", "false", "0"):
        raise RefusalError(f"filters: {path}__isnull: give true or false.")
    return text in ("true", "1")


def _part(path: str, lookup: str, value: Any) -> str:
    text, largest = str(value), PARTS[lookup]
    # Python reads no numbers of thousands of digits.
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= largest):
        raise RefusalError(f"filters: {path}__{lookup}: give a number from 1 to {largest}.")
    return text


def _is_null_choice(field: Any, lookup: str, value: Any) -> bool:
    """Tell whether a choice was given, by value or label, that stands for null."""
    return lookup == "exact" and any(
        key is None and str(value) in (str(key), str(label)) for key, label in getattr(field, "flatchoices", None) or ()
    )


def _related_pk(bound: Bound, path: str, field: Any, ref: Any) -> Any:
    model = field.related_model
    admin = bound.peer(model)
    rows = admin.get_queryset(bound.request) if admin is not None else model._default_manager.all()
    try:
        return resolve(rows, ref, search=bound.other(model))
    except RefusalError as error:
        raise RefusalError(f"filters: {path}: {error}") from None


def _checked(path: str, field: Any, lookup: str, value: Any) -> str:
    """Return the value as the query string has it, after the field has accepted it."""
    if isinstance(value, dict | list) or (isinstance(value, str) and "\x00" in value):
        raise RefusalError(f"filters: {path} takes a single value.")
    if len(str(value)) > MAX_TERM and lookup in PATTERNS:
        raise RefusalError(f"filters: {path}__{lookup}: at most {MAX_TERM} characters.")
    choices = filter_choices(field) if lookup in ("exact", "in") else []
    if isinstance(field, models.DurationField) and not choices:
        raise RefusalError(f"filters: {path} takes only {path}__isnull: the admin's list cannot compare durations.")
    try:
        if choices:
            return str(chosen(choices, value))
        if isinstance(field, models.DateTimeField):
            return _moment(value).isoformat()
        # As text, which it is in the query string, and of which the field says what it takes.
        field.to_python(str(value))
    except (ValidationError, ValueError, TypeError) as error:
        text = " ".join(error.messages) if isinstance(error, ValidationError) else "This value is not of its type."
        raise RefusalError(f"filters: {path}: {text}") from None
    return str(value)


def filter_choices(field: Any) -> list[tuple[Any, str]]:
    """Return what a field with choices may be filtered by, "" among them where a row may have none; else []."""
    found = stored(getattr(field, "flatchoices", None))
    may_be_empty = found and field.blank and field.empty_strings_allowed and "" not in dict(found)
    return [*found, ("", "")] if may_be_empty else found


def _is_day(value: Any) -> bool:
    try:
        return isinstance(value, str) and len(value) == 10 and parse_date(value) is not None
    except ValueError:
        return False


def _day(path: str, lookup: str, values: list[Any]) -> Iterator[tuple[str, list[str]]]:
    """Yield the moments between which the comparison with a whole day holds."""
    if len(values) > 1:
        raise RefusalError(f"filters: {path} takes one day; give a range with {path}__gte and {path}__lt.")
    next_day = datetime.date.fromisoformat(values[0]) + datetime.timedelta(days=1)
    moments = {"start": _moment(values[0]), "end": _moment(str(next_day))}
    for comparison, moment in DAYS[lookup]:
        yield f"{path}__{comparison}", [moments[moment].isoformat()]


def _moment(value: Any) -> datetime.datetime:
    text = str(value)
    moment = parse_datetime(text)
    if moment is None and (day := parse_date(text)):
        moment = datetime.datetime(day.year, day.month, day.day)
    if moment is None:
        raise ValidationError("Give ISO 8601, such as 2026-02-01 or 2026-02-01T09:30:00+00:00.")
    if not settings.USE_TZ:
        return timezone.make_naive(moment) if timezone.is_aware(moment) else moment
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment


def path_of(item: Any) -> str | None:
    """Return the field that an entry of list_filter is about; None for a filter class, which knows itself."""
    item = item[0] if isinstance(item, list | tuple) else item
    return None if isinstance(item, type) else str(getattr(item, "name", item))
