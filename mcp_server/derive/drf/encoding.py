"""Writes a tool's arguments as the HTTP request that a client of the API would send."""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from rest_framework.renderers import MultiPartRenderer

from mcp_server.classes.errors import BadRequest
from mcp_server.derive.drf.operations import BODY, Argument, Operation
from mcp_server.derive.drf.schemas import is_file
from mcp_server.derive.files import uploaded
from mcp_server.derive.requests import JSON, Call
from mcp_server.errors import unknown_arguments_text


def check_names(operation: Operation, arguments: Mapping[str, Any]) -> None:
    """Refuse unknown arguments by name, and a missing part of the address; the view says the rest."""
    known = operation.arguments
    if unknown := [name for name in arguments if name not in known]:
        raise BadRequest(unknown_arguments_text(unknown, known))
    for name, argument in known.items():
        if argument.place == "path" and argument.required and arguments.get(name) in (None, ""):
            raise BadRequest(f"{name} is required.")


def encode(operation: Operation, arguments: Mapping[str, Any]) -> Call:
    """Return the request for these arguments; raises BadRequest for files and sort orders that cannot be sent."""
    check_names(operation, arguments)
    body, content_type = _body(operation, arguments)
    return Call(
        view=operation.endpoint.callback,
        method=operation.endpoint.method,
        path=_path(operation, arguments),
        query=list(_query(operation, arguments)),
        body=body,
        content_type=content_type,
        accept=_accept(operation, arguments),
        urlconf=operation.endpoint.urlconf,
    )


def sent(operation: Operation, arguments: Mapping[str, Any], place: str) -> Iterator[tuple[str, Argument, Any]]:
    for name, argument in operation.arguments.items():
        if argument.place == place and name in arguments:
            yield name, argument, arguments[name]


def _path(operation: Operation, arguments: Mapping[str, Any]) -> str:
    path = operation.endpoint.template
    for name, argument in operation.arguments.items():
        if argument.place == "path":
            path = path.replace(f"{{{argument.target}}}", _text(arguments.get(name, argument.schema.get("default"))))
    return path


def _query(operation: Operation, arguments: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, argument, value in sent(operation, arguments, "query"):
        if value is None:
            continue
        values = _listed(name, argument, value)
        if argument.joined:
            yield argument.target, ",".join(map(_text, values))
        else:
            yield from ((argument.target, _text(each)) for each in values)


def _listed(name: str, argument: Argument, value: Any) -> list[Any]:
    if argument.schema.get("type") != "array":
        return [value]
    values = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
    allowed = argument.schema.get("items", {}).get("enum")
    # A sort order that is not known would be ignored by the view, and the model would believe the rows sorted.
    if allowed and argument.joined and (wrong := [each for each in values if each not in allowed]):
        raise BadRequest(f"{name}: {_text(wrong[0])[:60]!r} is not one of: {', '.join(map(_text, allowed))}.")
    return values


def _accept(operation: Operation, arguments: Mapping[str, Any]) -> str:
    chosen = "".join(f"; {arg.target}={quote(_text(value))}" for _, arg, value in sent(operation, arguments, "accept"))
    return f"{JSON}{chosen}"


def _body(operation: Operation, arguments: Mapping[str, Any]) -> tuple[bytes, str]:
    if not operation.body_fields:
        return b"", ""
    fields = list(sent(operation, arguments, BODY))
    if operation.whole_body:
        value = fields[0][2] if fields else {}
        return json.dumps(value).encode(), JSON
    media_types = [parser.media_type for parser in operation.endpoint.callback.cls.parser_classes]
    takes_json = JSON in media_types or "*/*" in media_types
    if takes_json and not any(_holds_file(argument.schema, value) for _, argument, value in fields):
        return json.dumps({argument.target: value for _, argument, value in fields}).encode(), JSON
    return _multipart(operation, fields)


def _multipart(operation: Operation, fields: list[tuple[str, Argument, Any]]) -> tuple[bytes, str]:
    data: dict[str, Any] = {}
    for name, argument, value in fields:
        if value == [] and operation.endpoint.method == "PATCH":
            raise BadRequest(f"{name}: an empty list cannot be sent together with a file. Make two calls.")
        for key, each in _form_fields(argument.target, argument.schema, value):
            data.setdefault(key, []).append(each)
    renderer = MultiPartRenderer()
    return renderer.render(data), renderer.media_type


def _form_fields(key: str, schema: Mapping[str, Any], value: Any) -> Iterator[tuple[str, Any]]:
    """Yield form fields as DRF reads them: nested serializers as `line.sku`, lists of them as `lines[0]sku`."""
    if is_file(schema) and value is not None:
        yield key, uploaded(key, value)
    elif isinstance(value, dict) and schema.get("properties"):
        for name, part in value.items():
            yield from _form_fields(f"{key}.{name}", schema["properties"].get(name, {}), part)
    elif isinstance(value, list) and schema.get("type") == "array":
        items = schema.get("items", {})
        for number, each in enumerate(value):
            if isinstance(each, dict) and items.get("properties") and not is_file(items):
                for name, part in each.items():
                    yield from _form_fields(f"{key}[{number}]{name}", items["properties"].get(name, {}), part)
            else:
                yield from _form_fields(key, items, each)
    else:
        yield key, json.dumps(value) if isinstance(value, dict | list) else _text(value)


def _holds_file(schema: Mapping[str, Any], value: Any) -> bool:
    if is_file(schema):
        return value is not None
    if isinstance(value, list):
        return any(_holds_file(schema.get("items", {}), each) for each in value)
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        return any(_holds_file(properties.get(name, {}), part) for name, part in value.items())
    return False


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value)
    return "" if value is None else str(value)
