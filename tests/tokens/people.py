"""Users, permissions and tokens for the tests of this room, which know no domain app."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission, User

from tokens.models import MCPToken


def permission(name: str) -> Permission:
    app_label, codename = name.split(".")
    return Permission.objects.get(content_type__app_label=app_label, codename=codename)


def make_user(username: str = "ada", *permissions: str, **fields: Any) -> User:
    user = get_user_model().objects.create_user(username, f"{username}@example.com", "correct horse", **fields)
    user.user_permissions.set(permission(name) for name in permissions)
    return get_user_model().objects.get(pk=user.pk)


def make_token(user: User, *permissions: str, **fields: Any) -> MCPToken:
    token = MCPToken.objects.create(user=user, **({"name": "Claude on my laptop"} | fields))
    token.permissions.set(permission(name) for name in permissions)
    return token
