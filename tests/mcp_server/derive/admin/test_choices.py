"""Fields and filters with more choices than anybody wants to read, and with none chosen."""

import json

import pytest
from django.contrib import admin

from tests.everything.models import Clock
from tests.mcp_server.derive.admin.conftest import boss_of

pytestmark = pytest.mark.django_db


class CityFilter(admin.SimpleListFilter):
    title = "city"
    parameter_name = "city"

    def lookups(self, request, model_admin):
        return Clock.ZONES

    def queryset(self, request, queryset):
        return queryset.filter(zone=self.value()) if self.value() else queryset


class ClockAdmin(admin.ModelAdmin):
    list_display = ("name", "zone")
    list_filter = ("zone", "face", CityFilter)


@pytest.fixture
def boss():
    Clock.objects.create(name="Hall")
    Clock.objects.create(name="Tower", zone="Area/City_007")
    return boss_of((Clock, ClockAdmin))


def names(answer):
    return [row["name"] for row in answer["rows"]]


def test_rows_without_a_choice_are_found(boss):
    assert names(boss.call("list_clock", filters={"zone": ""})) == ["Hall"]
    assert sorted(names(boss.call("list_clock", filters={"zone": ["", "City 7"]}))) == ["Hall", "Tower"]
    assert "zone" in boss.refused("list_clock", filters={"zone": "nowhere"})


def test_no_choice_is_one_of_a_few(boss):
    Clock.objects.create(name="Gate", face="r")
    schema = boss.tools()["list_clock"].input_schema["properties"]["filters"]["properties"]
    assert schema["face"] == {"enum": ["r", "s", ""]}
    assert boss.call("describe_clock")["filters"]["face"] == ["r", "s", ""]
    assert names(boss.call("list_clock", filters={"face": ""})) == ["Hall", "Tower"]
    assert names(boss.call("list_clock", filters={"face": "Round"})) == ["Gate"]


def test_long_choices_are_told_in_part(boss):
    told = boss.call("describe_clock")
    assert len(json.dumps(told)) < 4000
    assert "400 choices, by value or label, such as Area/City_000" in told["values"]["zone"]["description"]
    assert "401 choices, by value or label, such as Area/City_000" in told["filters"]["zone"]  # and none
    assert "400 choices, by value or label, such as Area/City_000" in told["filters"]["city"]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("create_clock", {"values": {"name": "Gate", "zone": "City 3077"}}),
        ("list_clock", {"filters": {"zone": "City 3077"}}),
    ],
)
def test_a_wrong_choice_is_answered_with_the_closest(boss, tool, arguments):
    text = boss.refused(tool, **arguments)
    assert "Area/City_307" in text
    assert "of 400" in text
    assert len(text) < 1000


class BrokenFilter(CityFilter):
    parameter_name = "broken"

    def lookups(self, request, model_admin):
        raise LookupError("no cities")


class BrokenAdmin(admin.ModelAdmin):
    list_filter = ("zone", BrokenFilter)


def test_a_filter_that_fails_costs_the_description_nothing_else():
    told = boss_of((Clock, BrokenAdmin)).call("describe_clock")
    assert told["filters"].keys() == {"zone", "face", "name"}
    assert "zone" in told["values"]
