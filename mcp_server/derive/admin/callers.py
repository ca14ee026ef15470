"""Who asks, and the tools as that caller has them, remembered for a minute."""

import time
from collections.abc import Callable
from typing import Any

from django.contrib.auth import get_user_model

from mcp_server.permissions import asked_once
from tokens.models import MCPToken


class MostPermitted:
    """Mixed in before the user model, whose own is_staff or has_perm may follow from anything."""

    __slots__ = ()

    is_active = is_staff = is_superuser = property(lambda self: True, lambda self, value: None)

    def has_perm(self, *args: Any) -> bool:
        return True

    has_perms = has_module_perms = has_perm


def most_permitted_user() -> Any:
    """Return a user in memory only, for whom every ModelAdmin shows all it has."""
    model: Any = get_user_model()
    # Past Django's metaclass, which would register a new model.
    kind = type.__new__(type(model), model.__name__, (MostPermitted, model), {"__module__": __name__, "__slots__": ()})
    return kind()


def is_for_reading(user: Any) -> bool:
    """Tell whether the caller's token lets it only read."""
    return getattr(getattr(user, "_narrowing", None), "access", None) == MCPToken.AccessLevel.READ


class Views:
    """The tools as callers see them, bounded and short-lived: a form may depend on more than permissions."""

    def __init__(self, size: int = 2_000, seconds: float = 60.0) -> None:
        self.size, self.seconds = size, seconds
        self._kept: dict[Any, tuple[float, Any]] = {}

    def get(self, key: Any, make: Callable[[], Any]) -> Any:
        now = time.monotonic()
        kept = self._kept.get(key)
        if kept is None or kept[0] < now:
            if len(self._kept) >= self.size:
                self._kept.clear()
            kept = self._kept[key] = (now + self.seconds, make())
        return kept[1]


views = Views()


def caller_key(user: Any) -> Any:
    """Return what decides how a caller sees the tools: who it is, and which permissions are left of theirs."""
    return asked_once((caller_key, id(user)), lambda: _key_of(user))


def _key_of(user: Any) -> Any:
    names = user.get_all_permissions() if hasattr(user, "get_all_permissions") else ()
    return (user.pk, getattr(user, "is_superuser", False), getattr(user, "is_staff", False), frozenset(names))
