"""What admin extensions that many projects install do to filters, forms and formsets, made small."""

from typing import Any

import pytest
from django.contrib import admin
from django.forms import BaseInlineFormSet

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
