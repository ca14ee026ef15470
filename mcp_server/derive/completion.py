"""Answers completion/complete: what a person may mean by the beginning of an argument."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.http import Http404
from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.server.dependencies import get_context
from mcp_types import Completion, CompletionArgument, CompletionContext, PromptReference, ResourceTemplateReference

from mcp_server.context import get_mcp_token, get_mcp_user
from mcp_server.orm import in_database
from mcp_server.permissions import may_use

logger = logging.getLogger(__name__)

# What the protocol allows in one answer.
MAX_VALUES = 100
REFUSALS = (ToolError, PermissionDenied, Http404, ObjectDoesNotExist)

# A component's method `complete`: the user, the argument's name, what was typed of it, and the arguments given already.
Completer = Callable[[Any, str, str, Mapping[str, str]], Completion]


def register_completion(mcp: FastMCP[Any]) -> None:
    """Let every prompt, template and tool that has a method `complete` answer, on a database thread.

    The protocol knows no reference to a tool: clients name one as if it were a prompt. Who may not use a component
    gets nothing.
    """

    async def complete(
        ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> Completion:
        component = await _component(mcp, ref)
        completer: Completer | None = getattr(component, "complete", None)
        if component is None or completer is None:
            return nothing()
        ctx = get_context()
        user, token = await get_mcp_user(ctx), await get_mcp_token(ctx)
        given = dict(context.arguments or {}) if context else {}

        def values() -> Completion:
            if user is None or not may_use(component, user, token):
                return nothing()
            return completer(user, argument.name, argument.value, given)

        try:
            return await in_database(values)
        except REFUSALS:
            return nothing()
        except Exception:
            # The log has the reason; an error would tell the client what it is not meant to know.
            logger.exception("Completion of an argument failed")
            return nothing()

    mcp.add_completion_handler(complete)


async def _component(mcp: FastMCP[Any], ref: PromptReference | ResourceTemplateReference) -> Any:
    if isinstance(ref, ResourceTemplateReference):
        return await mcp.get_resource_template(ref.uri)
    return await mcp.get_prompt(ref.name) or await mcp.get_tool(ref.name)


def nothing() -> Completion:
    return Completion(values=[])
