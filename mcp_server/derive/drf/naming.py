"""Names of tools made from endpoints."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from mcp_server.classes.tools import snake_case
from mcp_server.derive.drf.endpoints import Endpoint

MAX_NAME = 64
SUFFIXES = {"partial_update": "update"}


def tool_names(endpoints: Sequence[Endpoint], prefix: str | None = None) -> list[str]:
    """Return a name for each endpoint: as short as possible, longer where two would be the same."""
    choices = [list(_candidates(endpoint, suffix, prefix)) for endpoint, suffix in _suffixed(endpoints)]
    names = [options[0] for options in choices]
    for level in range(1, max((len(options) for options in choices), default=0)):
        taken = Counter(names)
        names = [
            options[min(level, len(options) - 1)] if taken[name] > 1 else name
            for name, options in zip(names, choices, strict=True)
        ]
    return [_cut(name) for name in names]


def _suffixed(endpoints: Sequence[Endpoint]) -> Iterator[tuple[Endpoint, str]]:
    """Yield what ends each name: the action; for its second method the method too."""
    seen = set()
    for endpoint in endpoints:
        suffix = SUFFIXES.get(endpoint.action, endpoint.action)
        key = (endpoint.callback, endpoint.template, suffix)
        yield endpoint, f"{suffix}_{endpoint.method.lower()}" if key in seen else suffix
        seen.add(key)


def _candidates(endpoint: Endpoint, suffix: str, prefix: str | None) -> Iterator[str]:
    short = prefix or _prefix(endpoint)
    yield f"{short}_{suffix}"
    if prefix is None:
        yield "_".join([*endpoint.namespaces, short, suffix])
    place = "_".join(re.findall(r"[A-Za-z0-9]+", re.sub(r"\{.*?\}", "", endpoint.template)))
    yield f"{place}_{suffix}"


def _prefix(endpoint: Endpoint) -> str:
    callback = endpoint.callback
    if endpoint.in_viewset:
        return str(callback.initkwargs.get("basename") or snake_case(callback.cls.__name__.removesuffix("ViewSet")))
    return endpoint.name or snake_case(callback.cls.__name__.removesuffix("View"))


def _cut(name: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")
    if len(name) <= MAX_NAME:
        return name
    return f"{name[: MAX_NAME - 7]}_{hashlib.sha256(name.encode()).hexdigest()[:6]}"
