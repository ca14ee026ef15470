"""The tool that calls one endpoint of the API through the view's own dispatch."""

import logging
from collections.abc import Mapping
from typing import Annotated, Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.urls import Resolver404
from fastmcp.server.dependencies import get_context
from fastmcp.tools import Tool, ToolResult
from mcp_types import ToolAnnotations
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema
from rest_framework.exceptions import APIException

from mcp_server.checks import MAX_DESCRIPTION
from mcp_server.classes.errors import BadRequest
from mcp_server.context import require_mcp_user
from mcp_server.derive.answers import REASONS, WRAPPED, result_of
from mcp_server.derive.drf.encoding import encode
from mcp_server.derive.drf.operations import Operation
from mcp_server.derive.limited import lets_in
from mcp_server.derive.requests import Call, Origin, build_request, close, current_origin, own_origin, send
from mcp_server.middleware.audit import audited
from mcp_server.orm import in_database
from mcp_server.permissions import META_KEY, READ_ONLY

logger = logging.getLogger(__name__)

SENTENCES = {
    "list": "List {plural}.",
    "retrieve": "Return one {noun}.",
    "create": "Create one {noun} and return it.",
    "update": "Change one {noun} and return it; fields left out stay as they are.",
    "partial_update": "Change one {noun} and return it; fields left out stay as they are.",
    "destroy": "Delete one {noun} for good.",
}


class ApiTool(Tool):
    """Calls one endpoint as the calling user; visible to those whom the view's permission classes would let in."""

    operation: Annotated[SkipJsonSchema[Any], Field(exclude=True)]
    # The endpoint that reads the row, where changing it needs all of its fields.
    reading: Annotated[SkipJsonSchema[Any], Field(exclude=True)] = None

    def visible_to(self, user: AbstractBaseUser) -> bool:
        """Ask the view's permission classes; the row, where there is one, is asked about at the call."""
        return lets_in(self._permits, user, read_only=self.operation.endpoint.method == "GET")

    def _permits(self, user: AbstractBaseUser) -> bool:
        endpoint = self.operation.endpoint
        view = endpoint.callback.cls(**endpoint.callback.initkwargs)
        request = build_request(Call(endpoint.callback, endpoint.method, endpoint.template), user, own_origin())
        view.args, view.kwargs, view.format_kwarg = (), {}, None
        view.action_map = getattr(endpoint.callback, "actions", None)
        view.action = endpoint.action
        try:
            view.request = view.initialize_request(request)
            view.check_permissions(view.request)
        except (APIException, PermissionDenied, Http404):
            return False
        except Exception:
            # A rule that needs more than the view and the user cannot be asked before the call: fail closed.
            logger.warning("The permission classes of %s cannot be asked without a row; it is hidden.", self.name)
            return False
        return True

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        user = await require_mcp_user(get_context())
        return await in_database(await audited(self._call), user, current_origin(), arguments)

    def _call(self, user: AbstractBaseUser, origin: Origin, arguments: Mapping[str, Any]) -> ToolResult:
        call = encode(self.operation, arguments)
        if self.reading is not None:
            known = self._known_fields(user, origin, arguments)
            if isinstance(known, ToolResult):
                return known
            call = encode(self.operation, known | arguments)
        return _answer(call, user, origin, wrapped=bool((self.output_schema or {}).get(WRAPPED)))

    def _known_fields(self, user: AbstractBaseUser, origin: Origin, arguments: Mapping[str, Any]) -> Any:
        """Return the row's present values of what can be written, for a view that takes only whole rows."""
        place = {name: value for name, value in arguments.items() if name in self.reading.arguments}
        answer = _answer(encode(self.reading, place), user, origin, wrapped=False)
        if answer.is_error:
            return answer
        row = answer.structured_content or {}
        fields = self.operation.body_fields.items()
        return {
            name: row[argument.target]
            for name, argument in fields
            if argument.target in row and not _is_link_to_file(argument.schema, row[argument.target])
        }


def _is_link_to_file(schema: Mapping[str, Any], value: Any) -> bool:
    return isinstance(value, str) and "content" in schema.get("properties", {})


def _answer(call: Call, user: AbstractBaseUser, origin: Origin, *, wrapped: bool) -> ToolResult:
    try:
        _, response = send(call, user, origin)
    except Resolver404:
        raise BadRequest(REASONS[404]) from None
    try:
        return result_of(response, wrapped=wrapped)
    finally:
        close(response)


def make_tool(name: str, operation: Operation, reading: Operation | None = None) -> ApiTool:
    """Return the tool of an operation."""
    tags = {operation.endpoint.namespaces[-1] if operation.endpoint.namespaces else "api"}
    return ApiTool(
        name=name,
        description=_description(operation),
        parameters=_parameters(operation),
        output_schema=_wrapped(operation.output),
        annotations=_annotations(operation),
        tags=tags,
        meta={META_KEY: {"permissions": [], "object_rule": True}},
        operation=operation,
        reading=reading,
    )


def _description(operation: Operation) -> str:
    action = operation.endpoint.action if operation.endpoint.in_viewset else ""
    sentence = SENTENCES.get(action, "").format(noun=operation.model_name, plural=operation.model_names)
    told = operation.description
    if not sentence and not told:
        sentence = f"{operation.endpoint.method} {operation.endpoint.template}: {operation.model_name}."
    text = f"{sentence} {told}".strip()
    return text if len(text) <= MAX_DESCRIPTION else f"{text[: MAX_DESCRIPTION - 1].rstrip()}…"


def _parameters(operation: Operation) -> dict[str, Any]:
    properties = {
        name: {**argument.schema, "description": argument.schema.get("description") or _spoken(name)}
        for name, argument in operation.arguments.items()
    }
    partial = operation.endpoint.action in ("update", "partial_update")
    required = [
        name
        for name, argument in operation.arguments.items()
        if argument.required and not (partial and argument.place == "body")
    ]
    schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": required} if required else schema


def _spoken(name: str) -> str:
    return f"{name.replace('_', ' ').capitalize()}."


def _wrapped(output: dict[str, Any] | None) -> dict[str, Any] | None:
    if output is None or output.get("type") == "object":
        return output
    return {"type": "object", "properties": {"result": output}, "required": ["result"], WRAPPED: True}


def _annotations(operation: Operation) -> ToolAnnotations:
    method, action = operation.endpoint.method, operation.endpoint.action
    if method == "GET":
        return READ_ONLY
    return ToolAnnotations(
        read_only_hint=False,
        destructive_hint=action != "create",
        idempotent_hint=method in ("PUT", "PATCH", "DELETE"),
        open_world_hint=False,
    )
