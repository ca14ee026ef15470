"""Turns rows into answers, in a number of queries that does not grow with them."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from os.path import commonprefix
from typing import Any

from django.db.models import prefetch_related_objects

from mcp_server.derive.admin.bound import Bound, model_field
from mcp_server.derive.admin.values import label_of, plain, read

MAX_DEPTH = 3
MAX_TEXT = 200
MAX_JSON = 2000
# What is left of the same beginning of two long texts.
LEAD = 20


def identity(row: Any, unique: Iterable[str] = ()) -> dict[str, Any]:
    """Return what every row carries: its id, its label and its unique fields."""
    return {"id": plain(row.pk), "label": label_of(row), **{name: plain(getattr(row, name)) for name in unique}}


def is_new(name: str, shown: Mapping[str, Any]) -> bool:
    """Tell whether a field is still to be added to a row; one that the model itself calls "label" is its own."""
    return name not in shown or name == "label"


def listed(bound: Bound, rows: Sequence[Any], columns: Mapping[str, Any], *, can: bool = False) -> list[dict[str, Any]]:
    """Return rows with these columns; long texts are cut, and what they refer to is fetched once for all rows."""
    unique = bound.unique_fields()
    fetch_relations(bound.model, rows, columns)

    def one(row: Any) -> dict[str, Any]:
        names = bound.shown_of(row, dict.fromkeys([*unique, *columns]))
        shown = identity(row, [name for name in unique if name in names])
        shown |= {name: cut(read(columns[name], row, bound.admin)) for name in names if is_new(name, shown)}
        return shown | ({"can": rights(bound, row)} if can else {})

    return list(alike(rows, one))


def named(bound: Bound, row: Any) -> dict[str, Any]:
    """Return what names the row to this caller."""
    return identity(row, bound.shown_of(row, bound.unique_fields()))


def alike(rows: Sequence[Any], render: Any) -> Iterator[Any]:
    """Render every row; relations and fields that the first one had to fetch are fetched for the others in one go."""
    if not rows:
        return
    before, deferred = set(_fetched(rows[0])), rows[0].get_deferred_fields()
    first = render(rows[0])
    if (late := deferred - rows[0].get_deferred_fields()) and len(rows) > 1:
        _fill_in(rows[1:], late)
    # Rows of several kinds may be in one list; what only some of them have is not fetched for all.
    kinds = {type(row) for row in rows}
    shared = (path for path in _fetched(rows[0]) if all(_single(kind, path.partition("__")[0]) for kind in kinds))
    missing = [path for path in shared if path not in before]
    if missing and len(rows) > 1:
        prefetch_related_objects(list(rows[1:]), *missing)
    yield first
    for row in rows[1:]:
        yield render(row)


def _fill_in(rows: Sequence[Any], names: Collection[str]) -> None:
    """Fetch fields that a queryset's only() or defer() left out."""
    found = type(rows[0])._base_manager.using(rows[0]._state.db).only(*names).in_bulk([row.pk for row in rows])
    for row in rows:
        if row.pk in found:
            vars(row).update((name, vars(found[row.pk])[name]) for name in names)


def fetch_relations(model: Any, rows: Sequence[Any], columns: Mapping[str, Any]) -> None:
    """Fetch the rows that these columns refer to, a query for each relation."""
    fields = [model_field(model, column) for column in columns.values()]
    # An annotation may hide behind a field's name; only what the model itself relates to is fetched.
    names = [field.name for field in fields if field is not None and field.is_relation and _fetchable(field)]
    if rows and names:
        prefetch_related_objects(list(rows), *names)


def _fetchable(field: Any) -> bool:
    return bool(field.concrete or field.many_to_many) and bool(field.related_model)


def _fetched(row: Any, model: Any = None, depth: int = 1) -> list[str]:
    """Return the paths of single relations whose rows are in memory, as every row of the model may have them."""
    paths = []
    for name, related in sorted(row._state.fields_cache.items()):
        field = _single(model or row, name)
        if related is None or not hasattr(related, "_state") or field is None:
            continue
        paths.append(name)
        # Of the rows of any model nobody knows more.
        if depth < MAX_DEPTH and field.related_model is not None:
            paths += [f"{name}__{path}" for path in _fetched(related, field.related_model, depth + 1)]
    return paths


def _single(model: Any, name: str) -> Any:
    fields = model._meta.get_fields()
    return next((field for field in fields if field.name == name and (field.many_to_one or field.one_to_one)), None)


def rights(bound: Bound, row: Any) -> dict[str, bool]:
    """Return what the caller may do to this row, by the ModelAdmin's own rules."""
    admin, request = bound.admin, bound.request
    return {
        "change": bool(admin.has_change_permission(request, row)),
        "delete": bool(admin.has_delete_permission(request, row)),
    }


def in_order(rows: Any) -> Any:
    """Return a queryset in an order of its own, else by key: pages of rows without an order would overlap."""
    return rows if rows.ordered else rows.order_by("pk")


def cut(value: Any, start: int = 0) -> Any:
    """Return a value, and of a long text so much from here on."""
    if not isinstance(value, str) or len(value) <= MAX_TEXT:
        return value
    end = start + MAX_TEXT
    return f"{'…' if start else ''}{value[start:end]}{'…' if end < len(value) else ''}"


def cut_json(value: Any) -> Any:
    """Return the same of a value of any kind; one with many parts becomes the beginning of its text."""
    return cut(_text_if_long(value))


def cut_pair(pair: Sequence[Any]) -> list[Any]:
    """Return old and new of a value; long texts begin where they start to differ."""
    texts = [_text_if_long(value) for value in pair]
    are_texts = all(isinstance(text, str) for text in texts)
    start = max(len(commonprefix(texts)) - LEAD, 0) if are_texts else 0  # noqa: RUF071  (texts, not paths)
    return [cut(text, start) for text in texts]


def _text_if_long(value: Any) -> Any:
    text = json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict | list) else ""
    return text if len(text) > MAX_JSON else value
