"""Forms, widgets, inlines and databases as projects have them: what is written is what was given."""

import base64
import datetime
from pathlib import Path

import pytest
from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.core.files.storage import default_storage
from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect
from django.test import override_settings

from shop.models import Product, Supplier
from tests.factories import make_product
from tests.mcp_server.derive.admin.conftest import caller_of
from tests.mcp_server.derive.admin.workshop.models import Machine, Part, Shelf, Standing, Tag

pytestmark = pytest.mark.django_db


@pytest.fixture
def site(db: None) -> admin.AdminSite:
    return admin.AdminSite(name="forms")


class CodedForm(forms.ModelForm):
    reorder_level = forms.TypedChoiceField(choices=[(1, "Never"), (5, "Soon")], coerce=int)
    datasheet = forms.FileField(required=False)

    class Meta:
        model = Product
        fields = ("name", "reorder_level", "datasheet")


def test_a_schema_says_what_numbers_stand_for_and_which_files_are_taken(site):
    site.register(Product, form=CodedForm)
    product, boss = make_product(), caller_of(site)
    fields = boss.tools()["update_product"].input_schema["properties"]["values"]["properties"]
    assert fields["reorder_level"] == {"enum": [1, 5], "description": "1=Never, 5=Soon"}
    assert fields["datasheet"]["description"] == "File: name, base64 content, pdf/txt/csv"
    boss.call("update_product", id=product.pk, values={"reorder_level": "Never"})
    product.refresh_from_db()
    assert product.reorder_level == 1


class ArchiveAdmin(admin.ModelAdmin):
    """As Django's documentation writes it."""

    using = "archive"

    def get_queryset(self, request):
        return super().get_queryset(request).using(self.using)

    def save_model(self, request, obj, form, change):
        obj.save(using=self.using)

    def delete_model(self, request, obj):
        obj.delete(using=self.using)


@pytest.mark.django_db(databases=["default", "archive"])
def test_a_dry_run_leaves_nothing_in_a_database_that_a_model_admin_chose(site):
    site.register(Shelf, ArchiveAdmin)
    boss, rows = caller_of(site), Shelf.objects.using("archive")
    boss.call("create_shelf", values={"label": "Nails"}, dry_run=True)
    assert not rows.exists()
    made = boss.call("create_shelf", values={"label": "Nails"})["created"]
    boss.call("update_shelf", id=made["id"], values={"label": "Screws"}, dry_run=True)
    boss.call("delete_shelf", id=made["id"], dry_run=True)
    assert rows.get().label == "Nails"
    boss.call("update_shelf", id=made["id"], values={"label": "Screws", "p": {"add": 2}})
    assert (rows.get().label, rows.get().p) == ("Screws", 2)
    boss.call("delete_shelf", id=made["id"])
    assert not rows.exists()


@pytest.mark.django_db(databases=["default", "archive"], transaction=True)
def test_what_writes_to_yet_another_database_cannot_be_tried(site):
    class CopyingAdmin(admin.ModelAdmin):
        def save_model(self, request, obj, form, change):
            super().save_model(request, obj, form, change)
            Shelf(label=obj.label).save(using="archive")

    site.register(Shelf, CopyingAdmin)
    boss = caller_of(site)
    assert "'archive'" in boss.refused("create_shelf", values={"label": "Nails"}, dry_run=True)
    assert not Shelf.objects.using("archive").exists()
    boss.call("create_shelf", values={"label": "Nails"})
    assert Shelf.objects.using("archive").get().label == Shelf.objects.get().label


def test_a_bulk_dry_run_says_what_each_new_row_would_hold(boss):
    make_product()
    item = {"sku": "SKU0001", "name": "Pine desk", "category": "desks", "price": "9"}
    [made] = boss.call("bulk_product", operation="create", items=[item], dry_run=True)["results"]
    assert made["values"] == boss.call("create_product", values=item, dry_run=True)["values"]
    assert (made["values"]["price"], made["values"]["reorder_level"]) == ("9.00", 5)


def test_a_bulk_dry_run_stores_no_file(boss):
    product = make_product()
    file = {"name": "bulk.txt", "content": base64.b64encode(b"72 cm").decode()}
    boss.call("bulk_product", operation="update", ids=[product.pk], values={"datasheet": file}, dry_run=True)
    item = {"sku": "SKU0001", "name": "Pine desk", "category": "desks", "price": "9.00", "datasheet": file}
    boss.call("bulk_product", operation="create", items=[item], dry_run=True)
    folder = Path(default_storage.path(product._meta.get_field("datasheet").generate_filename(product, "x"))).parent
    assert not list(folder.glob("bulk*"))


class TellingAdmin(admin.ModelAdmin):
    def save_model(self, request, obj, form, change):
        super().save_model(request, obj, form, change)
        messages.warning(request, f"{obj} is too heavy for the wall.")
        transaction.on_commit(lambda: messages.info(request, "The carpenter was told."))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("language", ["en-us", "de"])
