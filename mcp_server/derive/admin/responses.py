"""Reads what an action answered with: a page, a file, a redirect or a failure."""

from typing import Any

from fastmcp.tools import ToolResult
from mcp_types import TextContent

from mcp_server.derive.admin.pages import Page, read_page
from mcp_server.derive.admin.values import text_of
from mcp_server.derive.answers import body_of, embedded, file_name
from mcp_server.derive.masking import without_passwords

MAX_TEXT = 500


def page_of(response: Any) -> Page | None:
    """Return the page a response shows a person, or None for a redirect or a file."""
    if (
        response is None
        or response.status_code != 200
        or response.get("Content-Disposition", "").startswith("attachment")
    ):
        return None
    if not response.get("Content-Type", "").startswith("text/html"):
        return None
    return read_page(_text(response))


def is_question(response: Any) -> bool:
    """Tell whether a response waits for an answer; a page without a form to send is all there is to say."""
    page = page_of(response)
    return page is not None and page.form is not None


def failure_of(response: Any) -> str:
    """Return what a response with a failing status says."""
    return text_of(_text(response))[:MAX_TEXT] or str(response.reason_phrase)


def _text(response: Any) -> str:
    if hasattr(response, "render") and not response.is_rendered:
        response.render()
    return body_of(response).decode(response.charset or "utf-8", "replace")


def is_file(response: Any) -> bool:
    return bool(response.status_code == 200)


def file_result(response: Any, told: dict[str, Any]) -> ToolResult:
    """Return a file that an action answered with, beside what else there is to tell."""
    told["file"] = file_name(response)
    text = TextContent(type="text", text=f"{told['file']} is attached.")
    return ToolResult(content=[text, embedded(response, without_passwords(body_of(response)))], structured_content=told)
