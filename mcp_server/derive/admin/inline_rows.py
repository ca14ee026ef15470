"""The rows of an inline as a call gives them, and which of the rows that are there it means."""

from collections.abc import Mapping
from typing import Any

from mcp_server.derive.admin.inlines import Inline
from mcp_server.derive.admin.refusal import RefusalError
from mcp_server.derive.admin.values import label_of


def done_to(verb: str) -> str:
    return {"add": "added", "delete": "deleted", "change": "changed"}[verb]


def rows_given(name: str, rows: Any) -> list[Mapping[str, Any]]:
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise RefusalError(f'{name}: give a list of objects; with "id" they change that row, without it they add one.')
    return rows


def row_named(request: Any, inline: Inline | None, existing: list[Any], ref: Any) -> Any:
    """Return the row of the inline that is named by its id, a unique field or its label."""
    shown = {} if inline is None else inline.fields(request, None)
    fields = existing[0]._meta.concrete_fields if existing else ()
    known = ("id", *(field.name for field in fields if field.unique and field.name in shown), "label")
    by = "id"
    if isinstance(ref, Mapping):
        by = next((name for name in known if ref.get(name) is not None), "")
        ref = ref.get(by)
    found = [row for row in existing if by == "id" and str(row.pk) == str(ref)]
    columns = known[1:] if by == "id" else [by]
    found = found or [row for row in existing if str(ref) in {_text(row, column) for column in columns}]
    if len(found) != 1:
        ids = ", ".join(f"{row.pk} ({label_of(row)})" for row in existing[:20]) or "none"
        told = f"no row {str(ref)[:40]!r}" if by else f"a row is named by one of: {', '.join(known)}"
        raise RefusalError(f"{inline.name if inline else 'inline'}: {told}. Rows: {ids}.")
    return found[0]


def _text(row: Any, column: str) -> str:
    if column == "label":
        return label_of(row)
    return str(getattr(row, row._meta.get_field(column).attname)) if column else ""
