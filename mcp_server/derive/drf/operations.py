"""Describes endpoints in the words of drf-spectacular: arguments, bodies and answers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import uritemplate
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import get_view_model
from drf_spectacular.settings import patched_settings, spectacular_settings
from rest_framework.generics import GenericAPIView
from rest_framework.settings import api_settings

from mcp_server.derive.drf.endpoints import Endpoint
from mcp_server.derive.drf.filters import refine_query
from mcp_server.derive.drf.schemas import Schema, input_schema, output_schema
from mcp_server.derive.drf.versions import version_in_path, version_parameters

# Requests and answers described apart, and null as JSON schema writes it.
SPLIT = {"COMPONENT_SPLIT_REQUEST": True, "OAS_VERSION": "3.1.1"}
BODY = "body"


@dataclass(frozen=True)
class Argument:
    """One argument of a tool: where its value goes, under which name, and how lists are written there."""

    place: str
    target: str
    schema: Schema
    required: bool = False
    joined: bool = False


@dataclass
class Operation:
    """What one endpoint takes and answers."""

    endpoint: Endpoint
    arguments: dict[str, Argument] = field(default_factory=dict)
    whole_body: bool = False
    output: Schema | None = None
    description: str = ""
    model_name: str = ""
    model_names: str = ""

    @cached_property
    def body_fields(self) -> dict[str, Argument]:
        return {name: argument for name, argument in self.arguments.items() if argument.place == BODY}


_Base: Any = SchemaGenerator


class _Generator(_Base):  # type: ignore[misc]
    """Describes single endpoints, whatever schema class the project itself has chosen."""

    def create_view(self, callback: Any, method: str, request: Any = None) -> Any:
        view = super().create_view(callback, method, request)
        known = view.schema if isinstance(view.schema, AutoSchema) else AutoSchema()
        # A method without a type hint may return anything: spectacular's guess, a string, would be enforced.
        honest = type("HonestSchema", (_NoGuesses, known.__class__), {})()
        honest.__dict__.update({key: value for key, value in known.__dict__.items() if key != "instance_schemas"})
        self._set_schema_to_view(view, honest)
        return view


class _NoGuesses:
    def _map_response_type_hint(self, method: Any) -> Any:
        schema = super()._map_response_type_hint(method)  # type: ignore[misc]
        return {} if _untyped(method) else schema


def _untyped(method: Any) -> bool:
    function = getattr(method, "func", method)
    hints = getattr(function, "__annotations__", {})
    return "return" not in hints and not hasattr(method, "_spectacular_annotation")


def describe(endpoints: list[Endpoint]) -> list[Operation]:
    """Return an operation for each endpoint that is not excluded from the project's schema."""
    generator = _Generator(patterns=[])
    with patched_settings(SPLIT), GENERATOR_STATS.silence():
        raw = [(endpoint, *_raw(generator, endpoint)) for endpoint in endpoints]
        components = generator.registry.build({}).get("schemas", {})
        return [
            _operation(endpoint, view, coerced, found, components) for endpoint, view, coerced, found in raw if found
        ]


def _raw(generator: Any, endpoint: Endpoint) -> tuple[Any, str, dict[str, Any] | None]:
    view = generator.create_view(endpoint.callback, endpoint.method)
    path = generator.coerce_path(endpoint.template, endpoint.method, view)
    view.request = spectacular_settings.GET_MOCK_REQUEST(endpoint.method, path, view, None)
    if view.versioning_class:
        view.request.version = view.versioning_class.default_version
        view.request.versioning_scheme = view.versioning_class()
    found = view.schema.get_operation(path, endpoint.regex, "^/", endpoint.method, generator.registry)
    return view, path, found


def _operation(endpoint: Endpoint, view: Any, path: str, raw: dict[str, Any], components: Any) -> Operation:
    operation = Operation(endpoint, description=own_description(view, endpoint))
    operation.model_name, operation.model_names = _nouns(view)
    _add_parameters(operation, view, path, raw, components)
    _add_body(operation, view, raw, components)
    operation.output = _output(view, endpoint, raw, components)
    return operation


