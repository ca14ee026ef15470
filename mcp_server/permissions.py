"""Which caller may use which tool, resource or prompt."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, Protocol, TypeGuard, TypeVar, runtime_checkable

from django.contrib.auth import get_backends
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser
from fastmcp.exceptions import ToolError
from fastmcp.tools import Tool
from fastmcp.utilities.components import FastMCPComponent
from mcp_types import ToolAnnotations

from tokens.models import MCPToken

T = TypeVar("T")

META_KEY = "django"

READ_ONLY = ToolAnnotations(read_only_hint=True, open_world_hint=False)
CREATE = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False)
UPDATE = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)


@runtime_checkable
class HasOwnRule(Protocol):
    """A component whose visibility depends on more than permission names; asked on a database thread."""

    def visible_to(self, user: AbstractBaseUser) -> bool: ...


@runtime_checkable
class DiffersByCaller(Protocol):
    """A component of which each caller's list shows another variant; asked on a database thread."""

    def seen_by(self, user: AbstractBaseUser) -> Any: ...


# What components find out about the caller of one list, so that those of one model need not each ask again.
_found_out: ContextVar[dict[Any, Any] | None] = ContextVar("mcp_found_out", default=None)


@contextmanager
def asking_once() -> Iterator[None]:
    """Let components share what they find out about the caller, as long as one list of them is gone through."""
    token = _found_out.set({})
    try:
        yield
    finally:
        _found_out.reset(token)


def asked_once(key: Any, find_out: Callable[[], T]) -> T:
    """Return what `find_out` returns, which is called once for a key inside of asking_once() and each time outside."""
    found = _found_out.get()
    if found is None:
        return find_out()
    if key not in found:
        found[key] = find_out()
    answer: T = found[key]
    return answer


class UnseenError(ToolError):
    """The tool's own rule keeps it from this caller, who is told that it is unknown."""

    def __init__(self) -> None:
        super().__init__(log_level=logging.DEBUG)


class AsksItself:
    """Marks the class of a tool whose call begins with its own rule and raises UnseenError where that says no.

    One visit to the database thread then serves rule and call.
    """

    def visible_to(self, user: AbstractBaseUser) -> bool:
        raise NotImplementedError


class PassesOn:
    """Marks the class of a tool that does nothing itself but find and call others as its caller.

    A class and not an entry in `meta`: a mounted server writes its own.
    """


@cache
def _is(kind: type, protocol: type) -> bool:
    # Looking for a protocol's methods takes Python longer than most rules take to answer.
    return issubclass(kind, protocol)


def has_own_rule(component: FastMCPComponent) -> TypeGuard[HasOwnRule]:
    return _is(type(component), HasOwnRule)


def differs_by_caller(component: FastMCPComponent) -> TypeGuard[DiffersByCaller]:
    return _is(type(component), DiffersByCaller)


def requires(*permissions: str, object_rule: bool = False) -> dict[str, Any]:
    """Return the `meta` of a component that only holders of all these permissions see and use.

    `object_rule` tells clients that single rows may still be refused.
    """
    return {META_KEY: {"permissions": list(permissions), "object_rule": object_rule}}


def required_permissions(component: FastMCPComponent) -> list[str]:
    return list(((component.meta or {}).get(META_KEY) or {}).get("permissions", []))


def is_read_only(component: FastMCPComponent) -> bool:
    """Tell whether using the component changes nothing; resources and prompts never do."""
    if not isinstance(component, Tool):
        return True
    return bool(component.annotations and component.annotations.read_only_hint)


def may_use(component: FastMCPComponent, user: AbstractBaseUser | None, token: MCPToken | None) -> bool:
    """Tell whether the caller may see and use the component; no user (development only) may all but own rules."""
    if not may_try(component, user, token):
        return False
    return user is None or not has_own_rule(component) or component.visible_to(user)


def may_try(component: FastMCPComponent, user: AbstractBaseUser | None, token: MCPToken | None) -> bool:
    """Tell the same by all but the component's own rule."""
    if user is None:
        return not has_own_rule(component)
    if isinstance(component, PassesOn):
        # Every call it makes comes through here again, under the name of the tool it is for.
        return True
    if token is not None and not _token_allows(component, token):
        return False
    needed = required_permissions(component)
    return not needed or (hasattr(user, "has_perms") and user.has_perms(needed))


def _token_allows(component: FastMCPComponent, token: MCPToken) -> bool:
    # A resource or prompt may say which tool does the same: a token without that tool has neither.
    tool = component.name if isinstance(component, Tool) else getattr(component, "tool_name", None)
    if tool is not None and not token.can_use_tool(tool):
        return False
    if is_read_only(component) or token.access == token.AccessLevel.FULL:
        return True
    # A limited token writes only where permissions say so: a writer that names none would be open to it.
    return token.access == token.AccessLevel.LIMITED and bool(
        required_permissions(component) or has_own_rule(component)
    )


def needs_database(component: FastMCPComponent) -> bool:
    """Tell whether a caller's view of it can run a query: rules of its own and foreign backends can.

    Model permissions do not: they were fetched with the caller.
    """
    return has_own_rule(component) or differs_by_caller(component) or has_foreign_backends()


def has_foreign_backends() -> bool:
    return any(getattr(type(backend), "has_perm", None) is not ModelBackend.has_perm for backend in get_backends())
