"""Builds the page of a form before the form itself: a project's own `__init__` looks at what the page sent."""

import logging
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.forms.models import BaseModelForm

from mcp_server.derive.admin.exposure import overrides

logger = logging.getLogger(__name__)


def looks_at_data(form_class: Any) -> bool:
    """Tell whether a form has code of the project's in its `__init__`, such as choices that follow from a choice."""
    return overrides(form_class, BaseModelForm, ("__init__",))


def page_of(form_class: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Return the form that the page showed before it was sent, holding what was sent; None for one nobody sent."""
    given: dict[str, Any] = dict(zip(("data", "files"), args, strict=False)) | dict(kwargs)
    if given.get("data") is None:
        return None
    unsent = given | {"data": None, "files": None}
    try:
        page = form_class(*(unsent.pop(name) for name in ("data", "files")[: len(args)]), *args[2:], **unsent)
    except Exception:
        logger.debug("%s cannot be shown before it is sent", form_class, exc_info=True)
        return None
    page.data, page.files = given["data"], given.get("files")
    return page


def narrowed(form: Any, name: str) -> bool:
    """Tell whether a field offers other rows now than it did before its form saw what was sent."""
    before = None if form.mcp_page is None else form.mcp_page.fields.get(name)
    queryset = getattr(form.fields[name], "queryset", None)
    if before is None or queryset is None:
        return False
    try:
        return str(queryset.query) != str(before.queryset.query)
    except EmptyResultSet:
        # One of them offers nothing at all.
        return True
