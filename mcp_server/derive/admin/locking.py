"""Locks the rows that a call changes, where the database can, so that nothing another one did meanwhile is lost."""

from collections.abc import Collection, Sequence
from typing import Any

from django.db import connections
from django.db.models import QuerySet

from mcp_server.derive.admin.bound import Bound
from mcp_server.derive.admin.changes import stored
from mcp_server.derive.admin.lookup import missing
from mcp_server.derive.admin.refusal import RefusalError


def locked(bound: Bound, row: Any) -> Any:
    """Return the row as it is behind a lock: the form writes all of its columns, also those that nobody gave."""
    using = bound.database()
    if not lock([row], using):
        return row
    if (now := bound.admin.get_object(bound.request, str(row.pk))) is None:
        # Meanwhile it left what this caller sees.
        raise missing(bound.opts, row.pk)
    if lock([now], using):
        # A transaction that repeats what it read once would write that back.
        raise RefusalError(f"{bound.opts.verbose_name} {row.pk} was changed meanwhile. Nothing was changed; try again.")
    return now


def lock(rows: Sequence[Any], using: str) -> bool:
    """Lock rows of one model, with those of its parents; tell whether one is not any more as it was read."""
    if not rows:
        return False
    now = {row.pk: row for row in lock_keys(type(rows[0]), [row.pk for row in rows], using)}
    return can_lock(using) and any(row.pk not in now or not _is_as(row, now[row.pk]) for row in rows)


def lock_keys(model: Any, keys: Collection[Any], using: str) -> list[Any]:
    """Lock the rows with these keys, in their order whoever asks, so that no two calls wait for each other."""
    if not can_lock(using):
        return []
    # Rows that refer to these can still be added. No manager of the project's: an outer join cannot be locked.
    no_key = connections[using].features.has_select_for_no_key_update
    rows: Any = QuerySet(model, using=using).select_for_update(no_key=no_key)
    return list(rows.filter(pk__in=keys).order_by("pk"))


def can_lock(using: str) -> bool:
    """Tell whether rows can be locked; SQLite has one writer at a time, which waits before it reads."""
    return bool(connections[using].features.has_select_for_update and connections[using].in_atomic_block)


def _is_as(row: Any, now: Any) -> bool:
    values = stored(now)
    return all(values.get(name) == value for name, value in stored(row).items())
