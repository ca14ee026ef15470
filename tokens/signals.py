"""Tells whoever remembers a verified caller that users, permissions or tokens changed."""

from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import models, router, transaction
from django.db.models.signals import m2m_changed, post_delete, post_save
from django.dispatch import Signal

# Sent with the model that changed as sender, and nothing else: receivers forget everything they know.
principal_changed = Signal()


def announce(model: type[models.Model], *, using: str | None = None) -> None:
    """Send principal_changed now and, inside a transaction, once more when it is committed."""
    using = using or router.db_for_write(model)
    principal_changed.send(sender=model)
    # Until the commit another connection still reads the old state, and may remember it again.
    if transaction.get_connection(using).in_atomic_block:
        transaction.on_commit(lambda: principal_changed.send(sender=model), using=using)


def connect() -> None:
    """Watch every model that decides who a caller is and what it may do."""
    from tokens.models import MCPToken

    watched = (MCPToken, get_user_model(), Group, Permission)
    # Django sends signals for the class that was saved: proxies and children of the user model count too.
    for model in apps.get_models():
        if issubclass(model, watched):
            post_save.connect(_on_change, sender=model, dispatch_uid="tokens.principal_changed")
            post_delete.connect(_on_change, sender=model, dispatch_uid="tokens.principal_changed")
    for through in _many_to_many(MCPToken, get_user_model(), Group):
        m2m_changed.connect(_on_change, sender=through, dispatch_uid="tokens.principal_changed")


def _many_to_many(*owners: type[models.Model]) -> list[Any]:
    fields = [field for owner in owners for field in owner._meta.many_to_many]
    return [field.remote_field.through for field in fields if field.related_model in (Group, Permission)]


def _on_change(sender: type[models.Model], using: str | None = None, **kwargs: Any) -> None:
    if not str(kwargs.get("action", "post_")).startswith("pre_"):
        announce(sender, using=using)
