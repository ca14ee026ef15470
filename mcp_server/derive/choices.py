"""The choices of a field: those there are, and the one that a caller means."""

from enum import Enum
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.models import ModelChoiceField

MAX_TOLD = 30


def ungrouped(choices: Any) -> list[tuple[Any, str]]:
    """Return key and label of each choice, of those in groups too."""
    pairs: list[tuple[Any, str]] = []
    for key, label in choices:
        pairs += ungrouped(label) if isinstance(label, list | tuple) else [(key, str(label))]
    return pairs


def selectable(choices: Any) -> list[tuple[Any, str]]:
    """Return key and label of each choice but the empty one."""
    return [(key, label) for key, label in ungrouped(choices) if key not in (None, "")]


def stored(choices: Any) -> list[tuple[Any, str]]:
    """Return choices of a model's field by what their column holds, where they are members of an Enum."""
    return [(key.value if isinstance(key, Enum) else key, str(label)) for key, label in choices or ()]


def several(field: Any) -> Any:
    """Return the choices of a form field that takes several of them, such as a number made of bits; None for others."""
    if isinstance(field, forms.MultipleChoiceField):
        return field.choices
    if isinstance(field, forms.CharField | ModelChoiceField):
        return None
    takes_several = getattr(field.widget, "allow_multiple_selected", False)
    return getattr(field, "choices", None) or getattr(field.widget, "choices", None) if takes_several else None


def chosen(choices: Any, value: Any) -> Any:
    """Return the key of the choice that was given by key or by label; raises ValidationError for anything else."""
    pairs = ungrouped(choices)
    for key, _ in pairs:
        if str(key) == str(value):
            return key
    for key, label in pairs:
        if label == value:
            return key
    allowed = ", ".join(str(key) for key, _ in selectable(choices)[:MAX_TOLD])
    raise ValidationError(f"{str(value)[:40]!r} is not allowed. Use one of: {allowed}.")
