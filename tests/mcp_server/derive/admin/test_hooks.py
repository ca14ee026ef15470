"""ModelAdmins which use the hooks Django documents: what the admin's pages show and do, the tools show and do."""

from typing import Any

import pytest
from django.contrib import admin

from mcp_server.derive.admin import register_admin_tools
from mcp_server.server import create_server
from tests.factories import make_user
from tests.mcp_server.derive.admin.conftest import Caller
from tests.mcp_server.derive.admin.workshop.models import Machine

pytestmark = pytest.mark.django_db


@pytest.fixture
def site(db: None) -> admin.AdminSite:
    return admin.AdminSite(name="hooks")


def caller_of(site: admin.AdminSite, *permissions: str, username: str = "boss", **kind: Any) -> Caller:
    mcp = create_server()
    register_admin_tools(mcp, site)
    kind = kind or ({"staff": True} if permissions else {"superuser": True})
    return Caller(mcp, make_user(username, *permissions, **kind))


@pytest.fixture
def saw(db: None) -> Machine:
    return Machine.objects.create(code="S-1", serial="A/1", kind="s")


def test_a_unique_field_the_fieldsets_hide_from_the_caller_is_in_no_answer(site, saw):
    class MachineAdmin(admin.ModelAdmin):
        list_display = ["code"]
        fieldsets = [(None, {"fields": ["code", "serial", "kind"]})]

        def get_fieldsets(self, request, obj=None):
            fields = ["code", "serial", "kind"] if request.user.is_superuser else ["code", "kind"]
            return [(None, {"fields": fields})]

    site.register(Machine, MachineAdmin)
    assert caller_of(site).call("list_machine")["rows"][0]["serial"] == "A/1"
    staff = caller_of(site, "workshop.view_machine", username="ada")
    answers = [staff.call("list_machine"), staff.call("get_machine", id="S-1"), staff.call("describe_machine")]
    assert "serial" not in str(answers)
    assert "A/1" not in str(answers)
    assert "serial is no filter" in staff.refused("list_machine", filters={"serial": "A/1"})
    assert "not an argument" not in staff.refused("get_machine", id="A/1")


def test_a_column_finds_the_request_that_get_queryset_kept_and_nobody_elses(site, saw):
    class MachineAdmin(admin.ModelAdmin):
        list_display = ["code", "asked_by"]

        def get_queryset(self, request):
            self.request = request
            return super().get_queryset(request)

        def asked_by(self, machine):
            return self.request.user.username

    site.register(Machine, MachineAdmin)
    boss, staff = caller_of(site), caller_of(site, "workshop.view_machine", username="ada")
    for caller, name in ((boss, "boss"), (staff, "ada"), (boss, "boss")):
        assert caller.call("list_machine")["rows"][0]["asked_by"] == name
    assert not hasattr(site._registry[Machine], "request")
