"""The traps of whole applications (a shop, two content systems, trees of rows), each made small."""

from typing import Any, ClassVar

import pytest
from django import forms
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.db.models import CharField
from django.db.models.signals import post_delete
from django.forms.models import BaseInlineFormSet
from django.http import HttpResponse
from django.urls import path

from mcp_server.derive.admin import MCPAdminMixin, register_admin_tools
from mcp_server.server import create_server
from tests.everything.models import Gadget
from tests.factories import make_user
from tests.mcp_server.derive.admin.conftest import Caller
from tests.mcp_server.derive.admin.test_strangers import boss_of, served
from tests.mcp_server.derive.admin.workshop.models import Machine, Note, OldMachine, Part, Press
from tests.mcp_server.derive.admin.workshop.urls_of_rows import SITE_OF_ROWS

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


class ManualAdmin(admin.ModelAdmin):
    fields = ("name", "manual")


class SpecialPart(Part):
    class Meta:
        app_label = "workshop"
        proxy = True


class SpecialPartAdmin(admin.ModelAdmin):
    fields = ("name",)


class PartKindsAdmin(admin.ModelAdmin):
    def change_view(self, *args: Any) -> Any:
        return self.admin_site._registry[SpecialPart].change_view(*args)


class HiddenPressAdmin(MCPAdminMixin, LightPressAdmin):
    mcp_tools = ("list",)


class FewPagesAdmin(admin.ModelAdmin):
    """Settings of one's own, say: no list, nothing to add or delete, and always one's own row."""

    def get_urls(self) -> Any:
        return [path("", self.change_view, name="workshop_machine_change")]

    def change_view(self, request: Any, object_id: str, *args: Any) -> Any:
        return super().change_view(request, "MINE", *args)


def site_of(name: str, *registered: tuple[Any, Any]) -> admin.AdminSite:
    site = admin.AdminSite(name=name)
    for model, model_admin in registered:
        site.register(model, model_admin)
    return site


# Sites whose pages have addresses: the tests below make this module the URLconf.
KINDS = site_of("kinds", (Machine, KindsAdmin), (Press, LightPressAdmin))
HIDDEN = site_of("hidden", (Machine, KindsAdmin), (Press, HiddenPressAdmin))
PARTS = site_of("parts", (Part, PartKindsAdmin), (SpecialPart, SpecialPartAdmin))
LAMPS = site_of("lamps", (Gadget, ManualAdmin))
FEW = site_of("few", (Machine, FewPagesAdmin))
urlpatterns = [path(f"{site.name}/", site.urls) for site in (KINDS, HIDDEN, PARTS, LAMPS, FEW)]
routed = pytest.mark.urls(__name__)


def boss_on(site: admin.AdminSite) -> Caller:
    mcp = create_server()
    register_admin_tools(mcp, site)
    return Caller(mcp, make_user("boss", superuser=True))


@routed
def test_a_row_of_a_special_kind_is_left_to_the_admin_of_its_kind():
    Press.objects.create(code="P-1", serial="A 1", tons=2)
    boss = boss_on(KINDS)
    assert boss.call("get_machine", id="P-1")["tons"] == 2
    changed = boss.call("update_machine", id="P-1", values={"tons": 3})["changed"]
    assert changed == {"tons": [2.0, 3.0]}
    assert boss.call("history_machine", id="P-1")["entries"][0]["changes"] == changed
    assert "Fields you may write: serial, tons" in boss.refused("update_machine", id="P-1", values={"kind": "d"})
    assert "use create_press" in boss.refused("create_machine", values={})
    done = boss.call("bulk_machine", operation="delete", ids=["P-1"])
    assert done["done"] == 1
    assert not Machine.objects.exists()


@routed
def test_a_kind_is_found_by_any_kind_of_key():
    part = Part.objects.create(machine=Machine.objects.create(code="S-1", serial="A 1"), name="Blade")
    boss = boss_on(PARTS)
    assert boss.call("get_part", id=part.pk) == {"id": part.pk, "label": "Blade", "name": "Blade"}
    boss.call("update_part", id=part.pk, values={"name": "Disc"})
    part.refresh_from_db()
    assert part.name == "Disc"


@routed
def test_the_admin_of_a_kind_also_decides_which_of_its_rows_there_are():
    Press.objects.create(code="P-1", serial="A 1", tons=200)
    boss = boss_on(KINDS)
    for tool, arguments in (("get", {}), ("update", {"values": {"tons": 3}}), ("delete", {})):
        assert "You see no machine" in boss.refused(f"{tool}_machine", id="P-1", **arguments)


@routed
def test_the_tools_of_another_model_do_no_more_to_a_kind_than_its_own():
    Press.objects.create(code="P-1", serial="A 1")
    boss = boss_on(HIDDEN)
    refusal = boss.refused("update_machine", id="P-1", values={"tons": 3})
    assert refusal == "This machine is a press, for which there is no tool update."


@pytest.mark.urls("tests.mcp_server.derive.admin.workshop.urls_of_rows")
def test_addresses_that_are_rows_cost_no_model_its_tools():
    assert "update_machine" in boss_on(SITE_OF_ROWS).tools()


