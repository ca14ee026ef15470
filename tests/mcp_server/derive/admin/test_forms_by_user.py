"""What a project's forms are for one user, they are for nobody else."""

import gc
import weakref
from functools import partial
from typing import Any, ClassVar

import pytest
from django import forms
from django.contrib import admin
from django.core.validators import MaxLengthValidator
from django.forms import ModelForm

from tests.everything.models import Gadget
from tests.factories import make_user
from tests.mcp_server.derive.admin.conftest import Caller, boss_of, server_of, site_of
from tests.mcp_server.derive.admin.workshop.models import Job, Machine, Part

pytestmark = pytest.mark.django_db


@pytest.fixture
def machine() -> Machine:
    return Machine.objects.create(code="S-1", serial="A 1")


class PartInline(admin.TabularInline):
    model = Part


class InlineAdmin(admin.ModelAdmin):
    inlines = (PartInline,)


class OwnFormsetInline(PartInline):
    def get_formset(self, request: Any, obj: Any = None, **kwargs: Any) -> Any:
        formset = super().get_formset(request, obj, **kwargs)
        formset.form.base_fields["name"].disabled = request.user.username == "ada"
        return formset


class OwnFormsetAdmin(admin.ModelAdmin):
    inlines = (OwnFormsetInline,)


class OwnFormAdmin(admin.ModelAdmin):
    def get_form(self, request: Any, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change, **kwargs)
        if "serial" in form.base_fields:
            form.base_fields["serial"].disabled = request.user.username == "ada"
        return form


