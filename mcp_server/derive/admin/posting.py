"""Writes a value as a browser posts it: what the widget of a form field sends once it shows the value."""

import datetime
from collections.abc import Hashable
from functools import cache
from typing import Any

from django import forms
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.core.files.uploadedfile import UploadedFile
from django.forms.widgets import ChoiceWidget
from django.utils import timezone

from mcp_server.derive.admin.pages import read_page


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
    if _shows_apart(widget):
        return rendered(widget, name, value)
    if isinstance(widget, ChoiceWidget) and _is_one_of_several(widget, value):
        return rendered(widget, name, value)
    shown = _exact(widget, value) or widget.format_value(_local(value))
    if isinstance(value, str) and isinstance(shown, dict | list) and not isinstance(widget, ChoiceWidget):
        # What an input shows its script as a tree, the script sends as the text that it was.
        shown = value
    if shown is None:
        return {name: [""]} if not getattr(widget, "allow_multiple_selected", False) else {}
    return {name: [str(item) for item in shown]} if isinstance(shown, list | tuple) else {name: [str(shown)]}


def uploads(widget: Any, name: str, value: Any) -> dict[str, Any]:
    """Return the files among the values of a widget with several inputs, by the names of their inputs."""
    # Not narrowed to MultiWidget: Django's stubs do not know its widgets_names.
    if not hasattr(widget, "widgets_names") or not isinstance(value, list):
        return {}
    parts = zip(widget.widgets_names, value, strict=False)
    return {f"{name}{suffix}": item for suffix, item in parts if isinstance(item, UploadedFile)}


def clears(widget: Any, name: str) -> str | None:
    """Return the name of the box that removes a file, of the widget or of the first of its inputs."""
    if getattr(widget, "widgets_names", None):
        return clears(widget.widgets[0], f"{name}{widget.widgets_names[0]}")
    return str(widget.clear_checkbox_name(name)) if hasattr(widget, "clear_checkbox_name") else None


def _is_one_of_several(widget: ChoiceWidget, value: Any) -> bool:
    """Tell whether a selection of several was given as one object: only the widget knows what is chosen in it."""
    return widget.allow_multiple_selected and not isinstance(value, list | tuple | str | None)


def _shows_apart(widget: Any) -> bool:
    """Tell whether a widget reads inputs of other names than its own, such as one select each for day, month, year."""
    return isinstance(widget, forms.SelectDateWidget) or not _reads_plainly(widget.__class__)


@cache
def _reads_plainly(kind: Hashable) -> bool:
    bases: tuple[type, ...] = getattr(kind, "__mro__", ())
    owner = next(base for base in bases if "value_from_datadict" in vars(base))
    return owner.__module__.startswith("django.")


def rendered(widget: Any, name: str, value: Any) -> dict[str, list[str]]:
    """Return what a browser would send: what the widget's own HTML says once it shows the value."""
    # With the id that a page gives it: inputs with a script need it.
    form = read_page(f'<form method="post">{widget.render(name, value, {"id": f"id_{name}"})}</form>').form
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
