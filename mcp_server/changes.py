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
# How the URLs of a Redis, or of what speaks like it, begin.
REDIS = ("redis://", "rediss://", "unix://")
MAX_ROWS = 100
# Written at almost every request, or by the server itself, and never shown as a resource.
IGNORED_APPS = {"sessions", "contenttypes", "tokens", "migrations", "admin"}

# How the ORM begins a write.
WRITE = re.compile(
    r"\s*(INSERT\s+(?:OR\s+\w+\s+)?INTO|REPLACE\s+INTO|UPDATE|DELETE\s+FROM)\s+[\"`]?([\w.]+)", re.IGNORECASE
)
BY_KEY = re.compile(
    r"\sWHERE\s+[\"`]?(\w+)[\"`]?\.[\"`]?(\w+)[\"`]?\s*(?:=\s*%s|IN\s*\((%s(?:,\s*%s)*)\))\s*$", re.IGNORECASE
)
# An INSERT that changes what is there.
UPSERT = re.compile(r"^\s*INSERT\s+OR\s+REPLACE\b|\bON\s+(?:CONFLICT|DUPLICATE\s+KEY)\b.*\bUPDATE\b", re.I | re.S)
# What the ORM sends besides writes; none of it is looked into, unless a second statement may follow.
NO_WRITE = re.compile(r"\s*(?:SELECT|SAVEPOINT|RELEASE|ROLLBACK|PRAGMA|BEGIN|SET|EXPLAIN)\b[^;]*;?\s*\Z", re.IGNORECASE)
ANY_WRITE = re.compile(r"\b(?:INSERT|REPLACE|UPDATE|DELETE|MERGE|TRUNCATE)\b", re.IGNORECASE)


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
    broker = setting("MCP_BROKER")
    if (broker or _receivers) and isinstance(sql, str):
        for change in changes_of(sql, params, many):
            _tell(context["connection"], change, broker)
    return result


def _tell(connection: BaseDatabaseWrapper, change: Change, broker: str) -> None:
    if broker == "postgres" and connection.vendor == "postgresql":
        # PostgreSQL holds the notice back until the commit, drops it on a rollback and sends equal ones once.
        payload = json.dumps([change.table, change.rows])
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, payload])
        return
    connection.on_commit(lambda: announce(change))
    if broker.startswith(REDIS):
        from mcp_server.broker import publish  # it needs this module

        connection.on_commit(lambda: publish(change))


def changes_of(sql: str, params: Any, many: bool) -> list[Change]:
    """Return what a statement changes, in terms of the tables of models."""
    found, owners = WRITE.match(sql), _owners()
    if found and found[2] in owners:
        return _changes_in(found[2], _rows_of(found, sql, params, many))
    if (found and found[2] in _ignored()) or NO_WRITE.match(sql) or not ANY_WRITE.search(sql):
        return []
    # Written by hand, with comments, schemas or several parts: any row of any table it names.
    named = set(re.findall(r"\w+", sql)) & owners.keys()
    return [change for table in sorted(named) for change in _changes_in(table, None)]


def _changes_in(table: str, rows: tuple[str, ...] | None) -> list[Change]:
    # A table between two models: rows of both read differently now.
    return [Change(owner) for owner in _owners()[table]] or [Change(table, rows)]


def _rows_of(found: re.Match[str], sql: str, params: Any, many: bool) -> tuple[str, ...] | None:
    if found[1].upper().startswith("INSERT"):
        # What existed reads the same; only lists differ.
        return None if UPSERT.search(sql) else ()
    return None if many else _keys(found[2], sql, params)


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
def _ignored() -> set[str]:
    found = apps.get_models(include_auto_created=True)
    return {model._meta.db_table for model in found if model._meta.app_label in IGNORED_APPS} | {"django_migrations"}


@cache
def _key_columns() -> dict[str, str]:
    return {model._meta.db_table: str(model._meta.pk.column) for model in apps.get_models() if model._meta.pk}
