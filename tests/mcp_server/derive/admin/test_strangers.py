"""The traps of admin extensions that many projects install, each made small with the workshop's models."""

import threading
from typing import Any

import pytest
from django.contrib import admin
from django.db import OperationalError, connection
from django.test import override_settings

from tests.factories import make_user
from tests.mcp_server.derive.admin.conftest import Caller, boss_of, server_of, site_of
from tests.mcp_server.derive.admin.workshop.models import Machine, Tag

pytestmark = pytest.mark.django_db


class Settings:
    """Not a model: enough of one for the admin's index to show a page of settings."""

    class _meta:
        app_label, model_name, label_lower = "settings", "settings", "settings.settings"


def test_a_page_registered_as_if_it_were_a_model_is_no_tool():
    boss = boss_of((Settings, admin.ModelAdmin), (Tag, admin.ModelAdmin))
    assert "list_tag" in boss.tools()
    assert not [name for name in boss.tools() if name.endswith("settings")]
    assert [item["model"] for item in boss.call("find_models")["models"]] == ["workshop.tag"]


class AskingAdmin(admin.ModelAdmin):
    def has_change_permission(self, request: Any, obj: Any = None) -> bool:
        return Tag.objects.filter(name="open").exists()


def no_tables_yet(*statement: Any) -> Any:
    raise OperationalError("no such table")


def test_a_permission_that_asks_the_database_can_be_described_without_one():
    with connection.execute_wrapper(no_tables_yet):
        server = server_of(site_of((Tag, AskingAdmin)))
    boss = Caller(server, make_user("boss", superuser=True))
    assert "update_tag" not in boss.tools()
    Tag.objects.create(name="open")
    assert "can" in boss.tools()["list_tag"].input_schema["properties"]
    boss.call("update_tag", id="open", values={"name": "closed"})


class UncopiedAdmin(admin.ModelAdmin):
    def __copy__(self) -> Any:
        raise TypeError("This holds a connection.")


def test_a_model_admin_that_cannot_be_described_costs_its_own_tools_only(caplog):
    boss = boss_of((Machine, UncopiedAdmin), (Tag, admin.ModelAdmin))
    assert "list_tag" in boss.tools()
    assert "list_machine" not in boss.tools()
    assert "workshop.machine gets no tools" in caplog.text
    assert [item["model"] for item in boss.call("find_models")["models"]] == ["workshop.tag"]


class CountingAdmin(admin.ModelAdmin):
    def get_form(self, *args: Any, **kwargs: Any) -> Any:
        Tag.objects.count()
        return super().get_form(*args, **kwargs)


def test_a_form_that_asks_the_database_connects_to_none_at_the_start():
    found = []

    def start() -> None:
        # As in a new process: a new thread has no connection yet.
        server_of(site_of((Machine, CountingAdmin)))
        found.extend([connection.connection, Tag.objects.count()])
        connection.close()

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert found == [None, 0]


class UndecidedAdmin(admin.ModelAdmin):
    def has_view_permission(self, request: Any, obj: Any = None) -> bool:
        raise LookupError("There is no tenant.")


def test_a_model_admin_that_cannot_say_who_may_view_hides_itself_only(caplog):
    boss = boss_of((Machine, UndecidedAdmin), (Tag, admin.ModelAdmin))
    assert {"list_tag", "find_models"} <= boss.tools().keys()
    assert "list_machine" not in boss.tools()
    assert [item["model"] for item in boss.call("find_models")["models"]] == ["workshop.tag"]
    assert "There is no tenant." in caplog.text


class CopiedAdmin(admin.ModelAdmin):
    copies = 0

    def __copy__(self) -> Any:
        type(self).copies += 1
        copied = type(self).__new__(type(self))
        vars(copied).update(vars(self))
        return copied


def test_a_model_is_looked_at_once_for_all_its_tools():
    boss = boss_of((Tag, CopiedAdmin))
    assert CopiedAdmin.copies <= 2  # for its tools and for the prompts of its actions
    for _ in ("first", "remembered"):
        CopiedAdmin.copies = 0
        assert len(boss.tools()) == 12
        assert CopiedAdmin.copies == 1


class Keeper(Tag):
    """Enough of a user model as Django's documentation has it, in which rights follow from a field."""

    class Meta:
        app_label = "workshop"
        proxy = True

    @property
    def is_staff(self) -> bool:
        return self.name == "admin"

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        return self.is_staff


def test_tools_are_described_in_full_where_a_user_model_computes_its_rights():
    with override_settings(AUTH_USER_MODEL="workshop.Keeper"):
        server = server_of(site_of((Tag, admin.ModelAdmin)))
    Tag.objects.create(name="open")
    boss = Caller(server, make_user("boss", superuser=True))
    assert boss.call("list_tag", can=True)["rows"][0]["can"] == {"change": True, "delete": True}
