"""Resources as classes, and the adapters that make FastMCP resources and templates of them."""

import inspect
import re
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser
from fastmcp import FastMCP
from fastmcp.exceptions import ResourceError, ToolError
from fastmcp.resources import Resource as FastMCPResource
from fastmcp.resources import ResourceResult, ResourceTemplate
from fastmcp.server.dependencies import get_context
from pydantic import AnyUrl, Field
from pydantic.json_schema import SkipJsonSchema

from mcp_server.classes.permissions import IsAuthenticated, allows, named_permissions
from mcp_server.context import require_mcp_user
from mcp_server.errors import expected_errors
from mcp_server.orm import in_database
from mcp_server.permissions import META_KEY

PLACEHOLDER = re.compile(r"\{(\w+)\}")


class Resource:
    """One resource, or a template of many where the URI has {placeholders}, which `read` gets as arguments.

    `read` returns text, bytes, or anything JSON can hold; it may be `async`, else it may use the ORM.
    """

    uri: ClassVar[str] = ""
    name: ClassVar[str] = ""
    description: ClassVar[str] = ""
    mime_type: ClassVar[str] = "text/plain"
    tags: ClassVar[set[str]] = set()
    # The tool that answers the same: a token that may not use that tool does not read this either.
    tool_name: ClassVar[str | None] = None
    permission_classes: ClassVar[Sequence[Any]] = [IsAuthenticated]

    @property
    def enabled(self) -> bool:
        """Whether the resource is there at all; asked each time, so that a setting may decide."""
        return True

    def read(self, user: Any, **arguments: str) -> Any:
        raise NotImplementedError

    def has_permission(self, user: AbstractBaseUser | None) -> bool:
        return bool(self.enabled) and allows(self.permission_classes, user, self, read_only=True)


class ClassResource(FastMCPResource):
    """A resource class as FastMCP sees it."""

    instance: Annotated[SkipJsonSchema[Any], Field(exclude=True)]
    tool_name: Annotated[SkipJsonSchema[str | None], Field(exclude=True)] = None

    def visible_to(self, user: AbstractBaseUser) -> bool:
        return bool(self.instance.has_permission(user))

    async def read(self) -> Any:
        return await _read(self.instance, {})


class ClassResourceTemplate(ResourceTemplate):
    """A resource class with placeholders as FastMCP sees it."""

    instance: Annotated[SkipJsonSchema[Any], Field(exclude=True)]
    tool_name: Annotated[SkipJsonSchema[str | None], Field(exclude=True)] = None

    def visible_to(self, user: AbstractBaseUser) -> bool:
        return bool(self.instance.has_permission(user))

    async def _read(self, uri: str, params: dict[str, Any]) -> ResourceResult:
        return self.convert_result(await _read(self.instance, params))


async def _read(resource: Resource, arguments: dict[str, str]) -> Any:
    try:
        user = await require_mcp_user(get_context())
        with expected_errors():
            if inspect.iscoroutinefunction(resource.read):
                return await resource.read(user, **arguments)
            return await in_database(resource.read, user, **arguments)
    except ToolError as error:
        raise ResourceError(str(error), log_level=error.log_level) from error


def register_resource_classes(mcp: FastMCP[Any], *resources: type[Resource]) -> list[str]:
    """Register resource classes and return their URIs."""
    for resource_class in resources:
        resource = resource_class()
        told: dict[str, Any] = {
            "name": resource.name or resource_class.__name__.removesuffix("Resource").lower(),
            "description": resource.description or inspect.cleandoc(resource_class.__doc__ or ""),
            "mime_type": resource.mime_type,
            "tags": set(resource.tags),
            "meta": {META_KEY: {"permissions": named_permissions(resource.permission_classes), "object_rule": False}},
            "instance": resource,
            "tool_name": resource.tool_name,
        }
        names = PLACEHOLDER.findall(resource.uri)
        if names:
            parameters = {"type": "object", "properties": {name: {"type": "string"} for name in names}}
            mcp.add_template(ClassResourceTemplate(uri_template=resource.uri, parameters=parameters, **told))
        else:
            mcp.add_resource(ClassResource(uri=AnyUrl(resource.uri), **told))
    return [resource.uri for resource in resources]
