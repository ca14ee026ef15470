"""Checks a call's arguments against the tool's schema and names what is wrong with them."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from mcp_server.derive.admin.refusal import RefusalError
from mcp_server.errors import unknown_arguments_text

MAX_DEPTH = 64
MAX_BITS = 1000
MAX_TERM = 500
LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# Said here and not in every schema: it is plain from what they are called.
LISTS_OF_NAMES = ("fields", "order", "ordering")
TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "array": list,
    "object": Mapping,
}


def checked(schema: Mapping[str, Any], arguments: Mapping[str, Any], also: Collection[str] = ()) -> dict[str, Any]:
    """Return the arguments without those that are null; raises RefusalError with a sentence for each mistake.

    `also` names arguments that are taken without standing in the schema.
    """
    if not all(map(is_plain, arguments.values())):
        raise RefusalError(
            f"Arguments must be Unicode, their numbers below 10^300, and at most {MAX_DEPTH} levels deep."
        )
    given = {name: value for name, value in arguments.items() if value is not None}
    if wrong := list(_problems(schema, given, also)):
        raise RefusalError(" ".join(wrong[:10]))
    return given


def is_plain(value: Any, depth: int = 0) -> bool:
    """Tell whether a value is of a kind that every field and database can be asked about."""
    if isinstance(value, str):
        return value.isascii() or not LONE_SURROGATE.search(value)
    if isinstance(value, int):
        return value.bit_length() < MAX_BITS
    if depth > MAX_DEPTH:
        return False
    if isinstance(value, Mapping):
        return all(is_plain(part, depth + 1) for pair in value.items() for part in pair)
    return not isinstance(value, list) or all(is_plain(item, depth + 1) for item in value)


def term_of(term: str) -> str:
    """Return what is searched for; raises RefusalError for what no search should be asked."""
    if "\x00" in term:
        raise RefusalError("search: NUL characters are not allowed.")
    if len(term) > MAX_TERM:
        raise RefusalError(f"search: at most {MAX_TERM} characters.")
    return term


def _problems(schema: Mapping[str, Any], given: Mapping[str, Any], also: Collection[str]) -> Iterator[str]:
    known = schema.get("properties", {})
    if unknown := [name for name in given if name not in known and name not in also]:
        yield unknown_arguments_text(unknown, known)
    for name in schema.get("required", ()):
        if name not in given:
            yield f"{name} is required."
    for name, value in given.items():
        yield from _value_problems(name, known.get(name, {}), value)


def _value_problems(name: str, schema: Mapping[str, Any], value: Any) -> Iterator[str]:
    kind = schema.get("type")
    if isinstance(kind, str) and not _is(kind, value):
        yield f"{name}: give {'an' if kind[0] in 'aio' else 'a'} {kind}."
        return
    if "enum" in schema and not isinstance(value, str):
        yield f"{name}: give a string."
        return
    # Those lists differ by caller: the verb itself names what this one may use.
    if "enum" in schema and name not in ("action", "relation", "operation") and value not in schema["enum"]:
        yield f"{name}: use one of: {', '.join(map(str, schema['enum']))}."
    low, high = schema.get("minimum"), schema.get("maximum")
    if isinstance(value, int) and ((low is not None and value < low) or (high is not None and value > high)):
        yield f"{name}: give a number from {low} to {high}." if high is not None else f"{name}: at least {low}."
    items = "string" if name in LISTS_OF_NAMES else schema.get("items", {}).get("type")
    if isinstance(value, list) and items and not all(_is(items, item) for item in value):
        yield f"{name}: every item must be {'an' if items[0] in 'aio' else 'a'} {items}."


def _is(kind: str, value: Any) -> bool:
    if kind == "integer" and isinstance(value, bool):
        return False
    return isinstance(value, TYPES[kind])
