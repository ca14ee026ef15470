"""ModelAdmins which use the hooks Django documents: what the admin's pages show and do, the tools show and do."""

from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.contrib import admin
from django.test import override_settings
from django.urls import path

from mcp_server.derive.admin import register_admin_tools
from mcp_server.server import create_server
from tests.factories import make_user
from tests.mcp_server.derive.admin.conftest import Caller
from tests.mcp_server.derive.admin.workshop.models import Machine, Part, Shelf

pytestmark = pytest.mark.django_db


@pytest.fixture
def site(db: None) -> admin.AdminSite:
    return admin.AdminSite(name="hooks")


def caller_of(site: admin.AdminSite, *permissions: str, username: str = "boss", **kind: Any) -> Caller:
    mcp = create_server()
    register_admin_tools(mcp, site)
    kind = kind or ({"staff": True} if permissions else {"superuser": True})
    return Caller(mcp, make_user(username, *permissions, **kind))


def in_urls(site: admin.AdminSite) -> AbstractContextManager[None]:
    return override_settings(ROOT_URLCONF=(path("admin/", site.urls),))


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


class SerialFilter(admin.SimpleListFilter):
    """A field to type into, drawn by a template of the project: lookups() only make it appear."""

    title, parameter_name, template = "serial", "serial_has", "admin/serial_filter.html"

    def lookups(self, request, model_admin):
        return ((),)

    def queryset(self, request, queryset):
        return queryset.filter(serial__contains=self.value()) if self.value() else queryset


class RangeFilter(admin.FieldListFilter):
    def expected_parameters(self):
        return [f"{self.field_path}__from", f"{self.field_path}__to"]

    def choices(self, changelist):
        return []

    def queryset(self, request, queryset):
        ends = {
            f"code__{end}": self.used_parameters.get(f"code__{name}") for end, name in (("gte", "from"), ("lte", "to"))
        }
        return queryset.filter(**{end: value[-1] for end, value in ends.items() if value})


@pytest.mark.parametrize(
    ("filters", "codes"),
    [
        ({"serial_has": "B/"}, ["S-2"]),
        ({"code__from": "S-2"}, ["S-2", "S-3"]),
        ({"code__from": "S-2", "code__to": "S-2"}, ["S-2"]),
        ({"kind__isempty": False}, ["S-1", "S-2", "S-3"]),
        ({"kind__isempty": "1"}, []),
    ],
)
def test_filters_with_parameters_of_their_own_narrow_the_list(site, saw, filters, codes):
    Machine.objects.create(code="S-2", serial="B/1")
    Machine.objects.create(code="S-3", serial="C/1")
    ranges = [SerialFilter, ("code", RangeFilter), ("kind", admin.EmptyFieldListFilter)]
    site.register(Machine, list_filter=ranges, ordering=["code"])
    boss = caller_of(site)
    assert [row["id"] for row in boss.call("list_machine", filters=filters)["rows"]] == codes
    assert set(filters) <= set(boss.call("describe_machine")["filters"])
    assert set(filters) <= set(boss.tools()["list_machine"].input_schema["properties"]["filters"]["properties"])


def test_a_model_kept_out_of_the_index_is_described(site, saw):
    class MachineAdmin(admin.ModelAdmin):
        def get_model_perms(self, request):
            return {}

    site.register(Machine, MachineAdmin)
    assert caller_of(site).call("describe_machine")["can"] == ["add", "change", "delete", "view"]


def test_hooks_that_need_a_real_row_leave_the_rest_of_the_description(site, saw):
    class PartAdmin(admin.ModelAdmin):
        def get_readonly_fields(self, request, obj=None):
            return ["name"] if obj and obj.machine.kind == "d" else []

    site.register(Part, PartAdmin)
    site.register(Machine)
    part = Part.objects.create(machine=saw, name="Blade")
    staff = caller_of(site, "workshop.change_part", "workshop.view_machine", username="ada")
    assert "name" in staff.call("describe_part")["values"]
    assert "name" in staff.tools()["update_part"].input_schema["properties"]["values"]["properties"]
    Machine.objects.update(kind="d")
    assert "read-only" in staff.refused("update_part", id=part.pk, values={"name": "Disc"})


def test_an_inline_finds_its_parent_in_the_address_of_the_page(site, saw):
    class PartInline(admin.TabularInline):
        model = Part

        def get_queryset(self, request):
            assert request.resolver_match.kwargs["object_id"] == "S-1"
            return super().get_queryset(request)

    site.register(Machine, inlines=[PartInline])
    Part.objects.create(machine=saw, name="Blade")
    boss = caller_of(site)
    with in_urls(site):
        assert boss.call("get_machine", id="S-1")["parts"][0]["name"] == "Blade"


def test_a_field_called_label_is_read_as_what_it_holds(site, db):
    site.register(Shelf, list_display=["label", "p"])
    boss = caller_of(site)
    for number, name in enumerate(("Nails", "Screws")):
        boss.call("create_shelf", values={"label": name, "p": number})
    assert [row["label"] for row in boss.call("list_shelf")["rows"]] == ["Screws", "Nails"]
    assert boss.call("get_shelf", id=Shelf.objects.first().pk)["label"] == "Nails"
    # Which is also the name of the list's page in the admin's query string.
    assert boss.call("list_shelf", filters={"p": 1})["total"] == 1


def test_only_what_the_list_can_be_ordered_by_is_offered(site, saw):
    site.register(Machine)
    assert "order" not in caller_of(site).call("describe_machine")
