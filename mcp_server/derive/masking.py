"""Keeps the values of secret fields out of answers that are made of texts: labels, ids, pages, messages, errors."""

import re
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from functools import cache
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from django.apps import apps
from django.db.models.signals import post_init
from pydantic import BaseModel

from mcp_server.derive.secrecy import HIDDEN, is_secret
from mcp_server.orm import in_database

P = ParamSpec("P")
R = TypeVar("R")

# A token, a hash, a generated password; hiding "default_language" in all texts would only hide words.
GENERATED = re.compile(r"(?=.*(?:\d|[a-z].*[A-Z]|[A-Z].*[a-z]))\S{16,}")

# A password as Django encodes it is known wherever it stands, also in what was read without its row.
ENCODED = re.compile(rb"\b(?:md5|pbkdf2_\w+|argon2|bcrypt(?:_sha256)?|scrypt)\$[\w$./+=,-]{20,}")

# The rows with secrets that this call has loaded or made; None while nobody is told anything.
_rows: ContextVar[list[Any] | None] = ContextVar("mcp_rows_with_secrets", default=None)


def watch_rows() -> None:
    """Note the rows of every model with secrets while a call runs; for an AppConfig's ready()."""
    for model in apps.get_models():
        if secret_columns(model):
            post_init.connect(_note, sender=model, dispatch_uid="mcp_server.derive.masking")


def _note(instance: Any, **kwargs: Any) -> None:
    if (rows := _rows.get()) is not None:
        rows.append(instance)


@cache
def secret_columns(model: Any) -> tuple[str, ...]:
    fields = (field for field in model._meta.concrete_fields if not field.is_relation)
    return tuple(field.attname for field in fields if is_secret(field.name, model))


async def in_database_masked(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a synchronous function that uses the ORM; no secret of a row it met is in what it returns or raises."""
    rows: list[Any] = []
    before = _rows.set(rows)
    try:
        answer = await in_database(function, *args, **kwargs)
    except Exception as error:
        error.args = tuple(masked(item, _secrets(rows)) for item in error.args)
        if (details := getattr(error, "details", None)) is not None:
            error.details = masked(details, _secrets(rows))  # type: ignore[attr-defined]
        raise
    finally:
        _rows.reset(before)
    result: R = masked(answer, _secrets(rows))
    return result


def _secrets(rows: Iterable[Any]) -> set[str]:
    # From what is in memory: a column that nobody loaded is in no text either.
    kinds: Iterable[tuple[Any, Any]] = ((row, type(row)) for row in rows)
    values = (vars(row).get(name) for row, kind in kinds for name in secret_columns(kind))
    texts = {str(value) for value in values if isinstance(value, str | UUID)}
    return {text for text in texts if GENERATED.fullmatch(text)}


def without_passwords(body: bytes) -> bytes:
    """Return a file with "[secret]" in the place of encoded passwords, if it is text."""
    return body if b"\0" in body else ENCODED.sub(HIDDEN.encode(), body)


def masked(value: Any, secrets: Iterable[str]) -> Any:
    """Return an answer with "[secret]" in the place of these texts, at any depth."""
    if not secrets:
        return value
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, HIDDEN)
        return value
    if isinstance(value, Mapping):
        return {key: masked(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item, secrets) for item in value]
    if isinstance(value, BaseModel):
        return value.model_copy(
            update={name: masked(getattr(value, name), secrets) for name in type(value).model_fields}
        )
    return value
