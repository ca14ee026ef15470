"""Tools as classes, and the one adapter that makes FastMCP tools of them."""

import inspect
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, TypeVar

import pydantic
from django.contrib.auth.base_user import AbstractBaseUser
from fastmcp import FastMCP
from fastmcp.exceptions import ValidationError
from fastmcp.server.dependencies import get_context
from fastmcp.tools import Tool as FastMCPTool
from fastmcp.tools import ToolResult
from mcp_types import ToolAnnotations
from pydantic import BaseModel, Field, create_model
from pydantic.json_schema import SkipJsonSchema

from mcp_server.classes.errors import NotAuthenticated
from mcp_server.classes.permissions import IsAuthenticated, allows, is_open, named_permissions
from mcp_server.classes.schema import Schema, answer_of, arguments_of
from mcp_server.context import get_mcp_user
from mcp_server.derive.limited import lets_in
from mcp_server.derive.registration import add_derived
from mcp_server.errors import expected_errors
from mcp_server.middleware.audit import audited
from mcp_server.orm import in_database
from mcp_server.permissions import META_KEY, is_read_only

F = TypeVar("F", bound=Callable[..., Any])
PreRun = Callable[[Any, dict[str, Any]], None]


class Tool:
    """One tool. `run` gets the calling user and the checked arguments; it may be `async`, else it may use the ORM.

    The class's docstring is the description where none is given, its name in snake case the name.
    """

    name: ClassVar[str] = ""
    description: ClassVar[str] = ""
    tags: ClassVar[set[str]] = set()
    annotations: ClassVar[ToolAnnotations] = ToolAnnotations(read_only_hint=False, open_world_hint=False)
    permission_classes: ClassVar[Sequence[Any]] = [IsAuthenticated]
    # Called in order before run, with the user and the arguments, which they may change; they say no by raising.
    pre_run: ClassVar[Sequence[PreRun]] = []
    # At most so many calls a user, such as "10/minute"; empty: what MCP_RATE_LIMIT_TOOL says.
    rate: ClassVar[str] = ""

    class Input(Schema):
        """What the tool takes; nothing unless a subclass says so."""

    Output: ClassVar[type[BaseModel] | None] = None

    @property
    def enabled(self) -> bool:
        """Whether the tool is there at all; asked each time, so that a setting may decide."""
        return True

    def run(self, user: Any, **arguments: Any) -> Any:
        raise NotImplementedError

    def has_permission(self, user: AbstractBaseUser | None) -> bool:
        read_only = bool(self.annotations.read_only_hint)
        return bool(self.enabled) and allows(self.permission_classes, user, self, read_only=read_only)


class ClassTool(FastMCPTool):
    """A tool class as FastMCP sees it."""

    instance: Annotated[SkipJsonSchema[Any], Field(exclude=True)]
    rate: Annotated[SkipJsonSchema[str], Field(exclude=True)] = ""

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        user, tool = await get_mcp_user(get_context()), self.instance
        if user is None and not is_open(tool.permission_classes):
            raise NotAuthenticated
        checked = self._checked(arguments)
        with expected_errors():
            if inspect.iscoroutinefunction(tool.run):
                await in_database(_prepare, tool, user, checked)
                answer = await in_database(_as_output, tool, await tool.run(user, **checked))
            else:
                answer = await in_database(await audited(_prepare_and_run), tool, user, checked)
        return self.convert_result(answer)

    def _checked(self, arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            model = self.instance.Input.model_validate(arguments)
        except pydantic.ValidationError as error:
            raise ValidationError(f"1 or more arguments of {self.name} are wrong.") from error
        return {name: getattr(model, name) for name in type(model).model_fields}


class GuardedClassTool(ClassTool):
    """A tool class that is not for everybody."""

    def visible_to(self, user: AbstractBaseUser) -> bool:
        return lets_in(self.instance.has_permission, user, read_only=is_read_only(self))


def _prepare(tool: Tool, user: Any, arguments: dict[str, Any]) -> None:
    for hook in tool.pre_run:
        hook(user, arguments)


def _prepare_and_run(tool: Tool, user: Any, arguments: dict[str, Any]) -> Any:
    _prepare(tool, user, arguments)
    answer = tool.run(user, **arguments)
    # Here, because reading an instance's attributes may ask the database.
    return _as_output(tool, answer)


def _as_output(tool: Tool, answer: Any) -> Any:
    if tool.Output is None or isinstance(answer, ToolResult):
        return answer
    if isinstance(answer, BaseModel):
        answer = answer.model_dump()
    return tool.Output.model_validate(answer, from_attributes=True).model_dump(mode="json")


def adapt(tool_class: type[Tool]) -> ClassTool:
    """Return the FastMCP tool of a tool class."""
    tool = tool_class()
    # An AllowAny tool has no rule of its own, so that a caller without a token may use it in development.
    always = is_open(tool.permission_classes) and "enabled" not in vars(tool_class)
    adapter = ClassTool if always else GuardedClassTool
    return adapter(
        name=tool.name or snake_case(tool_class.__name__.removesuffix("Tool")),
        description=tool.description or inspect.cleandoc(tool_class.__doc__ or ""),
        parameters=arguments_of(tool.Input),
        output_schema=answer_of(tool.Output) if tool.Output else None,
        annotations=tool.annotations,
        tags=set(tool.tags),
        meta={META_KEY: {"permissions": named_permissions(tool.permission_classes), "object_rule": False}},
        instance=tool,
        rate=tool.rate,
    )


def register_tool_classes(mcp: FastMCP[Any], *tools: Any) -> list[str]:
    """Register tool classes, and functions marked with @tool; returns their names."""
    return add_derived(mcp, [adapt(getattr(each, "tool_class", each)) for each in tools])


def tool(function: F | None = None, **attributes: Any) -> Any:
    """Mark a function as a tool: its first parameter is the user, the others are the arguments.

    The keywords are the attributes of a tool class: name, permission_classes, annotations, rate, pre_run, …
    """
    if function is None:
        return lambda marked: tool(marked, **attributes)
    marked: Any = function
    marked.tool_class = _class_of(function, attributes)
    return marked


def _class_of(function: Callable[..., Any], attributes: dict[str, Any]) -> type[Tool]:
    signature = inspect.signature(function, eval_str=True)
    _user, *parameters = signature.parameters.values()
    fields: dict[str, Any] = {
        parameter.name: (parameter.annotation, ... if parameter.default is parameter.empty else parameter.default)
        for parameter in parameters
    }
    body: dict[str, Any] = {
        "name": function.__name__,
        "__doc__": function.__doc__,
        "Input": create_model("Input", __base__=Schema, **fields),
        "run": staticmethod(function),
    }
    answer = signature.return_annotation
    if inspect.isclass(answer) and issubclass(answer, BaseModel):
        body["Output"] = answer
    return type(f"{function.__name__}_tool", (Tool,), body | attributes)


def snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
