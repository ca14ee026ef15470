"""What an update leaves out stays as it is, and is asked about no more than it has to be."""

from typing import Any

import pytest
from django import forms
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from fastmcp import FastMCP

from mcp_server.derive.admin.kept import asks_of_blank
from shop.models import Order
from tests.factories import make_order, make_product, make_user
from tests.mcp_server.derive.admin.conftest import caller_of, server_of
from tests.mcp_server.derive.admin.workshop.models import Job, Machine, Part, Press, Tag

pytestmark = pytest.mark.django_db

site = admin.AdminSite(name="kept")


class PartFormSet(forms.BaseInlineFormSet):
    def clean(self) -> None:
        super().clean()
        if any(form.cleaned_data["machine"] != self.instance or form.cleaned_data["id"] is None for form in self.forms):
            raise forms.ValidationError("A part lost its machine.")
        if sum(len(form.cleaned_data["name"]) for form in self.forms) > 20:
            raise forms.ValidationError("Too much is written on the parts.")


class PartInline(admin.TabularInline):
    model = Part
    formset = PartFormSet
    extra = 0


@admin.register(Machine, site=site)
class MachineAdmin(admin.ModelAdmin):
    inlines = [PartInline]


@admin.register(Part, site=site)
class PartAdmin(admin.ModelAdmin):
    def formfield_for_foreignkey(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        kwargs["queryset"] = Machine.objects.exclude(kind="d")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class JobForm(forms.ModelForm):
    def clean(self) -> Any:
        if self.cleaned_data["machine"].kind == "d" and self.cleaned_data["tags"].filter(name="loud").exists():
            self.add_error("name", "A drill is not loud.")
        return self.cleaned_data


@admin.register(Job, site=site)
class JobAdmin(admin.ModelAdmin):
    form = JobForm


site.register(Press)


@pytest.fixture(scope="module")
def server() -> FastMCP:
    return server_of(site)


@pytest.fixture
def saw(db: None) -> Machine:
    return Machine.objects.create(code="S-1", serial="A/1", kind="s")


@pytest.fixture
def drill(db: None) -> Machine:
    return Machine.objects.create(code="D-1", serial="A/2", kind="d")


def test_a_relation_that_stays_need_not_be_among_the_choices_of_today(boss, saw, drill):
    part = Part.objects.create(machine=drill, name="Chuck")
    boss.call("update_part", id=part.pk, values={"name": "Key"})
    part.refresh_from_db()
    assert (part.name, part.machine) == ("Key", drill)
    other = Part.objects.create(machine=saw, name="Blade")
    assert "machine" in boss.refused("update_part", id=other.pk, values={"machine": "D-1"})


def test_a_value_that_must_be_unique_is_asked_about_when_it_changes(boss, saw):
    press = Press.objects.create(code="P-1", serial="A/3")
    assert "serial: Machine with this Serial already exists." in boss.refused(
        "update_press", id="P-1", values={"serial": "A/1"}
    )
    boss.call("update_press", id="P-1", values={"tons": 2})
    press.refresh_from_db()
    assert (press.serial, press.tons) == ("A/3", 2)


def test_the_forms_own_clean_finds_what_stays(boss, drill):
    job = Job.objects.create(machine=drill, name="Drill")
    boss.call("update_job", id=str(job.pk), values={"name": "Drill holes"})
    job.tags.add(Tag.objects.create(name="loud"))
    refusal = boss.refused("update_job", id=str(job.pk), values={"name": "Drill more"})
    assert "A drill is not loud." in refusal


def test_the_formsets_own_clean_finds_the_rows_that_stay(boss, saw):
    parts = [Part.objects.create(machine=saw, name=name) for name in ("Blade", "Guard")]
    boss.call("update_machine", id="S-1", values={"parts": [{"id": parts[0].pk, "name": "Teeth"}]})
    assert sorted(saw.parts.values_list("name", flat=True)) == ["Guard", "Teeth"]
    long = {"id": parts[1].pk, "name": "Guard of the blade"}
    assert "Too much is written" in boss.refused("update_machine", id="S-1", values={"parts": [long]})
    boss.call("update_machine", id="S-1", values={"parts": [{"id": parts[1].pk, "delete": True}]})
    assert list(saw.parts.values_list("name", flat=True)) == ["Teeth"]


def test_the_queries_of_an_update_do_not_grow_with_the_rows_of_its_inlines():
    shop_boss = caller_of(admin.site)

    def queries(order: Order, note: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            shop_boss.call("update_order", id=order.pk, values={"note": note})
        return sum("shop_" in query["sql"] for query in captured)

    products = [make_product(f"SKU1{number:03}").sku for number in range(30)]
    small = make_order(make_user("eve"), *((sku, 1) for sku in products[:2]))
    big = make_order(make_user("bob"), *((sku, 1) for sku in products))
    queries(small, "fills what is remembered")
    assert queries(small, "Ring twice") == queries(big, "Ring twice")


class CountingFormSet(forms.BaseInlineFormSet):
    def full_clean(self) -> None:
        super().full_clean()


@pytest.mark.parametrize(("formset", "asks"), [(forms.BaseInlineFormSet, False), (CountingFormSet, True)])
def test_empty_rows_are_sent_where_the_projects_own_code_may_see_them(formset: Any, asks: bool):
    assert asks_of_blank(forms.inlineformset_factory(Machine, Part, formset=formset, exclude=())) is asks
