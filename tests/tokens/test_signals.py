"""Whoever remembers a caller hears of every change that matters."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group, User
from django.db import transaction

from tests.tokens.people import make_token, make_user, permission
from tokens.models import MCPToken
from tokens.signals import principal_changed


@pytest.fixture
def heard() -> Iterator[list[type]]:
    senders: list[type] = []

    def receive(sender: type, **kwargs: object) -> None:
        senders.append(sender)

    principal_changed.connect(receive)
    yield senders
    principal_changed.disconnect(receive)


CHANGES = [
    lambda token, group: token.rotate(),
    lambda token, group: token.revoke(),
    lambda token, group: token.delete(),
    lambda token, group: MCPToken.objects.all().delete(),
    lambda token, group: token.groups.add(group),
    lambda token, group: token.permissions.set([permission("auth.view_user")]),
    lambda token, group: token.user.save(),
    lambda token, group: token.user.delete(),
    lambda token, group: token.user.groups.add(group),
    lambda token, group: group.user_set.add(token.user),
    lambda token, group: token.user.user_permissions.clear(),
    lambda token, group: group.permissions.add(permission("auth.view_user")),
    lambda token, group: group.save(),
    lambda token, group: group.delete(),
    lambda token, group: permission("auth.view_group").delete(),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_announced_at_once_and_after_the_commit(
    ada: User, heard: list, change, django_capture_on_commit_callbacks
) -> None:
    token, group = make_token(ada), Group.objects.create(name="Editors")
    heard.clear()
    with django_capture_on_commit_callbacks() as after_commit:
        change(token, group)
    assert heard
    heard.clear()
    for callback in after_commit:
        callback()
    assert heard


def test_using_a_token_is_not_announced(ada: User, heard: list) -> None:
    token = make_token(ada)
    heard.clear()
    token.record_usage()
    assert MCPToken.objects.get().last_used_at
    assert heard == []


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_it_is_announced_once(heard: list) -> None:
    ada = make_user("bea")
    heard.clear()
    MCPToken.objects.create(user=ada, name="Claude")
    assert heard == [MCPToken]


@pytest.mark.django_db(transaction=True)
def test_inside_a_transaction_it_is_announced_again_after_the_commit(heard: list) -> None:
    ada = make_user("bea")
    token = make_token(ada)
    heard.clear()
    with transaction.atomic():
        token.revoke()
        assert heard == [MCPToken]
    assert heard == [MCPToken, MCPToken]
