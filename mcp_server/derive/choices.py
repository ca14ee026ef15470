"""The choices of a field: those there are, and the one that a caller means."""

from difflib import SequenceMatcher
from enum import Enum
from heapq import nlargest
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.models import ModelChoiceField

# As many as an error names, as it chooses them from, and as describe_ lists.
MAX_TOLD = 30
MAX_COMPARED = 2000
MAX_DESCRIBED = 100
MAX_TEXT = 100


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
    raise ValidationError(f"{str(value)[:40]!r} is not allowed. Use one of: {closest(selectable(choices), value)}.")


def closest(pairs: list[tuple[Any, str]], value: Any) -> str:
    """Return the keys of choices; of many, those whose key or label is most like the value."""
    if len(pairs) <= MAX_TOLD:
        return ", ".join(str(key) for key, _ in pairs)
    text = str(value)[:MAX_TEXT].lower()
    matcher = SequenceMatcher(b=text)

    def likeness(part: object) -> float:
        known = str(part)[:MAX_TEXT].lower()
        matcher.set_seq1(known)
        return float(matcher.ratio()) + (text in known)

    found = nlargest(MAX_TOLD, pairs[:MAX_COMPARED], key=lambda pair: max(map(likeness, pair)))
    return f"{', '.join(str(key) for key, _ in found)} ({MAX_TOLD} of {len(pairs)})"


def examples(pairs: list[tuple[Any, str]]) -> str | None:
    """Return how many choices there are, where they are too many to be told, and what they look like."""
    if len(pairs) <= MAX_DESCRIBED:
        return None
    some = ", ".join(str(key) for key, _ in pairs[:3])
    return f"One of {len(pairs)} choices, by value or label, such as {some}"
