"""What admin extensions that many projects install do to filters, forms and formsets, made small."""

from typing import Any

import pytest
from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.forms import BaseInlineFormSet
from django.http import HttpResponse
from django.urls import path
from django.utils.html import format_html

from mcp_server.derive.admin import register_admin_tools
from mcp_server.server import create_server
from tests.factories import make_user
from tests.mcp_server.derive.admin.conftest import Caller
from tests.mcp_server.derive.admin.test_strangers import boss_of
from tests.mcp_server.derive.admin.workshop.models import Machine, Part, Tag

pytestmark = pytest.mark.django_db


class TextFilter(admin.SimpleListFilter):
    """The recipe for a filter with an input: its one choice is no pair, and any text is a value."""

    title, parameter_name = "name begins", "begins"

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return ((),)

    def queryset(self, request: Any, queryset: Any) -> Any:
        return queryset.filter(name__startswith=self.value()) if self.value() else queryset


class RangeFilter(admin.FieldListFilter):
    """A filter with inputs of its own, which shows everything for what it cannot read."""

    def expected_parameters(self) -> list[str]:
        return [f"{self.field_path}__from"]

    def choices(self, changelist: Any) -> Any:
        return []

    def has_output(self) -> bool:
        return True

    def queryset(self, request: Any, queryset: Any) -> Any:
        given = self.used_parameters.get(f"{self.field_path}__from", [""])[-1]
        return queryset.filter(**{f"{self.field_path}__gte": given}) if given.isalpha() else queryset


class FilteredAdmin(admin.ModelAdmin):
    list_filter = [TextFilter, ("name", RangeFilter)]


def test_filters_of_a_projects_own_take_what_their_inputs_send():
    boss = boss_of((Tag, FilteredAdmin))
    for name in ("loud", "quiet", "new"):
        Tag.objects.create(name=name)
    offered = boss.call("describe_tag")["filters"]
    assert {"begins", "name__from"} <= set(offered)
    assert [row["label"] for row in boss.call("list_tag", filters={"begins": "lo"})["rows"]] == ["loud"]
    assert boss.call("list_tag", filters={"name__from": "n"}, count_only=True)["total"] == 2
    assert "name__from: use one of: what the filter" in boss.refused("list_tag", filters={"name__from": "7"})


class EagerFormSet(BaseInlineFormSet):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for number, form in enumerate(self.extra_forms):
            form.initial["name"] = f"Part {number + 1}"


class EagerInline(admin.TabularInline):
    model, formset, extra = Part, EagerFormSet, 1


class EagerAdmin(admin.ModelAdmin):
    inlines = [EagerInline]


def test_a_formset_that_looks_at_its_forms_at_once_is_filled_by_then():
    boss = boss_of((Machine, EagerAdmin))
    Machine.objects.create(code="S-1", serial="A/1")
    boss.call("update_machine", id="S-1", values={"kind": "d"})
    boss.call("update_machine", id="S-1", values={"parts": [{"name": "Blade"}, {"api_key": "x"}]})
    assert list(Part.objects.values_list("name", flat=True)) == ["Blade", "Part 2"]
    assert "kind" in boss.call("describe_machine")["values"]


class DoneAdmin(admin.ModelAdmin):
    """Rows are made elsewhere, and nothing of them can be changed."""

    def has_add_permission(self, request: Any) -> bool:
        return False

    def get_readonly_fields(self, request: Any, obj: Any = None) -> Any:
        return [field.name for field in obj._meta.fields]


def test_read_only_fields_that_are_taken_from_the_row_are_asked_of_a_row():
    boss = boss_of((Tag, DoneAdmin))
    tag = Tag.objects.create(name="loud")
    assert boss.call("describe_tag")["read_only"] == ["id", "name"]
    assert boss.call("list_tag", fields=["name"])["rows"] == [{"id": tag.pk, "label": "loud", "name": "loud"}]
    assert boss.call("get_tag", id="loud")["name"] == "loud"


class ExportForm(forms.Form):
    format = forms.ChoiceField(choices=[("0", "csv"), ("1", "xlsx")])
    items = forms.CharField(widget=forms.HiddenInput)


class ExportAdmin(admin.ModelAdmin):
    """Its action shows a form that goes to a page of its own, which answers with a file."""

    actions = ["export", "leave"]

    def get_urls(self) -> Any:
        return [path("export/", self.admin_site.admin_view(self.made), name="made"), *super().get_urls()]

    def made(self, request: Any) -> Any:
        if not request.user.has_perm("workshop.change_tag"):
            raise PermissionDenied
        form = ExportForm(request.POST)
        if not form.is_valid():
            return self.page(form, request.path)
        text = ",".join(Tag.objects.filter(pk__in=form.cleaned_data["items"].split()).values_list("name", flat=True))
        return HttpResponse(text, "text/csv", headers={"Content-Disposition": 'attachment; filename="tags.csv"'})

    def export(self, request: Any, queryset: Any) -> Any:
        items = " ".join(str(tag.pk) for tag in queryset)
        return self.page(ExportForm(initial={"items": items}), "/exporting/workshop/tag/export/?kind=tags")

    def leave(self, request: Any, queryset: Any) -> Any:
        return self.page(ExportForm(), "/exporting/workshop/machine/add/")

    def page(self, form: forms.Form, address: str) -> Any:
        return HttpResponse(format_html('<form method="post" action="{}">{}<button></form>', address, form.as_p()))


exporting = admin.AdminSite(name="exporting")
exporting.register(Tag, ExportAdmin)
exporting.register(Machine)
urlpatterns = [path("exporting/", exporting.urls)]


@pytest.fixture
def exported():
    mcp = create_server()
    register_admin_tools(mcp, exporting)
    for name in ("loud", "new", "old"):
        Tag.objects.create(name=name)
    return mcp


@pytest.mark.urls(__name__)
def test_an_actions_form_goes_where_its_page_sends_it(exported):
    boss = Caller(exported, make_user("boss", superuser=True))
    asked = boss.call("action_tag", action="export", ids=["loud", "old"])
    assert asked["parameters"]["format"]["labels"] == {"0": "csv", "1": "xlsx"}
    refusal = boss.refused("action_tag", action="export", ids=["loud"], confirm=True, parameters={"format": "7"})
    assert "format: Select a valid choice" in refusal
    done = boss.result("action_tag", action="export", ids=["loud", "old"], confirm=True, parameters={"format": "0"})
    assert done.content[1].resource.text == "loud,old"
    assert done.structured_content["file"] == "tags.csv"
    refusal = boss.refused("action_tag", action="leave", ids=["loud"], confirm=True)
    assert "/exporting/workshop/machine/add/, where no tool goes" in refusal


@pytest.mark.urls(__name__)
def test_the_page_an_actions_form_goes_to_asks_for_its_own_permission(exported):
    viewer = Caller(exported, make_user("vi", "workshop.view_tag", staff=True))
    assert "may not" in viewer.refused("action_tag", action="export", ids=["loud"], confirm=True)