def test_all_that_hooks_say_is_told_and_the_admins_own_sentence_is_not(site, language):
    site.register(Shelf, TellingAdmin)
    with override_settings(LANGUAGE_CODE=language):
        boss = caller_of(site)
        made = boss.call("create_shelf", values={"label": "Nails"})
        told = boss.call("update_shelf", id=made["created"]["id"], values={"label": "Screws"})
    assert made["messages"] == told["messages"] == ["Shelf at 0 is too heavy for the wall.", "The carpenter was told."]


class SpanWidget(forms.TextInput):
    """Two inputs of its own names for one value."""

    def render(self, name, value, attrs=None, renderer=None):
        metres, _, rest = str(value or "").partition(".")
        return f'<input name="{name}_m" value="{metres}"><input name="{name}_cm" value="{rest}">'

    def value_from_datadict(self, data, files, name):
        return f"{data[f'{name}_m']}.{data[f'{name}_cm']}" if f"{name}_m" in data else None


class ShelfForm(forms.ModelForm):
    built = forms.DateField(required=False, widget=forms.SelectDateWidget(years=range(1990, 2030)))
    label = forms.CharField(widget=SpanWidget)

    class Meta:
        model = Shelf
        fields = ["label", "built", "seen", "options", "address", "p"]


@pytest.fixture
def shelf(site: admin.AdminSite) -> Shelf:
    site.register(Shelf, form=ShelfForm)
    return Shelf.objects.create(label="1.20", built=datetime.date(1999, 12, 31))


def test_a_widget_of_several_inputs_is_written_and_kept(site, shelf):
    boss = caller_of(site)
    changed = boss.call("update_shelf", id=shelf.pk, values={"built": "2001-02-03"})["changed"]
    assert changed == {"built": ["1999-12-31", "2001-02-03"]}
    assert boss.call("update_shelf", id=shelf.pk, values={"label": "2.45"})["changed"] == {"label": ["1.20", "2.45"]}
    assert boss.call("update_shelf", id=shelf.pk, values={"built": None})["changed"] == {"built": ["2001-02-03", None]}


def test_a_moment_keeps_its_microseconds(site, shelf):
    caller_of(site).call("update_shelf", id=shelf.pk, values={"seen": "2026-02-01T09:30:15.123456+00:00"})
    assert Shelf.objects.get().seen == datetime.datetime(2026, 2, 1, 9, 30, 15, 123456, tzinfo=datetime.UTC)


@override_settings(USE_TZ=False, TIME_ZONE="America/New_York")
def test_a_moment_with_a_zone_is_that_moment_in_a_project_without_zones(site, shelf):
    caller_of(site).call("update_shelf", id=shelf.pk, values={"seen": "2026-02-01T03:30:00Z"})
    assert Shelf.objects.get().seen == datetime.datetime(2026, 1, 31, 22, 30)


@pytest.mark.parametrize(("given", "stored"), [("5", "5"), ('{"a": 1}', {"a": 1}), (5, 5), ("oak", "oak")])
def test_a_json_field_takes_a_text_as_text_and_a_written_object_as_an_object(site, shelf, given, stored):
    caller_of(site).call("update_shelf", id=shelf.pk, values={"options": given})
    assert Shelf.objects.get().options == stored


def test_an_address_that_is_not_there_is_no_change(site, shelf):
    boss = caller_of(site)
    assert boss.call("update_shelf", id=shelf.pk, values={"p": 0})["changed"] == {}
    assert not LogEntry.objects.exists()
    assert boss.call("update_shelf", id=shelf.pk, values={"address": "::1"})["changed"] == {"address": [None, "::1"]}
    assert boss.call("update_shelf", id=shelf.pk, values={"address": None})["changed"] == {"address": ["::1", None]}


def test_a_default_of_the_database_is_taken(site, db):
    site.register(Shelf)
    boss = caller_of(site)
    boss.call("create_shelf", values={"label": "Nails"})
    assert (Shelf.objects.get().colour, Shelf.objects.get().locked) == ("grey", True)
    boss.call("create_shelf", values={"label": "Tacks", "colour": "", "locked": False})
    assert (Shelf.objects.latest("pk").colour, Shelf.objects.latest("pk").locked) == ("", False)


def test_what_the_database_has_a_default_for_is_not_required(site, db):
    class ColouredForm(forms.ModelForm):
        colour = forms.CharField()

        class Meta:
            model = Shelf
            fields = ("label", "colour")

    site.register(Shelf, form=ColouredForm)
    boss = caller_of(site)
    assert boss.tools()["create_shelf"].input_schema["properties"]["values"]["required"] == ["label"]
    described = boss.call("describe_shelf")["values"]
    assert [name for name, field in described.items() if field.get("required")] == ["label"]
    boss.call("create_shelf", values={"label": "Nails"})
    assert Shelf.objects.get().colour == "grey"


