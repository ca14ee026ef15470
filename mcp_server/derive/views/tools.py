"""The tools that read a page and submit its form."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.forms import BaseForm
from django.urls import Resolver404
from django.views.generic.edit import BaseUpdateView
from django.views.generic.list import MultipleObjectMixin
from fastmcp.server.dependencies import get_context
from fastmcp.tools import Tool, ToolResult
from mcp_types import ToolAnnotations
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from mcp_server.checks import MAX_DESCRIPTION
from mcp_server.classes.errors import BadRequest
from mcp_server.context import require_mcp_user
from mcp_server.derive.answers import REASONS
from mcp_server.derive.limited import lets_in
from mcp_server.derive.requests import Call, Origin, close, current_origin, send
from mcp_server.derive.views.answers import page_answer, submit_answer
from mcp_server.derive.views.forms import filled_in, form_of, required_of, schema_of
from mcp_server.derive.views.routes import Route
from mcp_server.derive.views.rules import Rules, rules_of, view_class_of
from mcp_server.errors import unknown_arguments_text
from mcp_server.middleware.audit import audited
from mcp_server.orm import in_database
from mcp_server.permissions import META_KEY, READ_ONLY, is_read_only, required_permissions

ACCEPT = "text/html, application/json;q=0.9, */*;q=0.1"
WRITE = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=False)


@dataclass(frozen=True)
class Choices:
    """What the registration says of single views, by their names."""

    permissions: Mapping[str, Sequence[str]]
    forms: Mapping[str, type[BaseForm]]
    query: Mapping[str, Sequence[str]]
    fields: Mapping[str, Sequence[str]]


class PageTool(Tool):
    """What reading and submitting have in common: who sees it, and how the page is asked."""

    route: Annotated[SkipJsonSchema[Any], Field(exclude=True)]
    rules: Annotated[SkipJsonSchema[Any], Field(exclude=True)]

    def visible_to(self, user: AbstractBaseUser) -> bool:
        def rule(asked: AbstractBaseUser) -> bool:
            named = required_permissions(self)
            allowed = not named or (hasattr(asked, "has_perms") and asked.has_perms(named))
            return bool(allowed and self.rules.let_in(asked, self.route.name))

        return lets_in(rule, user, read_only=is_read_only(self))

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        user = await require_mcp_user(get_context())
        known = self.parameters["properties"]
        if unknown := [name for name in arguments if name not in known]:
            raise BadRequest(unknown_arguments_text(unknown, known))
        return await in_database(await audited(self.answer), user, current_origin(), arguments)

    def answer(self, user: AbstractBaseUser, origin: Origin, arguments: Mapping[str, Any]) -> ToolResult:
        raise NotImplementedError

    def ask(self, method: str, user: Any, origin: Origin, arguments: Mapping[str, Any], **more: Any) -> Any:
        """Send the request and return it with its response."""
        call = Call(self.route.callback, method, self.route.path(arguments), accept=ACCEPT, urlconf=self.route.urlconf)
        call = Call(**{**vars(call), **more})
        try:
            return send(call, user, origin)
        except Resolver404:
            raise BadRequest(REASONS[404]) from None


class ReadPage(PageTool):
    """Reads a page; arguments that are no part of its address are query parameters."""

    fields: Annotated[SkipJsonSchema[Any], Field(exclude=True)] = ()

    def answer(self, user: AbstractBaseUser, origin: Origin, arguments: Mapping[str, Any]) -> ToolResult:
        query = [(name, str(value)) for name, value in arguments.items() if name not in self.route.converters]
        _, response = self.ask("GET", user, origin, arguments, query=query)
        try:
            return page_answer(response, self.fields)
        finally:
            close(response)


class SubmitPage(PageTool):
    """Submits the form of a page; fields that are left out are sent as the page shows them."""

    form: Annotated[SkipJsonSchema[Any], Field(exclude=True)] = None

    def answer(self, user: AbstractBaseUser, origin: Origin, arguments: Mapping[str, Any]) -> ToolResult:
        body, content_type = b"", "application/x-www-form-urlencoded"
        if self.form is not None:
            present = self._present(user, origin, arguments)
            body, content_type = filled_in(self.form, present, _own(arguments, self.route))
        request, response = self.ask("POST", user, origin, arguments, body=body, content_type=content_type)
        try:
            return submit_answer(request, response)
        finally:
            close(response)

    def _present(self, user: AbstractBaseUser, origin: Origin, arguments: Mapping[str, Any]) -> Any:
        """Return the form as the page shows it, where the view says so; its values stand for what is left out."""
        if view_class_of(self.route.callback) is None or "GET" not in self.rules.methods:
            return None
        _, response = self.ask("GET", user, origin, arguments)
        close(response)
        return (getattr(response, "context_data", None) or {}).get("form")


def _own(arguments: Mapping[str, Any], route: Route) -> dict[str, Any]:
    """Return the form's values: an argument of the address has its name, a field of that name a prefix."""
    plain = {name: value for name, value in arguments.items() if name not in route.converters}
    return {name.removeprefix("form_") if name[5:] in route.converters else name: v for name, v in plain.items()}


