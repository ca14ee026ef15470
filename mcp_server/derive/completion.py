"""Answers completion/complete: what a person may mean by the beginning of an argument."""

import logging
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.http import Http404
from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.server.dependencies import get_context
from mcp_types import Completion, CompletionArgument, CompletionContext, PromptReference, ResourceTemplateReference

from mcp_server.context import get_mcp_token, get_mcp_user
from mcp_server.derive.masking import in_database_masked
from mcp_server.permissions import may_use

logger = logging.getLogger(__name__)

# What the protocol allows in one answer.
MAX_VALUES = 100
# Beyond this nobody types; every word of a search costs.
MAX_TYPED = 500
REFUSALS = (ToolError, PermissionDenied, Http404, ObjectDoesNotExist)

# What completes arguments of components written by hand, by their name or URI template and the argument's name.
_written: dict[tuple[str, str], Callable[[Any, str], Iterable[Any]]] = {}

# A component's method `complete`: the user, the argument's name, what was typed of it, and the arguments given already.
Completer = Callable[[Any, str, str, Mapping[str, str]], Completion]


def complete_with(name: str, argument: str, values: Callable[[Any, str], Iterable[Any]]) -> None:
    """Complete an argument of a prompt, tool or template that was written by hand, with values(user, typed).

    The function may use the ORM; it is only asked for callers who may use the component, and at most 100 values count.
    """
    _written[name, argument] = values


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
        completer = None if component is None else _completer(component, argument.name)
        # No text in a database holds NUL; SQLite takes what stands before it for the whole.
        if completer is None or "\x00" in argument.value or len(argument.value) > MAX_TYPED:
            return nothing()
        ctx = get_context()
        user, token = await get_mcp_user(ctx), await get_mcp_token(ctx)
        given = dict(context.arguments or {}) if context else {}

        def values() -> Completion:
            if user is None or not may_use(component, user, token):
                return nothing()
            return completer(user, argument.name, argument.value, given)

        try:
            return await in_database_masked(values)
        except REFUSALS:
            return nothing()
        except Exception:
            # The log has the reason; an error would tell the client what it is not meant to know.
            logger.exception("Completion of an argument failed")
            return nothing()

    mcp.add_completion_handler(complete)


def _completer(component: Any, argument: str) -> Completer | None:
    written = _written.get((getattr(component, "uri_template", component.name), argument))
    if written is None:
        own: Completer | None = getattr(component, "complete", None)
        return own
    return lambda user, argument, typed, given: told(written(user, typed))


def told(values: Iterable[Any]) -> Completion:
    """Return the first hundred of the values, each once, and whether there are more."""
    found = list(dict.fromkeys(str(value) for value in islice(values, 10 * MAX_VALUES)))
    return Completion(values=found[:MAX_VALUES], has_more=len(found) > MAX_VALUES)


async def _component(mcp: FastMCP[Any], ref: PromptReference | ResourceTemplateReference) -> Any:
    if isinstance(ref, ResourceTemplateReference):
        return await mcp.get_resource_template(ref.uri)
    return await mcp.get_prompt(ref.name) or await mcp.get_tool(ref.name)


def nothing() -> Completion:
    return Completion(values=[])
