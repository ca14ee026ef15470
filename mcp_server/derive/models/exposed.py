"""What of a model is shown: its fields, its rows for a user, and who may do what with them."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import models
from django.db.models import Field, ManyToManyField, Model, QuerySet

from mcp_server.derive.secrecy import is_secret

VERBS = {"list": "view", "retrieve": "view", "create": "add", "update": "change", "delete": "delete"}


class ExposedModel:
    """A model with the choices of whoever registered it."""

    def __init__(
        self,
        model: type[Model],
        fields: Sequence[str] | None,
        queryset: Callable[[Any], QuerySet[Any]] | None,
        permission: Callable[[Any, str], bool] | None,
        search: tuple[str, ...],
        prefix: str,
    ) -> None:
        self.model, self.search = model, search
        self.prefix = prefix or model._meta.model_name or ""
        self._queryset, self._permission = queryset, permission
        self.fields = self._chosen(fields)

    @cached_property
    def key(self) -> Any:
        return self.model._meta.pk

    @property
    def noun(self) -> str:
        return str(self.model._meta.verbose_name)

    @property
    def nouns(self) -> str:
        return str(self.model._meta.verbose_name_plural)

    @cached_property
    def writable(self) -> list[Any]:
        """Fields that a form may set: neither keys that are generated nor files."""
        kept = (field for field in self.fields if field.editable and not isinstance(field, models.FileField))
        return [field for field in kept if not (field.primary_key and self.key_is_generated)]

    @property
    def key_is_generated(self) -> bool:
        return isinstance(self.key, models.AutoField) or bool(self.key.has_default())

    @cached_property
    def permissions(self) -> dict[str, list[str]]:
        """The Django permissions of each action, where no rule of the registration takes their place."""
        meta = self.model._meta
        return {
            action: [] if self._permission else [f"{meta.app_label}.{verb}_{meta.model_name}"]
            for action, verb in VERBS.items()
        }

    def allows(self, user: Any, action: str) -> bool:
        if self._permission is not None:
            return bool(self._permission(user, action))
        return bool(hasattr(user, "has_perms") and user.has_perms(self.permissions[action]))

    def rows(self, user: Any) -> QuerySet[Any]:
        """Return the rows this user may reach; how they are read costs the same queries for any number of them."""
        rows = self._queryset(user) if self._queryset else self.model._default_manager.all()
        many = [field.name for field in self.fields if isinstance(field, ManyToManyField)]
        return rows.prefetch_related(*many)

    def _chosen(self, names: Sequence[str] | None) -> list[Any]:
        meta = self.model._meta
        if names is None:
            known: list[Any] = [*meta.concrete_fields, *meta.many_to_many]
            return [field for field in known if _is_readable(field) and not is_secret(field.name, self.model)]
        try:
            chosen = [meta.get_field(name) for name in dict.fromkeys([self.key.name, *names])]
        except FieldDoesNotExist as error:
            raise ImproperlyConfigured(str(error)) from error
        if wrong := [field.name for field in chosen if not _is_readable(field)]:
            raise ImproperlyConfigured(f"{meta.label}.{wrong[0]} is no field of the model itself.")
        return chosen


def _is_readable(field: Any) -> bool:
    return isinstance(field, Field) and not isinstance(field, models.BinaryField)
