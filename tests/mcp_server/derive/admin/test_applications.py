"""The traps of whole applications (a shop, two content systems, trees of rows), each made small."""

from typing import Any, ClassVar

import pytest
from django import forms
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.db.models import CharField
from django.forms.models import BaseInlineFormSet
from django.http import HttpResponse

from mcp_server.derive.admin import MCPAdminMixin
from tests.everything.models import Gadget
from tests.mcp_server.derive.admin.test_strangers import boss_of
from tests.mcp_server.derive.admin.workshop.models import Machine, Note, OldMachine, Part, Press

pytestmark = pytest.mark.django_db


class SlugForm(forms.ModelForm):
    def clean_slug(self) -> str:
        return self.cleaned_data["slug"] or "made-up"


class SlugAdmin(admin.ModelAdmin):
    form = SlugForm
    fields = ["name", "slug", "address", "count"]


def test_what_a_form_only_tidies_stays_as_it_is_in_a_field_nobody_gave():
    gadget = Gadget.objects.create(name=" Lamp ", address=None)
    answer = boss_of((Gadget, SlugAdmin)).call("update_gadget", id=gadget.pk, values={"count": 2})
    assert answer["changed"] == {"count": [0, 2], "slug": ["", "made-up"]}
    gadget.refresh_from_db()
    assert (gadget.name, gadget.address, gadget.slug) == (" Lamp ", None, "made-up")


class KindsAdmin(admin.ModelAdmin):
    """Leaves every row to the ModelAdmin of its own kind, and asks for a new one's kind first."""

    def of(self, pk: str) -> Any:
        return self.admin_site._registry[Press if Press.objects.filter(pk=pk).exists() else OldMachine]

    def get_object(self, *args: Any) -> Any:
        row = super().get_object(*args)
        return getattr(row, "press", row)

    def add_view(self, *args: Any) -> HttpResponse:
        return HttpResponse("Which kind?")

    def change_view(self, request: Any, object_id: str, *args: Any) -> Any:
        return self.of(object_id).change_view(request, object_id, *args)

    def delete_view(self, request: Any, object_id: str, *args: Any) -> Any:
        return self.of(object_id).delete_view(request, object_id, *args)


class LightPressAdmin(admin.ModelAdmin):
    fields = ["serial", "tons"]

    def get_queryset(self, request: Any) -> Any:
        return super().get_queryset(request).filter(tons__lt=100)


def test_a_row_of_a_special_kind_is_left_to_the_admin_of_its_kind():
    Press.objects.create(code="P-1", serial="A 1", tons=2)
    boss = boss_of((Machine, KindsAdmin), (Press, LightPressAdmin))
    assert boss.call("get_machine", id="P-1")["tons"] == 2
    changed = boss.call("update_machine", id="P-1", values={"tons": 3})["changed"]
    assert changed == {"tons": [2.0, 3.0]}
    assert boss.call("history_machine", id="P-1")["entries"][0]["changes"] == changed
    assert "Fields you may write: serial, tons" in boss.refused("update_machine", id="P-1", values={"kind": "d"})
    assert "use create_press" in boss.refused("create_machine", values={})
    done = boss.call("bulk_machine", operation="delete", ids=["P-1"])
    assert done["done"] == 1
    assert not Machine.objects.exists()


def test_the_admin_of_a_kind_also_decides_which_of_its_rows_there_are():
    Press.objects.create(code="P-1", serial="A 1", tons=200)
    boss = boss_of((Machine, KindsAdmin), (Press, LightPressAdmin))
    for tool, arguments in (("get", {}), ("update", {"values": {"tons": 3}}), ("delete", {})):
        assert "You see no press" in boss.refused(f"{tool}_machine", id="P-1", **arguments)


class HiddenPressAdmin(MCPAdminMixin, LightPressAdmin):
    mcp_tools = ("list",)


def test_the_tools_of_another_model_do_no_more_to_a_kind_than_its_own():
    Press.objects.create(code="P-1", serial="A 1")
    boss = boss_of((Machine, KindsAdmin), (Press, HiddenPressAdmin))
    refusal = boss.refused("update_machine", id="P-1", values={"tons": 3})
    assert refusal == "This machine is a press, for which there is no tool update."


class PressForm(forms.ModelForm):
    class Meta:
        model = Part
        fields = ["name", "api_key"]


class KindsFormSet(BaseInlineFormSet):
    """Builds each form by a class of its row's kind, whatever `form` says."""

    def _construct_form(self, i: int, **kwargs: Any) -> Any:
        own, self.form = self.form, PressForm
        try:
            return super()._construct_form(i, **kwargs)
        finally:
            self.form = own


class PartInline(admin.TabularInline):
    model = Part
    formset = KindsFormSet


class PartsAdmin(admin.ModelAdmin):
    inlines = [PartInline]


def test_rows_whose_forms_are_of_several_classes_stay_as_they_are():
    machine = Machine.objects.create(code="S-1", serial="A 1")
    part = Part.objects.create(machine=machine, name="Blade", api_key="k")
    boss = boss_of((Machine, PartsAdmin))
    boss.call("update_machine", id="S-1", values={"checked": True})
    boss.call("update_machine", id="S-1", values={"parts": [{"id": part.pk, "name": "Disc"}, {"name": "Belt"}]})
    assert list(machine.parts.order_by("pk").values_list("name", "api_key")) == [("Disc", "k"), ("Belt", "")]
    boss.call("update_machine", id="S-1", values={"parts": [{"id": part.pk, "delete": True}]})
    assert list(machine.parts.values_list("name", flat=True)) == ["Belt"]


class BuiltByScript(forms.Textarea):
    """An input of parts that only a script in the page makes, and that cannot do without them."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        return [data[f"{name}-{number}"] for number in range(int(data[f"{name}-count"]))]


class ScriptAdmin(admin.ModelAdmin):
    fields = ["text", "object_id"]
    formfield_overrides: ClassVar = {CharField: {"widget": BuiltByScript}}

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "object_id":
            field.widget = forms.TextInput()
        return field


def test_an_input_that_a_script_builds_is_left_alone_and_refused_by_name():
    kind = ContentType.objects.get_for_model(Machine)
    note = Note.objects.create(text="Mind the knots", content_type=kind, object_id="S-1")
    boss = boss_of((Note, ScriptAdmin))
    assert boss.call("update_note", id=note.pk, values={"object_id": "D-1"})["changed"] == {"object_id": ["S-1", "D-1"]}
    refusal = boss.refused("update_note", id=note.pk, values={"text": "Mind the dog"})
    assert "text: What this field's page sends cannot be made here." in refusal
    note.refresh_from_db()
    assert (note.text, note.object_id) == ("Mind the knots", "D-1")