class ClassOfOneAdmin(admin.ModelAdmin):
    def get_form(self, request: Any, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        class ShortForm(forms.ModelForm):
            serial = forms.CharField(max_length=3 if request.user.username == "ada" else 20)

        return super().get_form(request, obj, change, form=ShortForm, **kwargs)


def test_a_form_class_made_for_one_call_ends_with_it(machine: Machine):
    ada, ben = two_callers(site_of((Machine, ClassOfOneAdmin)))
    for _ in range(2):
        assert "serial" in ada.refused("update_machine", id=machine.pk, values={"serial": "A 22"})
        ben.call("update_machine", id=machine.pk, values={"serial": "A 22"}, dry_run=True)
    gc.collect()
    assert not [form for form in ModelForm.__subclasses__() if form.__name__ == "ShortForm"]


class CountingForm(forms.ModelForm):
    """Changes the fields of its class, which Django's admin builds anew for every page."""

    seen: ClassVar[list[int]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.base_fields["serial"].validators.append(MaxLengthValidator(20))
        super().__init__(*args, **kwargs)
        self.seen.append(len(self.fields["serial"].validators))


class CountingAdmin(admin.ModelAdmin):
    form = CountingForm


def two_callers(site: admin.AdminSite) -> tuple[Caller, Caller]:
    server = server_of(site)
    ada, ben = (make_user(name, superuser=True) for name in ("ada", "ben"))
    return Caller(server, ada), Caller(server, ben)


@pytest.mark.parametrize(
    ("kind", "values"),
    [(OwnFormAdmin, {"serial": "A 2"}), (OwnFormsetAdmin, {"parts": [{"name": "Blade"}]})],
)
def test_what_get_form_and_get_formset_do_for_one_user_reaches_no_other(machine: Machine, kind: Any, values: Any):
    ada, ben = two_callers(site_of((Machine, kind)))
    for _ in range(2):
        ada.refused("update_machine", id=machine.pk, values=values)
        ben.call("update_machine", id=machine.pk, values=values, dry_run=True)


def test_what_a_form_does_to_the_fields_of_its_class_ends_with_the_call(machine: Machine):
    boss = boss_of((Machine, CountingAdmin))
    most = []
    for serial in ("A 2", "A 3"):
        CountingForm.seen.clear()
        boss.call("update_machine", id=machine.pk, values={"serial": serial})
        most.append(max(CountingForm.seen))
    assert most[0] == most[1]


class ReadOnlyByUserAdmin(admin.ModelAdmin):
    def get_readonly_fields(self, request: Any, obj: Any = None) -> Any:
        return ["serial"] if request.user.username == "ada" else []

    def get_exclude(self, request: Any, obj: Any = None) -> Any:
        return ["kind"] if request.user.username == "ben" else None


def test_fields_that_follow_from_the_user_are_those_of_each_user(machine: Machine):
    ada, ben = two_callers(site_of((Machine, ReadOnlyByUserAdmin)))
    for _ in range(2):
        ben.call("update_machine", id=machine.pk, values={"serial": "A 2"}, dry_run=True)
        assert "read-only" in ada.refused("update_machine", id=machine.pk, values={"serial": "A 2"})
        ada.call("update_machine", id=machine.pk, values={"kind": "d"}, dry_run=True)
        assert "kind" in ben.refused("update_machine", id=machine.pk, values={"kind": "d"})


def test_an_inline_whose_rows_one_user_may_only_see_takes_changes_of_another(machine: Machine):
    server, part = server_of(site_of((Machine, InlineAdmin))), machine.parts.create(name="Blade")
    rights = [f"workshop.{name}" for name in ("view_machine", "change_machine", "view_part")]
    ada = Caller(server, make_user("ada", *rights, staff=True))
    ben = Caller(server, make_user("ben", *rights, "workshop.change_part", staff=True))
    ada.call("update_machine", id=machine.pk, values={"serial": "A 2"})
    ben.call("update_machine", id=machine.pk, values={"parts": [{"id": part.pk, "name": "Belt"}]})
    assert "changed" in ada.refused(
        "update_machine", id=machine.pk, values={"parts": [{"id": part.pk, "name": "Bolt"}]}
    )
    assert list(Part.objects.values_list("name", flat=True)) == ["Belt"]


class ByUserAdmin(admin.ModelAdmin):
    def formfield_for_foreignkey(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        if request.user.username == "ada":
            kwargs["queryset"] = Machine.objects.none()
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


def test_choices_by_user_are_those_of_each_user(machine: Machine):
    ada, ben = two_callers(site_of((Job, ByUserAdmin)))
    for _ in range(2):
        ben.call("create_job", values={"name": "Cut planks", "machine": machine.pk}, dry_run=True)
        assert "machine" in ada.refused("create_job", values={"name": "Cut planks", "machine": machine.pk})


class MadeInlineAdmin(admin.ModelAdmin):
    def get_inlines(self, request: Any, obj: Any) -> Any:
        return [type("MadeInline", (PartInline,), {"extra": 1})]


def test_an_inline_class_made_for_one_call_ends_with_it(machine: Machine):
    boss = boss_of((Machine, MadeInlineAdmin))
    for _ in range(2):
        boss.call("update_machine", id=machine.pk, values={"parts": [{"name": "Blade"}]})
    gc.collect()
    assert not [inline for inline in PartInline.__subclasses__() if inline.__name__ == "MadeInline"]


class WatchedAdmin(InlineAdmin):
    requests: ClassVar[list[Any]] = []

    def get_readonly_fields(self, request: Any, obj: Any = None) -> Any:
        self.requests.append(weakref.ref(request))
        return ["checked"] if request.user.username == "boss" else []


def test_a_request_is_forgotten_with_its_call(machine: Machine):
    boss_of((Machine, WatchedAdmin)).call("update_machine", id=machine.pk, values={"parts": [{"name": "Blade"}]})
    gc.collect()
    assert [request() for request in WatchedAdmin.requests] == [None] * len(WatchedAdmin.requests)


class OptionsAdmin(admin.ModelAdmin):
    def get_form(self, request: Any, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change, **kwargs)
        if request.user.username == "ada":
            form._meta.exclude = ["serial"]
            form.Meta.labels = {"serial": "Plate"}
            form.declared_fields["plate"] = forms.CharField()
        return form


class BuiltUponAdmin(OptionsAdmin):
    def get_form(self, request: Any, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return type("OwnForm", (super().get_form(request, obj, change, **kwargs),), {})


@pytest.mark.parametrize("kind", [OptionsAdmin, BuiltUponAdmin])
def test_options_of_a_form_that_one_user_gets_reach_no_other(machine: Machine, kind: Any):
    ada, ben = two_callers(site_of((Machine, kind)))
    before = ben.call("describe_machine")
    ada.result("update_machine", id=machine.pk, values={"serial": "A 2"}, dry_run=True)
    assert ben.call("describe_machine") == before
    ben.call("update_machine", id=machine.pk, values={"serial": "A 2"})


class AskingForm(forms.ModelForm):
    """Wants the request, which a get_form hands to each form of its own making."""

    def __init__(self, *args: Any, request: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_slug(self) -> str:
        return self.cleaned_data["slug"] or f"of-{self.request.user}"


class PartlyBuiltAdmin(admin.ModelAdmin):
    form = AskingForm
    fieldsets = [(None, {"fields": ["name", "slug", "count"]})]

    def get_form(self, request: Any, obj: Any = None, **kwargs: Any) -> Any:
        return partial(super().get_form(request, obj, **kwargs), request=request)


class MadeByNewAdmin(admin.ModelAdmin):
    form = AskingForm
    fields = ["name", "slug", "count"]

    def get_form(self, request: Any, obj: Any = None, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, **kwargs)

        class WithRequest(form):  # type: ignore[misc, valid-type]
            def __new__(cls, *args: Any, **kwargs: Any) -> Any:
                return form(*args, request=request, **kwargs)

        return WithRequest


@pytest.mark.parametrize("model_admin", [PartlyBuiltAdmin, MadeByNewAdmin])
def test_a_form_may_be_handed_the_request_as_it_is_made(model_admin):
    lamp = Gadget.objects.create(name=" Lamp ", slug="lamp")
    boss = boss_of((Gadget, model_admin))
    assert "count" in boss.call("describe_gadget")["values"]
    assert boss.call("get_gadget", id=lamp.pk)["slug"] == "lamp"
    assert boss.call("update_gadget", id=lamp.pk, values={"count": 4})["changed"] == {"count": [0, 4]}
    boss.call("create_gadget", values={"name": "Torch"})
    rows = Gadget.objects.order_by("pk").values_list("name", "slug", "count")
    assert list(rows) == [(" Lamp ", "lamp", 4), ("Torch", "of-boss", 0)]