@routed
def test_what_has_no_page_has_no_tool_and_a_page_of_ones_own_changes_no_other():
    for code in ("MINE", "OTHER"):
        Machine.objects.create(code=code, serial=code)
    boss = boss_on(FEW)
    verbs = ("describe", "get", "update", "bulk")
    assert boss.tools().keys() == {"find_models", *(f"{verb}_machine" for verb in verbs)}
    bulk = boss.refused("bulk_machine", operation="delete", ids=["MINE"])
    assert "may not delete" in bulk
    assert boss.call("update_machine", id="MINE", values={"kind": "d"})["changed"] == {"kind": ["s", "d"]}
    assert "another row" in boss.refused("update_machine", id="OTHER", values={"kind": "d"})
    assert list(Machine.objects.filter(kind="d").values_list("code", flat=True)) == ["MINE"]


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


class AskingNobodyAdmin(admin.ModelAdmin):
    def has_change_permission(self, request: Any, obj: Any = None) -> bool:
        return True

    has_delete_permission = has_change_permission


def test_a_limited_token_writes_nothing_that_asks_no_permission():
    machine = Machine.objects.create(code="S-1", serial="A 1")
    server = served((Machine, AskingNobodyAdmin))
    clerk = make_user("clerk", "workshop.view_machine", "workshop.add_machine", staff=True)
    limited = Caller(server, clerk, access="limited")
    limited.token.permissions.set(Permission.objects.filter(codename__in=["view_machine", "add_machine"]))
    assert {"list_machine", "create_machine"} <= limited.tools().keys()
    assert not {"update_machine", "delete_machine"} & limited.tools().keys()
    bulk = {"operation": "update", "items": [{"id": "S-1", "values": {"kind": "d"}}]}
    assert "may not change" in limited.refused("bulk_machine", **bulk)
    Caller(server, clerk).call("update_machine", id=machine.pk, values={"kind": "d"})


class OwnDeleteAdmin(admin.ModelAdmin):
    def delete_view(self, request: Any, object_id: str, *args: Any) -> HttpResponse:
        self.get_object(request, object_id).delete()
        return HttpResponse("Gone.")


def test_a_row_is_deleted_when_it_is_gone_whichever_way_the_page_went():
    Machine.objects.create(code="S-1", serial="A 1")
    boss = boss_of((Machine, OwnDeleteAdmin))
    assert boss.call("delete_machine", id="S-1")["deleted"]["id"] == "S-1"
    assert not Machine.objects.exists()


def test_a_choice_that_stands_for_null_filters_rows_without_a_value():
    Machine.objects.create(code="S-1", serial="A 1")
    Machine.objects.create(code="S-2", serial="A 2", checked=True)

    class CheckedAdmin(admin.ModelAdmin):
        list_filter = ("checked",)

    field = Machine._meta.get_field("checked")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(field, "choices", [(None, "Unknown"), (True, "Fine"), (False, "Broken")])
        boss = boss_of((Machine, CheckedAdmin))
        for value in ("None", "Unknown", None):
            assert [row["id"] for row in boss.call("list_machine", filters={"checked": value})["rows"]] == ["S-1"]


class RankedFormSet(BaseInlineFormSet):
    """Adds a field of its own to every form, which the page sends with the row."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        form.fields["rank"] = forms.IntegerField(initial=7)


class RankedInline(admin.TabularInline):
    model = Part
    formset = RankedFormSet


class RankedAdmin(admin.ModelAdmin):
    inlines = (RankedInline,)


def test_what_a_formset_adds_to_its_forms_is_sent_as_the_page_sends_it():
    machine = Machine.objects.create(code="S-1", serial="A 1")
    Part.objects.create(machine=machine, name="Blade")
    boss = boss_of((Machine, RankedAdmin))
    assert boss.call("update_machine", id="S-1", values={"kind": "d"})["changed"] == {"kind": ["s", "d"]}
    boss.call("update_machine", id="S-1", values={"parts": [{"name": "Belt"}]})
    assert machine.parts.count() == 2


@pytest.fixture
def lamp() -> Any:
    """A row with a file, which goes when the row goes, and does not come back with a transaction."""
    lamp = Gadget.objects.create(name="Lamp", manual=ContentFile(b"%PDF", name="lamp.pdf"))
    forget = lambda instance, **rest: instance.manual.delete(save=False)  # noqa: E731
    post_delete.connect(forget, sender=Gadget)
    yield lamp
    post_delete.disconnect(forget, sender=Gadget)


@routed
def test_trying_a_delete_runs_nothing_that_no_rollback_brings_back(lamp):
    boss = boss_on(LAMPS)
    told = boss.call("delete_gadget", id=lamp.pk, dry_run=True)
    assert told == {"deleted": {"id": lamp.pk, "label": str(lamp)}, "rows": {"gadgets": 1}, "dry_run": True}
    boss.call("bulk_gadget", operation="delete", ids=[lamp.pk], dry_run=True)
    action = {"action": "delete_selected", "ids": [lamp.pk], "confirm": True}
    assert "confirm" in boss.call("action_gadget", **action, dry_run=True)
    assert lamp.manual.storage.exists(lamp.manual.name)
    boss.call("action_gadget", **action)
    assert not lamp.manual.storage.exists(lamp.manual.name)


def test_a_row_whose_file_is_gone_can_still_be_changed(lamp):
    lamp.manual.storage.delete(lamp.manual.name)
    answer = boss_of((Gadget, ManualAdmin)).call("update_gadget", id=lamp.pk, values={"name": "Desk lamp"})
    assert answer["changed"] == {"name": ["Lamp", "Desk lamp"]}
