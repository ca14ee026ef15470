"""Notices every write through Django's database connections, and tells whoever listens once it is committed.

Model signals would miss QuerySet.update(), bulk_create() and raw SQL, so the statements themselves are watched. What
is told is small: the table, and the keys of the rows where the statement names them.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.apps import apps
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from mcp_server.conf import setting

CHANNEL = "mcp_changes"
MAX_ROWS = 100
# Written at almost every request, or by the server itself, and never shown as a resource.
IGNORED_APPS = {"sessions", "contenttypes", "tokens", "migrations", "admin"}

WRITE = re.compile(
    r"\s*(INSERT\s+(?:OR\s+\w+\s+)?INTO|REPLACE\s+INTO|UPDATE|DELETE\s+FROM)\s+[\"`]?([\w.]+)", re.IGNORECASE
)
BY_KEY = re.compile(
    r"\sWHERE\s+[\"`]?(\w+)[\"`]?\.[\"`]?(\w+)[\"`]?\s*(?:=\s*%s|IN\s*\((%s(?:,\s*%s)*)\))\s*$", re.IGNORECASE
)


@dataclass(frozen=True)
class Change:
    """A write to a table: the keys of existing rows it touched, as text; `rows` is None when it does not say."""

    table: str
    rows: tuple[str, ...] | None = None

    def touches(self, table: str, key: str | None) -> bool:
        """Tell whether this row (or, without a key, any of the table) may be different now."""
        return self.table == table and (key is None or self.rows is None or key in self.rows)


Receiver = Callable[[Change], None]
_receivers: set[Receiver] = set()


def add_receiver(receiver: Receiver) -> Callable[[], None]:
    """Call `receiver`, on the thread that wrote, with every committed change; returns what takes it away again."""
    _receivers.add(receiver)
    return lambda: _receivers.discard(receiver)


def announce(change: Change) -> None:
    for receiver in list(_receivers):
        receiver(change)


def watch_connections() -> None:
    """Watch the statements of every connection this process opens."""
    connection_created.connect(_watch, dispatch_uid="mcp_server.changes")


def _watch(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    if _wrap not in connection.execute_wrappers:
        # In front: whoever opened the connection within a wrapper of its own takes the last one off when it is done.
        connection.execute_wrappers.insert(0, _wrap)


def _wrap(execute: Any, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    result = execute(sql, params, many, context)
    shared = setting("MCP_BROKER") == "postgres"
    if (shared or _receivers) and isinstance(sql, str) and (found := WRITE.match(sql)):
        for change in changes_of(found[1].upper(), found[2], sql, params, many):
            _tell(context["connection"], change, shared)
    return result


def _tell(connection: BaseDatabaseWrapper, change: Change, shared: bool) -> None:
    if shared and connection.vendor == "postgresql":
        # PostgreSQL holds the notice back until the commit, drops it on a rollback and sends equal ones once.
        payload = json.dumps([change.table, change.rows])
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, payload])
        return
    connection.on_commit(lambda: announce(change))


def changes_of(verb: str, table: str, sql: str, params: Any, many: bool) -> list[Change]:
    """Return what a writing statement changes, in terms of the tables of models."""
    owners = _owners().get(table)
    if owners is None:
        return []
    if owners:
        # A table between two models: rows of both read differently now.
        return [Change(owner) for owner in owners]
    if verb.startswith("INSERT"):
        # What existed reads the same; only lists differ.
        return [Change(table, ())]
    return [Change(table, None if many else _keys(table, sql, params))]


def _keys(table: str, sql: str, params: Any) -> tuple[str, ...] | None:
    found = BY_KEY.search(sql)
    if not found or found[1] != table or found[2] != _key_columns().get(table) or not isinstance(params, Sequence):
        return None
    count = found[3].count("%s") if found[3] else 1
    return tuple(str(value) for value in params[-count:]) if count <= MAX_ROWS else None


@cache
def _owners() -> dict[str, tuple[str, ...]]:
    """Return, for every table worth watching, the tables of the models it stands between; none for a model's own."""
    tables: dict[str, tuple[str, ...]] = {}
    for model in apps.get_models(include_auto_created=True):
        if model._meta.app_label in IGNORED_APPS:
            continue
        between = [field.related_model for field in model._meta.fields if isinstance(field, models.ForeignKey)]
        owners = [owner._meta.db_table for owner in between] if model._meta.auto_created else []
        tables[model._meta.db_table] = tuple(dict.fromkeys(owners))
    return tables


@cache
def _key_columns() -> dict[str, str]:
    return {model._meta.db_table: str(model._meta.pk.column) for model in apps.get_models() if model._meta.pk}
