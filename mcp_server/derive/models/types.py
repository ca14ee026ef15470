"""The types of model fields, as arguments and in answers."""

import datetime
import decimal
import uuid
from typing import Annotated, Any, Literal

from django.db import models
from pydantic import Field, WithJsonSchema

from mcp_server.classes.schema import Text

# The first that fits; a field that is none of these is text.
TYPES: list[tuple[tuple[type, ...], Any]] = [
    ((models.BooleanField,), bool),
    ((models.IntegerField, models.AutoField), int),
    ((models.FloatField,), float),
    ((models.DateTimeField,), datetime.datetime),
    ((models.DateField,), datetime.date),
    ((models.TimeField,), datetime.time),
    ((models.UUIDField,), uuid.UUID),
    ((models.DurationField,), datetime.timedelta),
    ((models.JSONField,), Any),
]
Money = Annotated[decimal.Decimal, WithJsonSchema({"type": "string", "format": "decimal"})]


def answered_type(field: Any) -> Any:
    """Return the type of a field's value in an answer; null is possible wherever rows may hold it."""
    if isinstance(field, models.ManyToManyField):
        return list[key_type(field.related_model)]  # type: ignore[misc]
    kind = _kind(field)
    return kind | None if field.null or isinstance(field, models.FileField) else kind


def asked_type(field: Any) -> Any:
    """Return the type of a field as an argument, with its choices and lengths."""
    if isinstance(field, models.ManyToManyField):
        return list[key_type(field.related_model)]  # type: ignore[misc]
    choices = [value for value, _label in field.flatchoices]
    if choices and all(isinstance(value, str | int) for value in choices):
        blank = [""] if field.blank and "" not in choices and isinstance(field, models.CharField) else []
        kind: Any = Literal[tuple(choices + blank)]
    else:
        kind = _kind(field)
        if kind is Text and field.max_length:
            kind = Annotated[kind, Field(max_length=field.max_length)]
    return kind | None if field.null else kind


def key_type(model: Any) -> Any:
    return _kind(model._meta.pk)


def description_of(field: Any) -> str:
    told = str(field.help_text).strip()
    if field.is_relation:
        noun = field.related_model._meta.verbose_name
        keys = f"Keys of rows of {noun}." if field.many_to_many else f"Key of a {noun}."
        return f"{told} {keys}".strip()
    return told or f"{str(field.verbose_name)[:1].upper()}{str(field.verbose_name)[1:]}."


def _kind(field: Any) -> Any:
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    if isinstance(field, models.DecimalField):
        return Money
    return next((kind for classes, kind in TYPES if isinstance(field, classes)), Text)
