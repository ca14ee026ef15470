"""Which caller may use which tool, resource or prompt."""

from typing import Any, Protocol, runtime_checkable

from django.contrib.auth import get_backends
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser
from fastmcp.tools import Tool
from fastmcp.utilities.components import FastMCPComponent
from mcp_types import ToolAnnotations

from tokens.models import MCPToken

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


class PassesOn:
    """Marks the class of a tool that does nothing itself but find and call others as its caller.

    A class and not an entry in `meta`: a mounted server writes its own.
    """


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
    if user is None:
        return not isinstance(component, HasOwnRule)
    if isinstance(component, PassesOn):
        # Every call it makes comes through here again, under the name of the tool it is for.
        return True
    if token is not None and not _token_allows(component, token):
        return False
    needed = required_permissions(component)
    if needed and not (hasattr(user, "has_perms") and user.has_perms(needed)):
        return False
    return component.visible_to(user) if isinstance(component, HasOwnRule) else True


def _token_allows(component: FastMCPComponent, token: MCPToken) -> bool:
    # A resource or prompt may say which tool does the same: a token without that tool has neither.
    tool = component.name if isinstance(component, Tool) else getattr(component, "tool_name", None)
    if tool is not None and not token.can_use_tool(tool):
        return False
    if is_read_only(component) or token.access == token.AccessLevel.FULL:
        return True
    # A limited token writes only where permissions say so: a writer that names none would be open to it.
    return token.access == token.AccessLevel.LIMITED and bool(
        required_permissions(component) or isinstance(component, HasOwnRule)
    )


def needs_database(component: FastMCPComponent) -> bool:
    """Tell whether may_use can run a query: own rules and foreign backends can, warmed model permissions do not."""
    return isinstance(component, HasOwnRule) or any(
        getattr(type(backend), "has_perm", None) is not ModelBackend.has_perm for backend in get_backends()
    )