def test_an_inlines_row_is_named_by_a_unique_field_of_its_own(site, db):
    class ProductInline(admin.TabularInline):
        model, fields, extra = Product, ("sku", "price"), 0

    site.register(Supplier, fields=("name",), inlines=[ProductInline])
    supplier, boss = Supplier.objects.create(name="Oak & Sons", email="oak@example.com"), caller_of(site)
    for sku in ("SKU0001", "SKU0002"):
        make_product(sku, supplier=supplier, price="10.00")
    change = {"id": {"sku": "SKU0002"}, "price": {"multiply": 2}}
    changed = boss.call("update_supplier", name="Oak & Sons", values={"products": [change]})["changed"]["products"]
    assert changed["changed"][0]["changed"] == {"price": ["10.00", "20.00"]}
    wrong = boss.refused("update_supplier", name="Oak & Sons", values={"products": [{"id": {"price": "10.00"}}]})
    assert "a row is named by one of: id, sku, label" in wrong


def test_the_parent_of_an_inlines_row_is_no_field_to_write(site, shelf):
    site.unregister(Shelf)
    site.register(Shelf, inlines=[type("StandingInline", (admin.TabularInline,), {"model": Standing})])
    row = {"shelf": shelf.pk, "machine": Machine.objects.create(code="S-1", serial="A/1").pk}
    refusal = caller_of(site).refused("update_shelf", id=shelf.pk, values={"standing": [row]})
    assert "standing.0.shelf cannot be written here" in refusal
    assert "Fields you may write: machine." in refusal


def test_an_inline_demands_the_rows_that_its_page_demands(site, shelf):
    class StandingInline(admin.TabularInline):
        model, min_num, extra = Standing, 1, 0

    site.unregister(Shelf)
    site.register(Shelf, inlines=[StandingInline])
    site.register(Machine)
    Machine.objects.create(code="S-1", serial="A/1")
    boss = caller_of(site)
    refusal = boss.refused("update_shelf", id=shelf.pk, values={"p": 1})
    assert "standing (row 1 of at least 1).machine: This field is required." in refusal
    boss.call("update_shelf", id=shelf.pk, values={"p": 1, "standing": [{"machine": "S-1"}]})
    boss.call("update_shelf", id=shelf.pk, values={"p": 2})
    assert Shelf.objects.get().p == 2


def test_autocomplete_offers_what_the_form_takes(site, db):
    class PartAdmin(admin.ModelAdmin):
        def formfield_for_foreignkey(self, db_field, request, **kwargs):
            return super().formfield_for_foreignkey(db_field, request, queryset=Machine.objects.filter(kind="d"))

    site.register(Part, PartAdmin)
    site.register(Machine, search_fields=["code"])
    Machine.objects.create(code="S-1", serial="A/1", kind="s")
    Machine.objects.create(code="D-1", serial="B/1", kind="d")
    boss = caller_of(site)
    for search in ("", "1"):
        found = boss.call("autocomplete_part", field="machine", search=search)["rows"]
        assert [row["id"] for row in found] == ["D-1"]
    assert "machine" in boss.refused("create_part", values={"machine": "S-1", "name": "Blade"})


def test_a_question_sends_the_first_choice_where_a_browser_would(site, db):
    class MoveAdmin(admin.ModelAdmin):
        actions = ["move"]

        def move(self, request, queryset):
            if "to" in request.POST:
                queryset.update(p=request.POST["to"])
                return HttpResponseRedirect(".")
            return HttpResponse('<form method="post"><select name="to"><option value="7"><option value="8"></select>')

    site.register(Shelf, MoveAdmin)
    shelf, boss = Shelf.objects.create(label="Nails"), caller_of(site)
    assert boss.call("action_shelf", action="move", ids=[shelf.pk])["parameters"] == {"to": {"enum": ["7", "8"]}}
    boss.call("action_shelf", action="move", ids=[shelf.pk], confirm=True)
    assert Shelf.objects.get().p == 7


def test_a_question_takes_the_label_of_a_choice(site, db):
    class MergeForm(forms.Form):
        into = forms.ModelChoiceField(Shelf.objects.all())
        tags = forms.ModelMultipleChoiceField(Tag.objects.all())

    class MergeAdmin(admin.ModelAdmin):
        actions = ["merge"]

        def merge(self, request, queryset):
            form = MergeForm(request.POST if "into" in request.POST else None)
            if form.is_valid():
                names = ", ".join(tag.name for tag in form.cleaned_data["tags"])
                queryset.update(label=f"{form.cleaned_data['into'].label}: {names}")
                return HttpResponseRedirect(".")
            return HttpResponse(f'<form method="post">{form}</form>')

    site.register(Shelf, MergeAdmin)
    shelf, _ = Shelf.objects.create(label="Nails", p=1), Shelf.objects.create(label="Tacks", p=2)
    oak, pine = Tag.objects.create(name="oak"), Tag.objects.create(name="pine")
    merge = {"action": "merge", "ids": [shelf.pk], "confirm": True}
    parameters = {"into": "Shelf at 2", "tags": ["oak", pine.pk]}
    caller_of(site).call("action_shelf", **merge, parameters=parameters)
    assert Shelf.objects.get(p=1).label == f"Tacks: {oak.name}, {pine.name}"
