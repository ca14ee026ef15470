"""Turns the response of a view into the result of a tool."""

import base64
import json
from collections.abc import Iterator
from typing import Any

from django.http.response import HttpResponseBase
from fastmcp.tools import ToolResult
from mcp_types import BlobResourceContents, EmbeddedResource, TextContent, TextResourceContents

from mcp_server.classes.errors import BadRequest
from mcp_server.conf import setting

REASONS = {
    401: "This needs a user who is logged in.",
    403: "Your user may not do this.",
    404: "Nothing was found here. Check the arguments that name the row.",
    405: "This address does not take that method.",
    406: "This address does not answer in JSON.",
    413: "What was sent is too large.",
    415: "This address does not take what was sent.",
    429: "Too many calls.",
}
# FastMCP's sign that a result was put under the key `result`, because structured content is always an object.
WRAPPED = "x-fastmcp-wrap-result"


class UnexpectedStatusError(RuntimeError):
    """The view failed; the log of django.request has the reason, the caller gets one opaque sentence."""


def body_of(response: HttpResponseBase) -> bytes:
    """Return the body; raises BadRequest for one larger than MCP_MAX_RESULT_BYTES."""
    limit = setting("MCP_MAX_RESULT_BYTES")
    if not response.streaming:
        content: bytes = response.content  # type: ignore[attr-defined]
    else:
        parts, size = [], 0
        for part in response:
            parts.append(part)
            size += len(part)
            if size > limit:
                break
        content = b"".join(parts)
    if len(content) > limit:
        raise BadRequest(f"The answer is larger than {limit} bytes. Ask for less: fewer rows, or a narrower filter.")
    return content


def is_json(response: HttpResponseBase) -> bool:
    media_type = response.get("Content-Type", "").partition(";")[0].strip()
    return media_type == "application/json" or media_type.endswith("+json")


def result_of(response: HttpResponseBase, *, wrapped: bool = False) -> ToolResult:
    """Return what an API answered: its JSON as structured content, anything else as text or a file.

    `wrapped` puts the JSON under `result`, as the tool's output schema says; only objects can do without.
    """
    if response.status_code >= 500:
        raise UnexpectedStatusError(f"The view answered {response.status_code}.")
    body, meta = body_of(response), {"http_status": response.status_code}
    payload = parsed(response, body)
    if response.status_code >= 400:
        return refusal(response, payload)
    if not body:
        return ToolResult(content=[TextContent(type="text", text="Done.")], meta=meta)
    if not is_json(response):
        return file_or_text(response, body, meta)
    if wrapped or not isinstance(payload, dict):
        meta_of_wrapping = {"fastmcp": {"wrap_result": True}}
        content = [TextContent(type="text", text=body.decode())]
        return ToolResult(content=content, structured_content={"result": payload}, meta=meta | meta_of_wrapping)
    return ToolResult(content=[TextContent(type="text", text=body.decode())], structured_content=payload, meta=meta)


def parsed(response: HttpResponseBase, body: bytes) -> Any:
    return json.loads(body) if body and is_json(response) else None


def refusal(response: HttpResponseBase, payload: Any) -> ToolResult:
    """Return a tool error that says what was wrong field by field; its meta has the status and the body."""
    text = " ".join(sentences(payload)) or REASONS.get(response.status_code, "The call was refused.")
    if wait := response.get("Retry-After"):
        text = f"{text} Try again in {wait} seconds."
    meta = {"http_status": response.status_code, "errors": payload}
    return ToolResult(content=[TextContent(type="text", text=text)], meta=meta, is_error=True)


def sentences(payload: Any, path: str = "") -> Iterator[str]:
    """Yield the messages of an error body, each after the field it belongs to."""
    if isinstance(payload, dict):
        for name, value in payload.items():
            unnamed = name in ("detail", "non_field_errors", "nonFieldErrors", "__all__")
            yield from sentences(value, path if unnamed else f"{path}.{name}".lstrip("."))
    elif isinstance(payload, list):
        for number, value in enumerate(payload):
            yield from sentences(value, f"{path}.{number}".lstrip(".") if isinstance(value, dict | list) else path)
    elif payload is not None:
        yield f"{path}: {payload}" if path else str(payload)


def file_or_text(response: HttpResponseBase, body: bytes, meta: dict[str, Any] | None = None) -> ToolResult:
    """Return a body that is not JSON: text as it is, anything else as an embedded file."""
    media_type = response.get("Content-Type", "application/octet-stream")
    if media_type.startswith("text/") and "attachment" not in response.get("Content-Disposition", ""):
        return ToolResult(content=[TextContent(type="text", text=body.decode("utf-8", "replace"))], meta=meta)
    return ToolResult(content=[embedded(response, body)], meta=meta)


def embedded(response: HttpResponseBase, body: bytes) -> EmbeddedResource:
    """Return the file a response carries: text as text, which a model can read, anything else as a blob."""
    media_type = response.get("Content-Type", "application/octet-stream").partition(";")[0]
    about: dict[str, Any] = {"uri": f"file:///{file_name(response)}", "mime_type": media_type}
    try:
        text = body.decode(getattr(response, "charset", "utf-8")) if media_type.startswith("text/") else None
    except (UnicodeDecodeError, LookupError):
        text = None
    if text is not None:
        return EmbeddedResource(type="resource", resource=TextResourceContents(**about, text=text))
    blob = base64.b64encode(body).decode()
    return EmbeddedResource(type="resource", resource=BlobResourceContents(**about, blob=blob))


def file_name(response: HttpResponseBase) -> str:
    disposition = response.get("Content-Disposition", "")
    name: str = disposition.partition("filename=")[2].partition(";")[0].strip('" ')
    return name or "download"
