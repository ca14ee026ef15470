"""The inlines of a form: what they are called, what of them is read, and what may be written."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.utils import flatten_fieldsets
from django.db.models import QuerySet

from mcp_server.derive.admin.bound import Bound
from mcp_server.derive.admin.exposure import is_chosen, is_writable
from mcp_server.derive.admin.guards import WRITES, by_permissions
from mcp_server.derive.admin.rows import alike, fetch_relations, identity
from mcp_server.derive.admin.values import name_of, read
from mcp_server.derive.limited import is_limited
from mcp_server.derive.secrecy import blind_fields, is_secret

MAX_INLINE_ROWS = 100


@dataclass(frozen=True)
class Inline:
    """One inline as the caller has it; `name` is what tools call it, `prefix` what its form fields begin with."""

    name: str
    prefix: str
    formset: Any
    admin: Any

    def fields(self, request: Any, row: Any) -> dict[str, Any]:
        """Return the fields it shows, by name, without the way back to its parent and without secrets."""
        names = flatten_fieldsets(self.admin.get_fieldsets(request, row))
        named = ((name_of(field, number), field) for number, field in enumerate(names))
        hidden = {self.back} | blind_fields(self.admin)
        shown = {name: field for name, field in named if name not in hidden and is_chosen(self.admin, name)}
        return {name: field for name, field in shown.items() if not is_secret(name, self.admin.model)}

    @property
    def back(self) -> str | None:
        """The field that leads back to its parent."""
        return getattr(getattr(self.formset, "fk", None), "name", None)

    def takes(self, name: str) -> bool:
        """Tell whether tools may write this field of its rows: never its parent, and else as far as the mixin says."""
        return name != self.back and is_writable(self.admin, name)

    def rights(self, request: Any, row: Any) -> dict[str, bool]:
        may = {verb: getattr(self.admin, f"has_{verb}_permission") for verb in WRITES}
        if is_limited(request.user):
            may = {verb: by_permissions(own, request.user) for verb, own in may.items()}
        is_open = getattr(self.admin, "mcp_readonly", False) is not True
        rights = {verb: is_open and bool(ask(request, row)) for verb, ask in may.items()}
        return rights | {"delete": bool(self.formset.can_delete and rights["delete"])}


def inlines_of(bound: Bound, formsets: Any) -> Iterator[Inline]:
    """Yield the inlines tools know, in the admin's order and with the admin's prefixes."""
    names: set[str] = set()
    for prefix, formset, admin in prefixed(formsets):
        name = _name(formset, admin, names)
        if bound.exposed.shows(name) and getattr(admin, "mcp_expose", None) is not False:
            yield Inline(name, prefix, formset, admin)


def prefixed(formsets: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the formset classes and inlines with the prefixes that the admin's page gives them."""
    prefixes: dict[str, int] = {}
    for formset, admin in formsets:
        prefix = formset.get_default_prefix()
        prefixes[prefix] = prefixes.get(prefix, 0) + 1
        if prefixes[prefix] != 1 or not prefix:
            prefix = f"{prefix}-{prefixes[prefix]}"
        yield prefix, formset, admin


def formsets_of(bound: Bound, row: Any = None) -> Any:
    """Return the formset classes and inlines the caller may use, as the add or change view asks for them."""
    arguments = [bound.request] if row is None else [bound.request, row]
    return bound.admin.get_formsets_with_inlines(*arguments)


def _name(formset: Any, admin: Any, taken: set[str]) -> str:
    prefix = formset.get_default_prefix().removesuffix("_set")
    name = base = prefix if prefix.isidentifier() else str(admin.opts.model_name)
    number = 2
    while name in taken:
        name, number = f"{base}_{number}", number + 1
    taken.add(name)
    return name


def read_inlines(bound: Bound, row: Any) -> dict[str, Any]:
    """Return the rows of every inline the caller may see."""
    return {inline.name: _rows(bound, inline, row) for inline in viewable_inlines(bound, row)}


def viewable_inlines(bound: Bound, row: Any) -> list[Inline]:
    found = inlines_of(bound, formsets_of(bound, row))
    return [inline for inline in found if inline.admin.has_view_or_change_permission(bound.request, row)]


def _rows(bound: Bound, inline: Inline, row: Any) -> list[Any]:
    formset = inline.formset(instance=row, prefix=inline.prefix, queryset=inline.admin.get_queryset(bound.request))
    page = formset.get_queryset()
    rows = list(page[: MAX_INLINE_ROWS + 1])
    fields = inline.fields(bound.request, row)
    fetch_relations(inline.admin.model, rows, fields)
    for found in rows:
        _know_parent(formset, found, row)

    def one(found: Any) -> dict[str, Any]:
        return identity(found) | {name: read(field, found, inline.admin) for name, field in fields.items()}

    shown: list[Any] = list(alike(rows[:MAX_INLINE_ROWS], one))
    # An inline may have pages of its own, of which this is the first.
    more = len(rows) > MAX_INLINE_ROWS or (_is_slice(page) and formset.queryset.count() > len(rows))
    return [*shown, {"more": True}] if more else shown


def _is_slice(rows: Any) -> bool:
    return bool(isinstance(rows, QuerySet) and rows.query.is_sliced)


def _know_parent(formset: Any, found: Any, row: Any) -> None:
    # A label that names the parent would otherwise fetch it again for every row.
    if (fk := getattr(formset, "fk", None)) is not None and isinstance(row, fk.related_model):
        fk.set_cached_value(found, row)
