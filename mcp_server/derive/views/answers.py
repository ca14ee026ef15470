"""What a page answered: text of its main part, rows of generic views, messages, and what was wrong with a form."""

import datetime
import decimal
import uuid
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.messages import ERROR, get_messages
from django.shortcuts import resolve_url
from fastmcp.tools import ToolResult
from mcp_types import TextContent

from mcp_server.derive.answers import (
    REASONS,
    UnexpectedStatusError,
    body_of,
    file_or_text,
    is_json,
    parsed,
    refusal,
    result_of,
)
from mcp_server.derive.views.pages import form_errors, page_text

MAX_TEXT = 20_000
JSONABLE = str | int | float | bool | None
AS_TEXT = decimal.Decimal | datetime.date | datetime.time | datetime.timedelta | uuid.UUID


def page_answer(response: Any, fields: Sequence[str]) -> ToolResult:
    """Return what was read: JSON as it is, HTML as text with the rows that a generic view shows."""
    if problem := _problem(response):
        return problem
    if is_json(response):
        return result_of(response)
    if 300 <= response.status_code < 400:
        return _told(f"This page leads to {response['Location']}.", {"location": response["Location"]}, response)
    body = body_of(response)
    if not _is_html(response):
        return file_or_text(response, body, {"http_status": response.status_code})
    text = page_text(body.decode(response.charset, "replace"), MAX_TEXT)
    return _told(text, _rows_of(response, fields), response)


def submit_answer(request: Any, response: Any) -> ToolResult:
    """Return how a form ended: a redirect is a success, a page that shows the form again a refusal by field."""
    if problem := _problem(response):
        return problem
    if is_json(response):
        return result_of(response)
    messages = list(get_messages(request))
    told = [str(message) for message in messages]
    if 300 <= response.status_code < 400:
        failed = any(message.level >= ERROR for message in messages)
        data = {"location": response["Location"], "messages": told}
        return _told(" ".join(told) or "Done.", data, response, is_error=failed)
    body = body_of(response)
    if not _is_html(response):
        return file_or_text(response, body, {"http_status": response.status_code})
    html = body.decode(response.charset, "replace")
    errors = _errors(response, html)
    if errors:
        return _told(" ".join(_sentences(errors)), None, response, is_error=True, errors=errors)
    return _told(page_text(html, MAX_TEXT), {"location": None, "messages": told}, response)


def _problem(response: Any) -> ToolResult | None:
    if response.status_code >= 500:
        raise UnexpectedStatusError(f"The view answered {response.status_code}.")
    if response.status_code >= 400:
        return refusal(response, parsed(response, body_of(response)))
    if 300 <= response.status_code < 400 and _is_login(response["Location"]):
        return _told(REASONS[403], None, response, is_error=True)
    return None


def _is_login(location: str) -> bool:
    return urlsplit(location).path == urlsplit(resolve_url(settings.LOGIN_URL)).path


def _is_html(response: Any) -> bool:
    return str(response.get("Content-Type", "")).startswith(("text/html", "application/xhtml+xml"))


def _told(text: str, data: Any, response: Any, *, is_error: bool = False, errors: Any = None) -> ToolResult:
    meta = {"http_status": response.status_code} | ({"errors": errors} if errors else {})
    content = [TextContent(type="text", text=text)]
    return ToolResult(content=content, structured_content=data or None, meta=meta, is_error=is_error)


def _rows_of(response: Any, fields: Sequence[str]) -> dict[str, Any] | None:
    """Return the rows of a generic view's context: id, label, address, and the fields that were registered."""
    context = getattr(response, "context_data", None) or {}
    if context.get("object_list") is not None:
        paging, page = {}, context.get("page_obj")
        if page is not None:
            paging = {"page": page.number, "pages": page.paginator.num_pages, "count": page.paginator.count}
        return {"results": [_row(row, fields) for row in context["object_list"]], **paging}
    return _row(context["object"], fields) if context.get("object") is not None else None


def _row(row: Any, fields: Sequence[str]) -> dict[str, Any]:
    if isinstance(row, dict):
        # A view that shows dictionaries chose what is in them.
        return {str(name): _plain(value) for name, value in row.items()}
    address = {"url": row.get_absolute_url()} if hasattr(row, "get_absolute_url") else {}
    named = {name: _plain(_attribute(row, name)) for name in fields}
    return {"id": _plain(getattr(row, "pk", None)), "label": str(row), **address, **named}


def _attribute(row: Any, path: str) -> Any:
    for name in path.split("."):
        row = getattr(row, name, None)
    return row() if callable(row) else row


def _plain(value: Any) -> Any:
    if isinstance(value, AS_TEXT):
        return value.isoformat() if hasattr(value, "isoformat") else str(value)
    if isinstance(value, JSONABLE | list | dict):
        return value
    return str(value)


def _errors(response: Any, html: str) -> dict[str, list[str]]:
    form = (getattr(response, "context_data", None) or {}).get("form")
    if form is not None and getattr(form, "errors", None):
        return {"" if name == "__all__" else name: [str(text) for text in texts] for name, texts in form.errors.items()}
    return form_errors(html)


def _sentences(errors: dict[str, list[str]]) -> Iterator[str]:
    for name, texts in errors.items():
        yield f"{name}: {' '.join(texts)}" if name else " ".join(texts)
