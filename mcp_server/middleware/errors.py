"""Gives every failure a text that helps, or one opaque sentence and an id that finds it in the log."""

import logging
import secrets
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from fastmcp.exceptions import PromptError, ResourceError, ToolError, ValidationError
from fastmcp.prompts import Prompt
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from mcp_types import CallToolRequestParams
from pydantic import ValidationError as PydanticValidationError

from mcp_server.context import called_tool
from mcp_server.errors import argument_errors_text

correlation_id: ContextVar[str] = ContextVar("mcp_correlation_id", default="")


class CorrelationFilter(logging.Filter):
    """Adds the id that the client was told to the log line of a failure."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.ERROR and (identity := correlation_id.get()):
            record.msg = f"{record.msg} [correlation id {identity}]"
        return True


# FastMCP logs the traceback of a broken tool here, before it masks the exception.
logging.getLogger("fastmcp.server.server").addFilter(CorrelationFilter())


class ErrorMiddleware(Middleware):
    """Inside metrics and audit, which so see what the client sees, and around everything else."""

    async def on_message(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        correlation_id.set(secrets.token_hex(8))
        return await call_next(context)

    async def on_call_tool(
        self, context: MiddlewareContext[CallToolRequestParams], call_next: CallNext[Any, Any]
    ) -> Any:
        name = context.message.name
        try:
            return await call_next(context)
        except ValidationError as error:
            if not isinstance(error.__cause__, PydanticValidationError) or context.fastmcp_context is None:
                raise
            tool = await called_tool(context.fastmcp_context, name)
            text = argument_errors_text(error.__cause__, tool.parameters if tool else {})
            raise ValidationError(text, log_level=error.log_level) from error.__cause__
        except ToolError as error:
            # FastMCP's own sentence for an exception nobody expected.
            if str(error) != f"Error calling tool {name!r}":
                raise
            raise ToolError(unexpected_text()) from error.__cause__

    async def on_read_resource(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        uri = str(context.message.uri)
        try:
            return await call_next(context)
        except ResourceError as error:
            if str(error) != f"Error reading resource {uri!r}":
                raise
            raise ResourceError(unexpected_text()) from error.__cause__

    async def on_get_prompt(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        name = context.message.name
        try:
            return await call_next(context)
        except PromptError as error:
            # FastMCP tells the exception's own text here, even where details are masked.
            if not str(error).startswith(f"Error rendering prompt {name!r}") or context.fastmcp_context is None:
                raise
            prompt = await context.fastmcp_context.fastmcp.get_prompt(name)
            text = _missing_text(prompt, context.message.arguments or {}) or unexpected_text()
            raise PromptError(text) from error.__cause__


def _missing_text(prompt: Prompt | None, arguments: Mapping[str, str]) -> str:
    required = [argument.name for argument in (prompt.arguments if prompt else None) or [] if argument.required]
    return " ".join(f"{name} is required." for name in required if name not in arguments)


def unexpected_text() -> str:
    return (
        "Something went wrong on the server and nothing is known about the result. "
        f"Tell an administrator this correlation id: {correlation_id.get()}"
    )