def _add_parameters(operation: Operation, view: Any, path: str, raw: dict[str, Any], components: Any) -> None:
    # The address may call `id` in the documentation what the view's URL calls `pk`: they stand in the same places.
    real = dict(zip(uritemplate.variables(path), uritemplate.variables(operation.endpoint.template), strict=True))
    for parameter in [*raw.get("parameters", []), *version_parameters(view)]:
        name, place = parameter["name"], parameter["in"]
        if place not in ("path", "query", "accept") or (place == "query" and _unwanted(name)):
            continue
        told = {"description": parameter["description"]} if parameter.get("description") else {}
        schema = input_schema({**parameter.get("schema", {}), **told}, components)
        joined = parameter.get("explode") is False
        argument = Argument(place, real.get(name, name), schema, bool(parameter.get("required")), joined)
        operation.arguments[name] = version_in_path(argument, view) if place == "path" else argument
    refine_query(operation.arguments, view)


def _unwanted(name: str) -> bool:
    # Tools are answered in JSON.
    return bool(name == api_settings.URL_FORMAT_OVERRIDE)


def _add_body(operation: Operation, view: Any, raw: dict[str, Any], components: Any) -> None:
    content = raw.get("requestBody", {}).get("content", {})
    schema = next((input_schema(media["schema"], components) for media in _preferred(content)), None)
    documented = _is_documented(view, operation.endpoint, "get_request_serializer")
    if schema is None and not documented and operation.endpoint.method not in ("GET", "DELETE"):
        schema = {"type": "object", "description": "The request's JSON body."}
    if schema is None:
        return
    if schema.get("type") != "object" or not schema.get("properties"):
        operation.whole_body = True
        operation.arguments[_free(operation, BODY)] = Argument(BODY, "", schema)
        return
    required = schema.get("required", []) if documented else []
    for name, part in schema["properties"].items():
        operation.arguments[_free(operation, name)] = Argument(BODY, name, part, name in required)


def _preferred(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for wanted in ("application/json", "multipart/form-data"):
        if wanted in content:
            yield content[wanted]
    yield from content.values()


def _free(operation: Operation, name: str) -> str:
    """Return the argument's name; a field named like an argument of the address gets a prefix."""
    return f"body_{name}" if name in operation.arguments else name


def _output(view: Any, endpoint: Endpoint, raw: dict[str, Any], components: Any) -> Schema | None:
    if not _is_documented(view, endpoint, "get_response_serializers"):
        return None
    for status in ("200", "201", "202"):
        content = raw.get("responses", {}).get(status, {}).get("content", {})
        if "application/json" in content:
            return output_schema(content["application/json"]["schema"], components)
    return None


def _is_documented(view: Any, endpoint: Endpoint, method: str) -> bool:
    """Tell whether a schema is more than a guess: a bare view and an extra action say so themselves or not at all."""
    told = getattr(view.schema.__class__, method) is not getattr(AutoSchema, method)
    extra = endpoint.is_extra and "serializer_class" not in endpoint.callback.initkwargs
    return told or (isinstance(view, GenericAPIView) and not extra)


def own_description(view: Any, endpoint: Endpoint) -> str:
    """Return what the project itself says about the endpoint, not what it inherits from a base."""
    told = view.schema.get_description() if _describes(view) else ""
    function = getattr(endpoint.callback.cls, endpoint.action, None)
    inherited = getattr(function, "__module__", "").startswith("rest_framework.")
    said = told or ("" if inherited else getattr(function, "__doc__", None))
    return " ".join(str(said or endpoint.callback.cls.__dict__.get("__doc__") or "").split())


def _describes(view: Any) -> bool:
    return view.schema.__class__.get_description is not AutoSchema.get_description


def _nouns(view: Any) -> tuple[str, str]:
    model = get_view_model(view, emit_warnings=False)
    if model is None:
        name = re.sub(r"(?<!^)(?=[A-Z])", " ", type(view).__name__.removesuffix("ViewSet").removesuffix("View")).lower()
        return name, f"{name} rows"
    return str(model._meta.verbose_name), str(model._meta.verbose_name_plural)
