"""Finds the named views of a URLconf, and writes their addresses."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse
from django.urls.converters import IntConverter, PathConverter, SlugConverter, UUIDConverter

from mcp_server.classes.errors import BadRequest, Invalid

Schema = dict[str, Any]
TYPES: list[tuple[type, Schema]] = [
    (IntConverter, {"type": "integer", "minimum": 0}),
    (UUIDConverter, {"type": "string", "format": "uuid"}),
    (SlugConverter, {"type": "string", "pattern": "^[-a-zA-Z0-9_]+$"}),
    (PathConverter, {"type": "string"}),
]
# Views of these belong to others: the admin's to register_admin_tools; logging in and out makes no sense with a token.
FOREIGN = ("django.contrib.", "debug_toolbar.", "rest_framework.", "drf_spectacular.", "oauth2_provider.")


@dataclass(frozen=True)
class Route:
    """One named view: `name` with its namespaces, as reverse() takes it."""

    name: str
    callback: Any
    converters: Mapping[str, Any] = field(default_factory=dict)
    urlconf: str | None = None

    def arguments(self) -> dict[str, Schema]:
        """Return the JSON schema of each part of the address."""
        return {name: {**_type(converter), "description": _spoken(name)} for name, converter in self.converters.items()}

    def path(self, values: Mapping[str, Any]) -> str:
        """Return the address; raises Invalid for a value that does not fit it."""
        kwargs = {}
        for name, converter in self.converters.items():
            if values.get(name) in (None, ""):
                raise Invalid(**{name: "This is required."})
            try:
                kwargs[name] = converter.to_python(str(values[name])) if converter else str(values[name])
            except ValueError:
                raise Invalid(**{name: "This does not fit the address."}) from None
        try:
            return reverse(self.name, urlconf=self.urlconf, kwargs=kwargs)
        except NoReverseMatch:
            raise BadRequest(f"{', '.join(kwargs)}: nothing has an address like this.") from None


def find_routes(urlconf: str | None, include: Sequence[str], exclude: Sequence[str]) -> list[Route]:
    """Return the routes whose names match; of several with one name the last, as reverse() does."""
    found = {route.name: route for route in _walk(get_resolver(urlconf), urlconf, (), {})}
    return [
        route
        for name, route in found.items()
        if any(fnmatchcase(name, pattern) for pattern in include)
        and not any(fnmatchcase(name, pattern) for pattern in exclude)
    ]


def _walk(
    resolver: URLResolver, urlconf: str | None, namespaces: tuple[str, ...], converters: Mapping[str, Any]
) -> Iterator[Route]:
    for pattern in resolver.url_patterns:
        known = {**converters, **_converters(pattern.pattern)}
        if isinstance(pattern, URLResolver):
            inner = (*namespaces, str(pattern.namespace)) if pattern.namespace else namespaces
            yield from _walk(pattern, urlconf, inner, known)
        elif isinstance(pattern, URLPattern) and pattern.name and not _is_foreign(pattern.callback):
            yield Route(":".join([*namespaces, pattern.name]), pattern.callback, known, urlconf)


def _converters(pattern: Any) -> dict[str, Any]:
    """Return the converter of each argument; None for one that a regular expression gives as text."""
    return dict(pattern.converters) or dict.fromkeys(pattern.regex.groupindex)


def _is_foreign(callback: Any) -> bool:
    view_class = getattr(callback, "view_class", None) or getattr(callback, "cls", None)
    if hasattr(callback, "cls") or hasattr(callback, "model_admin"):
        return True
    return str(getattr(view_class or callback, "__module__", "")).startswith(FOREIGN)


def _type(converter: Any) -> Schema:
    for kind, schema in TYPES:
        if isinstance(converter, kind):
            return schema
    return {"type": "string"}


def _spoken(name: str) -> str:
    return f"{name.replace('_', ' ').capitalize()}, a part of the address."
