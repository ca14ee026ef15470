"""Makes the JSON schemas of tools out of OpenAPI's: references resolved, noise dropped."""

import json
import re
from collections.abc import Mapping
from typing import Any

from mcp_server.derive.files import FILE_SCHEMA

Schema = dict[str, Any]

# What says nothing to a model, or is OpenAPI's own and no JSON schema.
NOISE = {"title", "example", "examples", "deprecated", "externalDocs", "xml", "discriminator", "nullable"}
FLAGS = {"readOnly", "writeOnly"}
# What an answer is checked against by clients: types are certain, the rest may be broken by rows written long ago.
CERTAIN = {"type", "properties", "items", "additionalProperties", "format"}
# Formats every row has; an address, for one, may have been stored before it was checked.
CERTAIN_FORMATS = {"date", "date-time", "time", "duration", "uuid", "decimal"}
CHOICE_LINE = re.compile(r"\s*\* `(?P<value>[^`]*)` - (?P<label>[^\n]*)")
INTEGER_LIMIT = 2**31 - 1


def input_schema(schema: Any, components: Mapping[str, Any]) -> Schema:
    """Return what may be sent: without read-only fields."""
    return _Simplifier(components, drop="readOnly").of(schema)


def output_schema(schema: Any, components: Mapping[str, Any]) -> Schema:
    """Return what is answered: names and types, without write-only fields."""
    return _types_only(_Simplifier(components, drop="writeOnly").of(schema))


def is_file(schema: Mapping[str, Any]) -> bool:
    return schema.get("required") == FILE_SCHEMA["required"] and "content" in schema.get("properties", {})


class _Simplifier:
    def __init__(self, components: Mapping[str, Any], drop: str) -> None:
        self.components, self.drop = components, drop

    def of(self, schema: Any, inside: tuple[str, ...] = ()) -> Schema:
        # Lazy translations become text here.
        plain = json.loads(json.dumps(schema, default=str)) if not inside else schema
        if not isinstance(plain, dict):
            return {}
        if "$ref" in plain:
            return self._referred(plain, inside)
        if "allOf" in plain and len(plain["allOf"]) == 1:
            rest = {key: value for key, value in plain.items() if key != "allOf"}
            return {**self.of(plain["allOf"][0], (*inside, "allOf")), **self.of(rest, (*inside, "allOf"))}
        if plain.get("format") == "binary" and self.drop == "readOnly":
            described = {"description": plain["description"]} if plain.get("description") else {}
            return {**FILE_SCHEMA, **described}
        return self._keywords(plain, inside or ("",))

    def _referred(self, schema: Schema, inside: tuple[str, ...]) -> Schema:
        name = schema["$ref"].rpartition("/")[2]
        if name in inside:
            # A serializer that holds itself: one level is shown.
            return {"type": "object"}
        target = json.loads(json.dumps(self.components.get(name, {}), default=str))
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return {**self.of(target, (*inside, name)), **self.of(rest, (*inside, name))}

    def _keywords(self, schema: Schema, inside: tuple[str, ...]) -> Schema:
        simple = {key: value for key, value in schema.items() if key not in NOISE | FLAGS and not key.startswith("x-")}
        for key in ("items", "additionalProperties"):
            if isinstance(simple.get(key), dict):
                simple[key] = self.of(simple[key], inside)
        for key in ("allOf", "oneOf", "anyOf"):
            if key in simple:
                simple[key] = [self.of(part, inside) for part in simple[key]]
        if "properties" in simple:
            self._properties(simple, inside)
        return _tidy(simple, nullable=bool(schema.get("nullable")))

    def _properties(self, schema: Schema, inside: tuple[str, ...]) -> None:
        kept = {name: part for name, part in schema["properties"].items() if not part.get(self.drop)}
        schema["properties"] = {name: self.of(part, inside) for name, part in kept.items()}
        required = [name for name in schema.pop("required", []) if name in kept]
        if required:
            schema["required"] = required


def _tidy(schema: Schema, *, nullable: bool) -> Schema:
    if nullable and isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
    if schema.get("format") in ("int32", "int64"):
        del schema["format"]
    for key in ("minimum", "maximum"):
        if isinstance(schema.get(key), int) and abs(schema[key]) > INTEGER_LIMIT:
            del schema[key]
    if schema.get("description"):
        schema["description"] = _without_plain_choices(schema["description"])
    if not schema.get("description"):
        schema.pop("description", None)
    return schema


def _without_plain_choices(text: str) -> str:
    """Drop the list of choices from a description where the labels only repeat the values."""
    choices = list(CHOICE_LINE.finditer(text))
    if all(_plain(choice["value"]) == _plain(choice["label"]) for choice in choices):
        text = CHOICE_LINE.sub("", text)
    return " ".join(text.split())


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text).strip().lower()


def _types_only(schema: Schema) -> Schema:
    certain = {key: value for key, value in schema.items() if key in CERTAIN}
    if certain.get("format") not in CERTAIN_FORMATS:
        certain.pop("format", None)
    if "properties" in certain:
        certain["properties"] = {name: _or_null(_types_only(part)) for name, part in certain["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(certain.get(key), dict):
            certain[key] = _types_only(certain[key])
    return certain


def _or_null(schema: Schema) -> Schema:
    # DRF answers null for any field whose source is missing, whatever the field's type.
    known = schema.get("type")
    return {**schema, "type": [known, "null"]} if isinstance(known, str) else schema
