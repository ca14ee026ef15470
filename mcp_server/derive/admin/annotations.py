"""What a queryset's annotations and conditions read: whoever may sort or filter by it learns of all behind it."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db.models.expressions import Col, RawSQL
from django.db.models.fields.json import KeyTransform
from django.db.models.sql import Query

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


def secrets_read(expression: Any) -> set[tuple[Any, str]]:
    """Return the secrets, as model and field, that a condition or a whole query looks at."""
    if isinstance(expression, Col):
        found = expression.target.model, str(expression.target.name)
        return {found} if is_secret(found[1], found[0]) else set()
    if isinstance(expression, KeyTransform) and is_secret_key(expression.key_name, "given"):
        return {(KeyTransform, expression.key_name)}
    is_query = isinstance(expression, Query)
    parts = [expression.where] if is_query else getattr(expression, "get_source_expressions", list)()
    return {secret for part in filter(None, parts) for secret in secrets_read(part)}


def _way_to(query: Any, alias: str | None) -> Iterator[str]:
    """Yield the tables between the query's own and this one."""
    while alias is not None and (join := query.alias_map.get(alias)) is not None:
        yield join.table_name
        alias = getattr(join, "parent_alias", None)
