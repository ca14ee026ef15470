"""Reads lists through the admin's own ChangeList, without its page: no counts unless asked, and no filter sidebar."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import FieldDoesNotExist, SuspiciousOperation
from django.db import DataError
from django.db.models import F, Subquery
from django.db.models.constants import LOOKUP_SEP
from django.db.models.expressions import RawSQL

from mcp_server.derive.admin.annotations import UntoldError, models_behind
from mcp_server.derive.admin.arguments import term_of
from mcp_server.derive.admin.bound import Bound
from mcp_server.derive.admin.filters import query_of
from mcp_server.derive.admin.refusal import RefusalError
from mcp_server.derive.admin.request import fill
from mcp_server.derive.admin.rows import listed
from mcp_server.derive.admin.sidebar import check_applied, check_known, own_filters
from mcp_server.derive.admin.values import name_of
from mcp_server.derive.secrecy import fields_on, is_secret

DEFAULT_ROWS = 20
MAX_ROWS = 100
# Beyond this a database may not even take the number.
MAX_OFFSET = 2**31
# Orders that lead from model to model may lead in a circle.
MAX_DEPTH = 5


class Page:
    """Stands where the admin's paginator does: one slice, and no COUNT over the whole table."""

    def __init__(self, rows: Any, offset: int, limit: int) -> None:
        self.rows, self.offset, self.limit = rows, offset, limit
        self.count = 1 << 62

    def page(self, number: Any) -> "Page":
        return self

    @property
    def object_list(self) -> Any:
        # One more than asked for tells whether there are more.
        return self.rows[self.offset : self.offset + self.limit + 1]


class Sliced:
    """Mixed in before the admin's ChangeList class, whichever the project uses."""

    def __init__(self, request: Any, model: Any, list_display: Any, links: Any, list_filter: Any, *args: Any) -> None:
        columns = [column for column in list_display if column != "action_checkbox"]
        # The built-in filters only fill the sidebar: what was asked for is in the query string.
        super().__init__(request, model, columns, links, own_filters(list_filter), *args)  # type: ignore[call-arg]

    def get_results(self, request: Any) -> None:
        admin: Any = self.model_admin  # type: ignore[attr-defined]
        offset, limit = request.mcp_slice
        admin.get_paginator = lambda request, rows, *args, **kwargs: Page(rows, offset, limit)
        admin.show_full_result_count = False
        try:
            super().get_results(request)  # type: ignore[misc]
        finally:
            del admin.get_paginator


@cache
def sliced(changelist_class: Any) -> Any:
    return type(f"Sliced{changelist_class.__name__}", (Sliced, changelist_class), {})


def changelist(bound: Bound, query: Mapping[str, Any], *, offset: int = 0, limit: int = DEFAULT_ROWS) -> Any:
    """Return the project's ChangeList for a query string; raises RefusalError for one it does not take."""
    request: Any = bound.request
    fill(request.GET, query)
    request.mcp_slice = (offset, limit)
    # On the call's own ModelAdmin, so that a column finds what get_queryset kept on self.
    admin = bound.admin
    own = admin.get_changelist
    admin.get_changelist = lambda request, **kwargs: sliced(own(request, **kwargs))
    try:
        return admin.get_changelist_instance(request)
    except (IncorrectLookupParameters, SuspiciousOperation) as error:
        # What the database or the ORM said of it stays here.
        told = f"filters: the list does not take these, see {bound.exposed.tool_name('describe')}."
        raise RefusalError(told) from error
    finally:
        admin.get_changelist = own


