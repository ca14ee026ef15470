"""ModelAdmins which use the hooks Django documents: what the admin's pages show and do, the tools show and do."""

from contextlib import AbstractContextManager

import pytest
from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.admin.views.main import ChangeList
from django.db import connection, transaction
from django.http import HttpResponse, HttpResponseForbidden
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import path
from django.utils.html import format_html

from tests.mcp_server.derive.admin.conftest import Caller, caller_of
from tests.mcp_server.derive.admin.workshop.models import Machine, Part, Shelf

pytestmark = pytest.mark.django_db


@pytest.fixture
def site(db: None) -> admin.AdminSite:
    return admin.AdminSite(name="hooks")


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


class KindFilter(admin.SimpleListFilter):
    """Shows saws until something else is chosen."""

    title, parameter_name = "kind", "shown"

    def lookups(self, request, model_admin):
        return [("drills", "Drills"), ("all", "All")]

    def queryset(self, request, queryset):
        kinds = {None: ["s"], "drills": ["d"], "all": ["s", "d"]}[self.value()]
        return queryset.filter(kind__in=kinds)


class ActionsAdmin(admin.ModelAdmin):
    list_filter = [KindFilter]
    actions = ["check_over", "report", "forbid", "complain", "warn"]

    def check_over(self, request, queryset):
        self.message_user(request, f"{queryset.update(checked=True)} checked")

    def report(self, request, queryset):
        queryset.update(checked=True)
        return HttpResponse(f"<h1>Report</h1><p>{queryset.count()} machines checked</p>")

    def forbid(self, request, queryset):
        queryset.update(checked=True)
        return HttpResponseForbidden("<p>Not on Sundays.</p>")

    def complain(self, request, queryset):
        self.message_user(request, "The inspector is away.", messages.ERROR)

    def warn(self, request, queryset):
        queryset.update(checked=True)
        self.message_user(request, format_html("<b>{}</b> was late.", "Checked, but it"), messages.ERROR)
        transaction.on_commit(lambda: self.message_user(request, "Mail sent."))


@pytest.fixture
def worker(site: admin.AdminSite, saw: Machine) -> Caller:
    site.register(Machine, ActionsAdmin)
    Machine.objects.create(code="D-1", serial="B/2", kind="d")
    return caller_of(site)


@pytest.mark.parametrize("ids", [["S-1"], ["D-1"], ["S-1", "D-1"]])
def test_an_action_reaches_rows_that_a_filter_hides_until_it_is_asked(worker, ids):
    done = worker.call("action_machine", action="check_over", ids=ids)
    assert done["messages"] == [f"{len(ids)} checked"]
    assert {row["id"] for row in done["changed"]} == set(ids)


def test_an_action_on_rows_that_no_list_shows_is_refused_and_not_silently_nothing(worker):
    class SawList(ChangeList):
        def get_queryset(self, *args, **kwargs):
            return super().get_queryset(*args, **kwargs).filter(kind="s")

    ActionsAdmin.get_changelist = lambda self, request, **kwargs: SawList
    try:
        assert "shows them together" in worker.refused("action_machine", action="check_over", ids=["S-1", "D-1"])
    finally:
        del ActionsAdmin.get_changelist
    assert not Machine.objects.filter(checked=True).exists()


def test_a_page_without_a_form_is_what_the_action_says(worker):
    done = worker.call("action_machine", action="report", ids=["S-1"])
    assert done["says"] == "Report 1 machines checked"
    assert Machine.objects.get(code="S-1").checked


def test_an_action_that_answers_with_a_failure_has_failed(worker):
    assert worker.refused("action_machine", action="forbid", ids=["S-1"]) == "Forbid: Not on Sundays."
    assert not Machine.objects.filter(checked=True).exists()


def test_errors_that_an_action_tells_are_told_as_errors(worker):
    assert worker.refused("action_machine", action="complain", ids=["S-1"]) == "The inspector is away."
    assert not LogEntry.objects.exists()
    done = worker.call("action_machine", action="warn", ids=["S-1"])
    assert done["messages"][0] == "error: Checked, but it was late."
    assert LogEntry.objects.count() == 1


def test_fields_that_a_queryset_leaves_out_are_fetched_for_all_rows_at_once(site, saw):
    class MachineAdmin(admin.ModelAdmin):
        list_display = ["code"]

        def get_queryset(self, request):
            return super().get_queryset(request).only("code")

    site.register(Machine, MachineAdmin)
    boss, counts = caller_of(site), []
    for number in range(2, 8):
        Machine.objects.create(code=f"S-{number}", serial=f"A/{number}")
        with CaptureQueriesContext(connection) as queries:
            rows = boss.call("list_machine", fields=["serial", "kind"])["rows"]
        counts.append(len(queries))
    assert {row["serial"] for row in rows} == {f"A/{number}" for number in range(1, 8)}
    assert len(set(counts[1:])) == 1


def test_what_only_one_of_create_and_update_takes_is_described_so(site, saw):
    class MachineAdmin(admin.ModelAdmin):
        def get_fields(self, request, obj=None):
            return ["kind", "checked"] if obj else ["code", "serial", "kind"]

    site.register(Machine, MachineAdmin)
    told = caller_of(site).call("describe_machine")
    only = {name: field.get("only") for name, field in told["values"].items()}
    assert only == {"code": "create", "serial": "create", "kind": None, "checked": "update"}
    assert "read_only" not in told
