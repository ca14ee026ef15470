"""What is remembered of a tool is that tool's alone."""

import gc

import pytest
from django.contrib import admin

from tests.everything.models import Clock
from tests.factories import make_user
from tests.mcp_server.derive.admin.conftest import Caller, server_of, site_of

pytestmark = pytest.mark.django_db


class ByZoneAdmin(admin.ModelAdmin):
    list_filter = ("zone",)


class ByFaceAdmin(admin.ModelAdmin):
    list_filter = ("face",)


def test_a_tool_that_takes_the_place_of_another_shows_its_own_arguments():
    boss = Caller(server_of(site_of()), make_user("boss", superuser=True))
    for number in range(20):
        model_admin, name = [(ByZoneAdmin, "zone"), (ByFaceAdmin, "face")][number % 2]
        boss.server = server_of(site_of((Clock, model_admin)))
        schema = boss.tools()["list_clock"].input_schema
        assert list(schema["properties"]["filters"]["properties"]) == [name]
        # The next tool may come to lie where this one was.
        boss.server = None
        gc.collect()
