"""Refuses a posted body that is not one JSON-RPC message, before the SDK answers it with more than a line."""

import logging
from collections.abc import Iterable
from typing import Any

import pydantic_core
from mcp_types import INVALID_REQUEST, PARSE_ERROR, jsonrpc_message_adapter
from pydantic import ValidationError
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

MAX_ID_CHARS = 256


class MalformedError(Exception):
    """The body is not a JSON-RPC message; `code` is JSON-RPC's, the text a sentence without the body."""

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        super().__init__(text)


class EnvelopeMiddleware:
    """Answers 400 to what is not one JSON-RPC message; inside RequestBodyLimitMiddleware, since it reads the body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Bodies of another type are refused by the transport itself.
        if scope["type"] != "http" or scope["method"] != "POST" or not _is_json(scope["headers"]):
            await self.app(scope, receive, send)
            return
        body = await _read(receive)
        if body is None:
            return  # The client went away in the middle of its message.
        try:
            check_message(body)
        except MalformedError as error:
            logger.warning("A message was refused with 400: %s", error)
            answer = {"jsonrpc": "2.0", "id": None, "error": {"code": error.code, "message": str(error)}}
            await JSONResponse(answer, status_code=400)(scope, receive, send)
            return
        await self.app(scope, _replay(body, receive), send)


def check_message(body: bytes) -> None:
    """Raise MalformedError unless this is one JSON-RPC request, notification or response."""
    try:
        message: Any = pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError:
        raise MalformedError(PARSE_ERROR, "Parse error: the body must be JSON in UTF-8.") from None
    if not isinstance(message, dict):
        raise MalformedError(INVALID_REQUEST, "The body must be one JSON-RPC object; MCP has no batches.")
    # The SDK takes a request with an id it cannot read for a notification and never answers it.
    if "id" in message and not _is_id(message["id"]):
        text = f"id must be a whole number or a string, of at most {MAX_ID_CHARS} characters."
        raise MalformedError(INVALID_REQUEST, text)
    try:
        jsonrpc_message_adapter.validate_python(message, by_name=False)
    except ValidationError:
        text = 'The body must have "jsonrpc": "2.0", a method and, if any, params as an object.'
        raise MalformedError(INVALID_REQUEST, text) from None


def _is_id(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_ID_CHARS
    return isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 64


def _is_json(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(name == b"content-type" and value.lower().startswith(b"application/json") for name, value in headers)


async def _read(receive: Receive) -> bytes | None:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


def _replay(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay
