"""Finds the API views behind a project's URL patterns."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import EndpointEnumerator

# In this order, so that of several methods with one function the safest gives the tool its name.
METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE")


@dataclass(frozen=True)
class Endpoint:
    """One method of one API view at one address; `template` has the URL's own arguments in braces."""

    callback: Any
    method: str
    template: str
    regex: str
    name: str
    namespaces: tuple[str, ...]
    urlconf: str | None = None

    @property
    def action(self) -> str:
        """The name of the function that answers: of the action of a ViewSet, else of the method."""
        actions: dict[str, str] = getattr(self.callback, "actions", None) or {}
        return actions.get(self.method.lower(), self.method.lower())

    @property
    def in_viewset(self) -> bool:
        return bool(getattr(self.callback, "actions", None))

    @property
    def is_extra(self) -> bool:
        """Tell whether an @action gave this endpoint."""
        return self.in_viewset and hasattr(getattr(self.callback.cls, self.action, None), "mapping")


def find_endpoints(urlconf: str | None = None) -> list[Endpoint]:
    """Return the endpoints of all API views of the URLconf; of several with one address the first, as it answers."""
    found: dict[tuple[str, str], Endpoint] = {}
    for endpoint in _walk(get_resolver(urlconf), urlconf, "", ()):
        found.setdefault((endpoint.template, endpoint.method), endpoint)
    return list(found.values())


def _walk(resolver: URLResolver, urlconf: str | None, prefix: str, namespaces: tuple[str, ...]) -> Iterator[Endpoint]:
    for pattern in resolver.url_patterns:
        regex = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = (*namespaces, str(pattern.namespace)) if pattern.namespace else namespaces
            yield from _walk(pattern, urlconf, regex, inner)
        elif isinstance(pattern, URLPattern):
            yield from _endpoints_of(pattern, regex, namespaces, urlconf)


def _endpoints_of(
    pattern: URLPattern, regex: str, namespaces: tuple[str, ...], urlconf: str | None
) -> Iterator[Endpoint]:
    enumerator = EndpointEnumerator(patterns=[])
    template, callback = enumerator.get_path_from_regex(regex), pattern.callback
    if not enumerator.should_include_endpoint(template, callback) or _serves_schemas(callback):
        return
    allowed = enumerator.get_allowed_methods(callback)
    for method in METHODS:
        if method in allowed:
            yield Endpoint(callback, method, template, regex, pattern.name or "", namespaces, urlconf)


def _serves_schemas(callback: Any) -> bool:
    return bool(callback.cls.__module__.startswith(("drf_spectacular.", "rest_framework.schemas")))