def list_rows(bound: Bound, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Answer the list tool."""
    offset, limit = page_of(arguments)
    columns = chosen_columns(bound, arguments.get("fields"))
    given = arguments.get("filters") or {}
    try:
        query = query_of(bound, given) | _search(bound, arguments.get("search")) | _order(bound, arguments.get("order"))
        found = changelist(bound, query, offset=offset, limit=limit)
        check_applied(bound, found, given)
        return _answer(bound, found, arguments, columns)
    except (DataError, OverflowError) as error:
        raise RefusalError("filters: a value is out of the range of its field.") from error
    except (ValueError, TypeError, LookupError):
        check_known(bound, given)
        raise


def page_of(arguments: Mapping[str, Any]) -> tuple[int, int]:
    """Return offset and limit; raises RefusalError outside the cap."""
    offset, limit = arguments.get("offset", 0), arguments.get("limit", DEFAULT_ROWS)
    if not 1 <= limit <= MAX_ROWS:
        raise RefusalError(f"limit: give a number from 1 to {MAX_ROWS}.")
    if not 0 <= offset < MAX_OFFSET:
        raise RefusalError("offset: give a number from 0 up.")
    return offset, limit


def _answer(bound: Bound, found: Any, arguments: Mapping[str, Any], columns: Mapping[str, Any]) -> dict[str, Any]:
    if arguments.get("count_only"):
        return {"total": count(bound, found.queryset)}
    offset, limit = found_slice(bound)
    rows = list(found.result_list)
    answer: dict[str, Any] = {"rows": listed(bound, rows[:limit], columns, can=bool(arguments.get("can")))}
    if len(rows) > limit:
        answer["next_offset"] = offset + limit
    elif rows or not offset:
        # The last page knows it without a COUNT.
        return answer | {"total": offset + len(rows)}
    return answer | ({"total": count(bound, found.queryset)} if arguments.get("total") else {})


def found_slice(bound: Bound) -> tuple[int, int]:
    request: Any = bound.request
    offset, limit = request.mcp_slice
    return offset, limit


def count(bound: Bound, rows: Any) -> int:
    """Count as the admin's own paginator does; a project may have one that estimates."""
    return int(bound.admin.get_paginator(bound.request, rows, MAX_ROWS).count)


def chosen_columns(bound: Bound, names: Sequence[str] | None) -> dict[str, Any]:
    """Return the list's columns, or those asked for among them and the fields of the form's page."""
    columns = bound.columns()
    if names is None:
        return columns
    # The form is only asked for where the list's own columns are not enough.
    allowed = columns if {"id", "label", *columns} >= set(names) else _detail(bound) | columns
    if unknown := [name for name in names if name not in allowed and name not in ("id", "label")]:
        raise RefusalError(f"fields: {', '.join(unknown)[:80]} cannot be read. Allowed: {', '.join(allowed)}.")
    return {name: allowed[name] for name in names if name in allowed}


def _detail(bound: Bound) -> dict[str, Any]:
    nothing: dict[str, Any] = {}
    return bound.on_sample(bound.detail, nothing)


def sortable(bound: Bound) -> dict[str, int]:
    """Return the columns a caller may order by, with their place in the admin's list."""
    admin, request = bound.admin, bound.request
    columns = [column for column in admin.get_list_display(request) if column != "action_checkbox"]
    allowed = set(admin.get_sortable_by(request))
    found = {}
    for place, column in enumerate(columns):
        name = name_of(column, place)
        if column in allowed and bound.exposed.shows(name) and _may_order(bound, column):
            found[name] = place
    return found


def _may_order(bound: Bound, column: Any) -> bool:
    order = order_path(bound, column)
    return order is not None and _reveals_nothing(bound, bound.model, order)


def _reveals_nothing(bound: Bound, model: Any, order: Any, depth: int = 0) -> bool:
    """Tell whether the caller may see everything that an order, a path or an expression, goes by."""
    if not isinstance(order, str):
        parts = list(order.flatten()) if hasattr(order, "flatten") else [order]
        names = [part.name for part in parts if isinstance(part, F)]  # type: ignore[attr-defined]
        # What is written in SQL, or asks other tables, does not say what it goes by.
        is_told = not any(isinstance(part, RawSQL | Subquery) for part in parts)
        return is_told and all(_reveals_nothing(bound, model, name, depth) for name in names)
    path = order.lstrip("-")
    fields = list(fields_on(model, path))
    if not fields and model is bound.model:
        return _reveals_nothing_behind(bound, path)
    related = [field.related_model for field in fields if field.is_relation]
    if is_secret(path, model) or not all(other is not None and bound.may_view(other) for other in related):
        return False
    ends_in_relation = len(fields) == len(path.split(LOOKUP_SEP)) and fields[-1].is_relation
    if not ends_in_relation or depth > MAX_DEPTH:
        return True
    # A relation is sorted by what its rows are sorted by.
    return all(_reveals_nothing(bound, related[-1], part, depth + 1) for part in related[-1]._meta.ordering)


def _reveals_nothing_behind(bound: Bound, path: str) -> bool:
    """Tell the same of an annotation of the list's queryset."""
    query: Any = bound.admin.get_queryset(bound.request).query
    name = path.partition(LOOKUP_SEP)[0]
    if name not in query.annotations:
        return name not in query.extra
    try:
        behind = models_behind(query, query.annotations[name])
    except UntoldError:
        return False
    own = {bound.opts.concrete_model, *bound.opts.all_parents}
    return all(model in own or bound.may_view(model) for model in behind)


def order_path(bound: Bound, column: Any) -> Any:
    """Return what the admin orders a column by, or None for one it cannot order by."""
    if column == "__str__":
        return None
    try:
        return bound.opts.get_field(column).name if isinstance(column, str) else _ordering_of(column)
    except FieldDoesNotExist:
        owner = bound.admin if hasattr(bound.admin, column) else bound.model
        return _ordering_of(getattr(owner, column, None)) or (column if LOOKUP_SEP in column else None)


def _ordering_of(attribute: Any) -> Any:
    return getattr(getattr(attribute, "fget", attribute), "admin_order_field", None)


def _order(bound: Bound, names: Sequence[str] | None) -> dict[str, str]:
    if not names:
        return {}
    places, parts = sortable(bound), []
    if len(names) > max(len(places), 1):
        raise RefusalError("order: name each column once.")
    for name in names:
        bare = name.removeprefix("-")
        if bare not in places:
            allowed = ", ".join(places) or "none"
            raise RefusalError(f"order: {bare[:40]} cannot be ordered by. Allowed: {allowed}; a leading - reverses.")
        parts.append(f"{'-' if name.startswith('-') else ''}{places[bare]}")
    return {"o": ".".join(parts)}


def _search(bound: Bound, term: str | None) -> dict[str, str]:
    if not term:
        return {}
    if not bound.admin.get_search_fields(bound.request):
        raise RefusalError(f"search: {bound.opts.verbose_name_plural} cannot be searched. Use filters.")
    return {"q": term_of(term)}
