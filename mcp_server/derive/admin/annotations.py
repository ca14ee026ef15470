"""What a queryset's annotations and conditions read: whoever may sort or filter by it learns of all behind it."""

import re
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db.models.expressions import Col, RawSQL
from django.db.models.fields.json import KeyTransform
from django.db.models.sql import Query
from django.db.models.sql.where import ExtraWhere

from mcp_server.derive.secrecy import is_secret, is_secret_key


class UntoldError(Exception):
    """An expression reads a secret, or is written in SQL, which does not say what it reads."""


def models_behind(query: Any, expression: Any) -> set[Any]:
    """Return the models whose rows an expression of this query reads; raises UntoldError."""
    tables = set(_tables(query, expression))
    return {model for model in apps.get_models() if model._meta.db_table in tables and not model._meta.proxy}


def _tables(query: Any, expression: Any) -> Iterator[str]:
    if isinstance(expression, RawSQL):
        raise UntoldError
    if isinstance(expression, Col):
        if is_secret(expression.target.name, expression.target.model):
            raise UntoldError
        yield expression.target.model._meta.db_table
        yield from _way_to(query, expression.alias)
    elif isinstance(expression, Query):
        # Its conditions say as much as its columns.
        yield from (join.table_name for name, join in expression.alias_map.items() if expression.alias_refcount[name])
        for part in (*expression.select, *expression.annotations.values(), expression.where):
            yield from _tables(expression, part)
    else:
        for part in filter(None, getattr(expression, "get_source_expressions", list)()):
            yield from _tables(query, part)


def secrets_read(query: Query) -> Iterator[tuple[Any, str]]:
    """Yield the secrets, as model and field, that the conditions of a query look at; each as often as they do."""
    joined = (getattr(join, "filtered_relation", None) for join in query.alias_map.values())
    conditions = [query.where, *(relation.resolved_condition for relation in joined if relation)]
    for part in filter(None, (*conditions, *query.combined_queries)):
        yield from _secrets_in(part)


def _secrets_in(expression: Any) -> Iterator[tuple[Any, str]]:
    if isinstance(expression, Col):
        name = str(expression.target.name)
        yield from [(expression.target.model, name)] if is_secret(name, expression.target.model) else []
    elif isinstance(expression, KeyTransform) and is_secret_key(expression.key_name, "given"):
        yield KeyTransform, expression.key_name
    elif isinstance(expression, RawSQL | ExtraWhere):
        # What it reads is known by its words alone.
        text = expression.sql if isinstance(expression, RawSQL) else " ".join(expression.sqls)
        yield from ((RawSQL, word) for word in re.findall(r"\w+", text) if is_secret(word))
    elif isinstance(expression, Query):
        # Of a query within, what it gives is compared as well.
        yield from secrets_read(expression)
        for part in (*expression.select, *expression.annotations.values()):
            yield from _secrets_in(part)
    else:
        for part in filter(None, getattr(expression, "get_source_expressions", list)()):
            yield from _secrets_in(part)


def _way_to(query: Any, alias: str | None) -> Iterator[str]:
    """Yield the tables between the query's own and this one."""
    while alias is not None and (join := query.alias_map.get(alias)) is not None:
        yield join.table_name
        alias = getattr(join, "parent_alias", None)
