"""Who may use a tool class: permission classes as Django REST framework has them, and those may be used too."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied

logger = logging.getLogger(__name__)


@dataclass
class PermissionRequest:
    """What a permission class is asked about: as much of a request as exists before a call."""

    user: Any
    method: str
    auth: Any = None
    data: dict[str, Any] = field(default_factory=dict)
    query_params: dict[str, str] = field(default_factory=dict)
    META: dict[str, str] = field(default_factory=dict)


class AllowAny:
    """Everybody, even a caller without a token where MCP_REQUIRE_AUTH is off."""

    def has_permission(self, request: Any, view: Any) -> bool:
        return True


class IsAuthenticated:
    """Every user; the default."""

    def has_permission(self, request: Any, view: Any) -> bool:
        return bool(request.user and request.user.is_authenticated)


class HasDjangoPerm:
    """Users who hold all these permissions: `HasDjangoPerm("shop.view_product")`."""

    def __init__(self, *permissions: str) -> None:
        self.permissions = permissions

    def __call__(self) -> "HasDjangoPerm":
        # Permission classes are called to make an instance; this is one.
        return self

    def has_permission(self, request: Any, view: Any) -> bool:
        return bool(hasattr(request.user, "has_perms") and request.user.has_perms(self.permissions))


def instances(permission_classes: Iterable[Any]) -> Iterator[Any]:
    for permission in permission_classes:
        yield permission() if callable(permission) else permission


def allows(permission_classes: Iterable[Any], user: AbstractBaseUser | None, view: Any, *, read_only: bool) -> bool:
    """Tell whether all of the permission classes let the user in; one that cannot tell does not."""
    request = PermissionRequest(user or AnonymousUser(), "GET" if read_only else "POST")
    try:
        return all(permission.has_permission(request, view) for permission in instances(permission_classes))
    except DjangoPermissionDenied:
        return False
    except Exception:
        # A rule that needs more than the user cannot be asked before a call.
        logger.warning("The permission classes of %s cannot be asked; it is hidden.", type(view).__name__)
        return False


def named_permissions(permission_classes: Iterable[Any]) -> list[str]:
    """Return the names of the Django permissions that are asked for, for clients to read."""
    return [name for permission in instances(permission_classes) for name in getattr(permission, "permissions", ())]


def is_open(permission_classes: Iterable[Any]) -> bool:
    return all(isinstance(permission, AllowAny) for permission in instances(permission_classes))