def tools_of(routes: Sequence[Route], choices: Choices) -> Iterator[Tool]:
    """Yield the tools of the routes; what needs a permission of its own and has none is left out."""
    short = [route.name.rpartition(":")[2] for route in routes]
    for route, name in zip(routes, short, strict=True):
        unique = name if short.count(name) == 1 else route.name.replace(":", "_")
        rules = rules_of(route.callback)
        form = choices.forms.get(route.name) or form_of(route.callback)
        asked = list(choices.permissions.get(route.name, ()))
        if rules.methods is None or "GET" in rules.methods:
            yield _read_tool(f"read_{unique}", route, rules, asked, choices)
        takes_post = "POST" in rules.methods if rules.methods is not None else form is not None
        # Behind a form that browsers protect from forgery stands a person; a token needs more than a login.
        if takes_post and (rules.is_guarded or asked):
            yield _submit_tool(f"submit_{unique}", route, rules, asked, form)


def _read_tool(name: str, route: Route, rules: Rules, asked: list[str], choices: Choices) -> ReadPage:
    view_class = view_class_of(route.callback)
    arguments = route.arguments()
    if view_class and issubclass(view_class, MultipleObjectMixin) and view_class.paginate_by:
        arguments["page"] = {"type": "integer", "minimum": 1, "description": "Number of the page; 1 is the first."}
    for parameter in choices.query.get(route.name, ()):
        arguments[parameter] = {"type": "string", "description": f"The page's parameter {parameter}."}
    required = list(route.converters)
    return ReadPage(
        **_common(name, route, rules, asked, arguments, required, "Read the page"),
        annotations=READ_ONLY,
        fields=tuple(choices.fields.get(route.name, ())),
    )


def _submit_tool(name: str, route: Route, rules: Rules, asked: list[str], form: type[BaseForm] | None) -> SubmitPage:
    arguments, required = route.arguments(), list(route.converters)
    for field, schema in (schema_of(form) if form else {}).items():
        own = f"form_{field}" if field in arguments else field
        arguments[own] = schema
        required += [own] if form and field in required_of(form) and not _has_present(route) else []
    common = _common(name, route, rules, asked, arguments, required, "Submit the form of the page")
    return SubmitPage(**common, annotations=WRITE, form=form)


def _has_present(route: Route) -> bool:
    # An UpdateView shows the row's values; what is left out stays as it is.
    view_class = view_class_of(route.callback)
    return view_class is not None and issubclass(view_class, BaseUpdateView)


def _common(
    name: str,
    route: Route,
    rules: Rules,
    asked: list[str],
    arguments: Mapping[str, Any],
    required: list[str],
    verb: str,
) -> dict[str, Any]:
    view_class = view_class_of(route.callback)
    own = view_class.__dict__.get("__doc__") if view_class else getattr(route.callback, "__doc__", None)
    told = " ".join((own or "").split()) or f"{verb} {route.name}."
    schema: dict[str, Any] = {"type": "object", "properties": dict(arguments), "additionalProperties": False}
    needed = list(dict.fromkeys([*asked, *rules.permissions]))
    return {
        "name": name,
        "description": told[:MAX_DESCRIPTION],
        "parameters": {**schema, "required": required} if required else schema,
        "tags": {"pages"},
        "meta": {META_KEY: {"permissions": needed, "object_rule": view_class is not None}},
        "route": route,
        "rules": rules,
    }
