"""Says of query arguments what drf-spectacular leaves open: by what a list is sorted, and what is searched."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from rest_framework.filters import OrderingFilter, SearchFilter


def refine_query(arguments: dict[str, Any], view: Any) -> None:
    """Type the ordering, name the searched fields, and drop both where the view has none."""
    for backend in getattr(view, "filter_backends", ()):
        if issubclass(backend, SearchFilter):
            _refine_search(arguments, backend(), view)
        elif issubclass(backend, OrderingFilter):
            _refine_ordering(arguments, backend(), view)


def _refine_search(arguments: dict[str, Any], backend: Any, view: Any) -> None:
    if backend.search_param not in arguments:
        return
    fields = [str(name).lstrip("^=@$").replace("__", ".") for name in getattr(view, "search_fields", None) or ()]
    if not fields:
        del arguments[backend.search_param]
        return
    argument = arguments[backend.search_param]
    schema = argument.schema | {"description": f"Words to find in {', '.join(fields)}."}
    arguments[backend.search_param] = replace(argument, schema=schema)


def _refine_ordering(arguments: dict[str, Any], backend: Any, view: Any) -> None:
    if backend.ordering_param not in arguments:
        return
    names = list(_sortable(backend, view))
    if not names:
        del arguments[backend.ordering_param]
        return
    values = [value for name in names for value in (name, f"-{name}")]
    schema = {
        "type": "array",
        "items": {"type": "string", "enum": values},
        "description": "Fields to sort by, in this order; - before a name means descending.",
    }
    arguments[backend.ordering_param] = replace(arguments[backend.ordering_param], schema=schema, joined=True)


def _sortable(backend: Any, view: Any) -> Iterator[str]:
    try:
        fields = backend.get_valid_fields(view.get_queryset(), view, {"request": view.request})
    except Exception:
        # A queryset that needs a real caller: what is declared is known all the same.
        declared = getattr(view, "ordering_fields", None)
        fields = [(name, name) for name in declared] if isinstance(declared, list | tuple) else []
    for name, _label in fields:
        yield str(name)
