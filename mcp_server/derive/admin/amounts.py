"""Reads numbers: as they are, or as a change of what is stored, such as {"add": -3}."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

NUMBERS = (forms.IntegerField, forms.FloatField, forms.DecimalField)
RELATIVE = ("multiply", "add")
NUMBER = 'Give a number with a point and no separators, such as "1299.50".'
RELATIVE_NUMBER = 'Give a number such as "1299.50", or a change such as {"multiply": "1.10"} or {"add": -3}.'


def is_relative(value: Any) -> bool:
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in RELATIVE


def read_number(field: Any, value: Any, current: Any) -> Any:
    """Return what the field shall hold; raises ValidationError for what is no number."""
    if is_relative(value):
        return _computed(field, value, current)
    given = _decimal(value, RELATIVE_NUMBER if current is not None else NUMBER)
    return int(given) if isinstance(field, forms.IntegerField) and given == given.to_integral_value() else given


def _computed(field: Any, change: Mapping[str, Any], current: Any) -> Decimal:
    """Return the current value multiplied or added to, rounded half up to what the field keeps."""
    if current is None:
        raise ValidationError("There is no value yet to change: give the value itself.")
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
        given = Decimal(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    except InvalidOperation:
        given = None
    if given is None or not given.is_finite() or abs(given.adjusted()) > 300:
        raise ValidationError(sentence)
    return given
