"""What must hold in a project with a user model of its own; run by test_elsewhere in a process of its own."""

import copy
import io
import json
import pickle

import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from tests.tokens.elsewhere.people.models import Doorman, Person, Visitor
from tokens.auth import resolve_mcp_user
from tokens.models import MCPToken
from tokens.narrowing import narrow_user
from tokens.secret import PATTERN
from tokens.signals import principal_changed

pytestmark = pytest.mark.django_db


def token_for(person: Person, access: str, *codenames: str) -> MCPToken:
    token = MCPToken.objects.create(user=person, name="Claude", access=access)
    token.permissions.set(Permission.objects.filter(codename__in=codenames))
    return token


def test_the_system_has_nothing_to_complain_about_and_no_migration_to_make() -> None:
    call_command("check", fail_level="WARNING")
    call_command("makemigrations", "tokens", check=True, dry_run=True, verbosity=0)


def test_a_superuser_is_narrowed_and_saved_whole() -> None:
    made = Person.objects.create_user("root@example.com", is_superuser=True)
    user, _ = resolve_mcp_user(token_for(made, "limited", "view_person").token)
    for person in (user, copy.copy(user), pickle.loads(pickle.dumps(user))):  # noqa: S301
        assert isinstance(person, Person)
        assert person == made
        assert person.get_all_permissions() == {"people.view_person"}
        assert not person.has_perm("people.add_person")
    user.full_name = "ada lovelace"
    user.save()
    row = Person.objects.get()
    assert (row.full_name, user.full_name, row.is_superuser) == ("Ada Lovelace", "Ada Lovelace", True)
    assert MCPToken.objects.filter(user=user).exists()
    assert not [model for model in apps.get_models() if model.__name__.startswith("Narrowed")]


@pytest.mark.parametrize("access", ["read", "limited"])
def test_a_user_without_permissions_has_none_when_narrowed(access: str) -> None:
    token = token_for(Person.objects.create_user("ada@example.com"), access, "view_person")
    visitor = narrow_user(Visitor(pk=1, email="v@example.com"), token)
    assert visitor.is_superuser is False
    assert not visitor.has_perm("people.view_person")
    assert not visitor.has_module_perms("people")
    assert visitor.get_all_permissions() == visitor.get_group_permissions() == set()
    assert not async_to_sync(visitor.ahas_perm)("people.view_person")
    assert async_to_sync(visitor.aget_all_permissions)() == set()


async def test_a_user_who_answers_everything_with_yes_is_narrowed() -> None:
    token = MCPToken(user=Person(email="ada@example.com"), access="read")
    doorman = narrow_user(Doorman(pk=1, email="d@example.com"), token)
    assert not doorman.is_superuser
    assert doorman.has_perm("people.view_person")
    assert not doorman.has_perm("people.add_person")
    assert doorman.has_module_perms("people")
    assert await doorman.ahas_perm("people.view_person")
    assert not await doorman.ahas_perm("people.add_person")


def test_the_command_finds_a_person_by_email() -> None:
    Person.objects.create_user("ada@example.com")
    out = io.StringIO()
    call_command("create_mcp_token", "--user", "ada@example.com", "--name", "Claude", "--json", stdout=out)
    user, _ = resolve_mcp_user(json.loads(out.getvalue())["token"])
    assert user.pk == "ada@example.com"


def test_the_admin_works_without_an_admin_of_users() -> None:
    root = Person.objects.create_user("root@example.com", is_superuser=True, is_staff=True)
    client = Client()
    client.force_login(root)
    data = {"user": root.pk, "name": "Claude", "access": "full", "all_tools": "on"}
    response = client.post(reverse("admin:tokens_mcptoken_add"), data)
    assert resolve_mcp_user(PATTERN.search(response.text)[0])[0] == root
    assert "elsewhere" not in client.get(reverse("admin:tokens_mcptoken_changelist"), {"q": "root"}).text
    assert client.get(reverse("admin:tokens_toolcall_changelist"), {"q": "root"}).status_code == 200


def test_a_change_of_a_person_is_announced() -> None:
    heard: list[type] = []

    def receive(sender: type, **kwargs: object) -> None:
        heard.append(sender)

    principal_changed.connect(receive)
    ada = Person.objects.create_user("ada@example.com")
    ada.user_permissions.add(Permission.objects.first())
    principal_changed.disconnect(receive)
    assert heard == [Person, Person.user_permissions.through]
