"""Reads settings from the environment; a bad value is refused in one sentence that names its variable."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured
from django.db.utils import OperationalError

TRUE = {"true", "1", "yes", "on"}
FALSE = {"false", "0", "no", "off"}
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def text(name: str, default: str = "") -> str:
    """Return the variable; an empty one counts as unset, as `NAME=` in an env file means."""
    return os.environ.get(name, "").strip() or default


def flag(name: str, default: bool) -> bool:
    value = text(name).lower()
    if value and value not in TRUE | FALSE:
        raise ImproperlyConfigured(f"{name} must be true or false, not {value[:40]!r}.")
    return value in TRUE if value else default


def number(name: str, default: Any, kind: type[int] | type[float] = int) -> Any:
    value = text(name)
    try:
        return kind(value) if value else default
    except ValueError:
        word = "a whole number" if kind is int else "a number"
        raise ImproperlyConfigured(f"{name} must be {word}, not {value[:40]!r}.") from None


def words(name: str, default: list[str]) -> list[str]:
    """Return a comma-separated list."""
    value = text(name)
    return [word.strip() for word in value.split(",") if word.strip()] if value else default


def mapping(name: str) -> dict[str, Any]:
    """Return a JSON object; what is longer than a line is easier to write in the settings file."""
    try:
        value = json.loads(text(name, "{}"))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ImproperlyConfigured(f"{name} must be a JSON object such as {{}}; or set it in the settings file.")
    return value


def level(name: str, default: str) -> str:
    value = text(name, default).upper()
    if value not in LEVELS:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(LEVELS)}, not {value[:40]!r}.")
    return value


def database(name: str, default: str) -> dict[str, Any]:
    url = text(name, default)
    scheme = url.partition("://")[0]
    if scheme not in {"sqlite", "postgres", "postgresql"}:
        raise ImproperlyConfigured(f"{name} must begin with sqlite:/// or postgres://; see .env.example.")
    try:
        return dict(environ.Env.db_url_config(url))
    except (ValueError, AttributeError, KeyError):
        # The value holds a password, so the sentence does not repeat it.
        raise ImproperlyConfigured(f"{name} must look like postgres://user:password@host:5432/name.") from None


def cache(name: str, default: str) -> dict[str, Any]:
    try:
        return dict(environ.Env.cache_url_config(text(name, default)))
    except (ImproperlyConfigured, ValueError, KeyError):
        raise ImproperlyConfigured(f"{name} must look like redis://host:6379/0 or locmemcache://.") from None


def like_defaults(defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of `defaults` that the environment sets, each of its default's type."""
    return {name: _like(name, default) for name, default in defaults.items() if text(name)}


def _like(name: str, default: Any) -> Any:
    if default is None or isinstance(default, bool):
        return flag(name, False)
    if isinstance(default, int | float):
        value = number(name, default, type(default))
        if not 0 <= value < float("inf"):
            raise ImproperlyConfigured(f"{name} must be 0 or more, not {value}.")
        return value
    if isinstance(default, list | tuple | set | frozenset):
        return type(default)(words(name, []))
    if isinstance(default, dict):
        return mapping(name)
    return text(name)


@contextmanager
def refusals_in_one_sentence() -> Iterator[None]:
    """End the process with the sentence alone: a traceback hides it, and whoever starts a server needs just that."""
    try:
        yield
    except ImproperlyConfigured as error:
        sys.exit(f"Not started: {error}")
    except OperationalError as error:
        if "--traceback" in sys.argv:
            raise
        reason = " ".join(str(error).split())[:200]
        sys.exit(f"Stopped: the database of DATABASE_URL cannot be used: {reason}. Is it up, and migrated?")
