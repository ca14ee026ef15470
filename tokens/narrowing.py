"""A user narrowed by a token: the same person to the database, with fewer permissions."""

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.apps import apps
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import Permission
from django.db.models import Q

from tokens.models import MCPToken

READ, LIMITED = MCPToken.AccessLevel.READ, MCPToken.AccessLevel.LIMITED


def narrow_user(user: AbstractBaseUser, token: MCPToken) -> AbstractBaseUser:
    """Return the user as this token may use it: itself for `full`, else an instance with narrowed permissions."""
    if token.access == MCPToken.AccessLevel.FULL:
        return user
    # An access level nobody knows narrows to nothing.
    permissions = _permissions_of(token) if token.access == LIMITED else frozenset()
    narrowing = Narrowing(user, token.access, permissions)
    narrowed = _blank(user._meta.label)
    narrowed.__setstate__(user.__reduce__()[2])
    narrowed.__dict__.update(_narrowing=narrowing)
    if "is_superuser" in narrowed.__dict__:
        narrowed.__dict__["is_superuser"] = False
    return narrowed  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Narrowing:
    """The user a narrowed instance stands for, and which of its permissions are left."""

    user: Any
    access: str
    permissions: frozenset[str]

    def allows(self, perm: object) -> bool:
        if not isinstance(perm, str):
            return False
        if self.access == READ:
            return perm.partition(".")[2].startswith("view_")
        return perm in self.permissions

    def candidates(self, app_label: str) -> Iterable[str]:
        """Permissions of an app worth asking for; those the code declares come first, they need no query."""
        known = self.permissions if self.access == LIMITED else chain(_declared(app_label), self._granted())
        return (perm for perm in known if perm.startswith(f"{app_label}."))

    def _granted(self) -> Iterator[str]:
        yield from _call(self.user, "get_all_permissions", default=())


class NarrowedUser:
    """Answers a narrowed instance gives in place of its user's; mixed in before the user model.

    The row is never written from here: what the narrowing hides would be lost.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        _narrowing: Narrowing
        _meta: Any
        _state: Any
        is_active: bool

    @property
    def is_superuser(self) -> bool:
        return False

    @is_superuser.setter
    def is_superuser(self, value: bool) -> None:
        # refresh_from_db() assigns what the row says; a narrowed user stays narrowed.
        pass

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        return self._may(perm) and bool(_call(self._narrowing.user, "has_perm", perm, obj, default=False))

    def has_perms(self, perm_list: Iterable[str], obj: Any = None) -> bool:
        return all(self.has_perm(perm, obj) for perm in _iterable(perm_list))

    def has_module_perms(self, app_label: str) -> bool:
        if not self.is_active or not _call(self._narrowing.user, "has_module_perms", app_label, default=False):
            return False
        return any(self.has_perm(perm) for perm in self._narrowing.candidates(app_label))

    def get_all_permissions(self, obj: Any = None) -> set[str]:
        return self._narrow(_call(self._narrowing.user, "get_all_permissions", obj, default=()))

    def get_user_permissions(self, obj: Any = None) -> set[str]:
        return self._narrow(_call(self._narrowing.user, "get_user_permissions", obj, default=()))

    def get_group_permissions(self, obj: Any = None) -> set[str]:
        return self._narrow(_call(self._narrowing.user, "get_group_permissions", obj, default=()))

    async def ahas_perm(self, perm: str, obj: Any = None) -> bool:
        return self._may(perm) and bool(await _acall(self._narrowing.user, "has_perm", perm, obj, default=False))

    async def ahas_perms(self, perm_list: Iterable[str], obj: Any = None) -> bool:
        for perm in _iterable(perm_list):
            if not await self.ahas_perm(perm, obj):
                return False
        return True

    async def ahas_module_perms(self, app_label: str) -> bool:
        return await sync_to_async(self.has_module_perms)(app_label)

    async def aget_all_permissions(self, obj: Any = None) -> set[str]:
        return self._narrow(await _acall(self._narrowing.user, "get_all_permissions", obj, default=()))

    async def aget_user_permissions(self, obj: Any = None) -> set[str]:
        return self._narrow(await _acall(self._narrowing.user, "get_user_permissions", obj, default=()))

    async def aget_group_permissions(self, obj: Any = None) -> set[str]:
        return self._narrow(await _acall(self._narrowing.user, "get_group_permissions", obj, default=()))

    # Whoever asks ModelBackend directly gets these in place of what it would read from the database.
    _perm_cache = property(get_all_permissions, lambda self, value: None)
    _user_perm_cache = property(get_user_permissions, lambda self, value: None)
    _group_perm_cache = property(get_group_permissions, lambda self, value: None)

    def save_base(self, *args: Any, **kwargs: Any) -> None:
        row = self._row()
        row.save_base(*args, **kwargs)
        _copy_fields(row, self)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        row = self._row()
        deleted = row.delete(*args, **kwargs)
        _copy_fields(row, self)
        return deleted

    delete.alters_data = True  # type: ignore[attr-defined]

    def __reduce__(self) -> tuple[Any, ...]:
        # copy, deepcopy and pickle come here; Django's own would rebuild the user un-narrowed.
        state = super().__reduce__()[2]
        return _blank, (self._meta.label,), state

    def _may(self, perm: object) -> bool:
        return self.is_active and self._narrowing.allows(perm)

    def _narrow(self, permissions: Iterable[str]) -> set[str]:
        return {perm for perm in permissions if self._may(perm)}

    def _row(self) -> Any:
        row = copy.copy(self._narrowing.user)
        _copy_fields(self, row)
        return row


@cache
def narrowed_class(model: Any) -> Any:
    """Return the one narrowed subclass of a user model; Django's metaclass would register a new model for it."""
    name = f"Narrowed{model.__name__}"
    return type.__new__(type(model), name, (NarrowedUser, model), {"__module__": __name__, "__slots__": ()})


def _blank(label: str) -> Any:
    model: Any = apps.get_model(label)
    narrowed = narrowed_class(model)
    return narrowed.__new__(narrowed)


def _permissions_of(token: MCPToken) -> frozenset[str]:
    chosen = Permission.objects.filter(Q(mcp_tokens=token) | Q(group__mcp_tokens=token)).order_by()
    names = chosen.values_list("content_type__app_label", "codename").distinct()
    return frozenset(f"{app_label}.{codename}" for app_label, codename in names)


def _declared(app_label: str) -> Iterator[str]:
    for model in apps.get_models():
        if model._meta.app_label == app_label:
            yield f"{app_label}.view_{model._meta.model_name}"
            yield from (f"{app_label}.{codename}" for codename, _ in model._meta.permissions)


def _copy_fields(source: Any, target: Any) -> None:
    for field in source._meta.concrete_fields:
        if field.attname in source.__dict__ and field.attname != "is_superuser":
            target.__dict__[field.attname] = source.__dict__[field.attname]
    target._state.adding, target._state.db = source._state.adding, source._state.db


def _iterable(perm_list: Any) -> Iterable[str]:
    if not isinstance(perm_list, Iterable) or isinstance(perm_list, str):
        raise ValueError("perm_list must be an iterable of permissions.")
    return perm_list


def _call(user: Any, method: str, *args: Any, default: Any) -> Any:
    # A user model without Django's permissions has none to narrow.
    return getattr(user, method)(*args) if hasattr(user, method) else default


async def _acall(user: Any, method: str, *args: Any, default: Any) -> Any:
    if hasattr(user, f"a{method}"):
        return await getattr(user, f"a{method}")(*args)
    return await sync_to_async(_call)(user, method, *args, default=default)
