"""What a project's forms are for one user, they are for nobody else."""

import gc
import weakref
from functools import partial
from typing import Any, ClassVar

import pytest
from django import forms
from django.contrib import admin
from django.core.validators import MaxLengthValidator
from django.db.models import CharField, Manager, Q, QuerySet
from django.forms import ModelForm
from django.forms.models import BaseInlineFormSet

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


class KindManager(Manager[Machine]):
    kind = "s"

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(kind=KindManager.kind)


class JobAdmin(admin.ModelAdmin):
    fields = ("name", "machine")


def test_a_manager_that_chooses_rows_is_asked_at_every_call(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    manager = KindManager()
    manager.model = Machine
    monkeypatch.setattr(Machine._meta, "default_manager", manager)
    boss = boss_of((Job, JobAdmin))
    values = {"name": "Cut planks", "machine": machine.pk}
    boss.call("create_job", values=values, dry_run=True)
    monkeypatch.setattr(KindManager, "kind", "d")
    assert "machine" in boss.refused("create_job", values=values)


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


class Asking:
    """Mixed into a ModelAdmin: what a project without request in reach reads in a thread-local variable."""

    who = ""

    def get_form(self, request: Any, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        Asking.who = request.user.username
        self.begin()
        return super().get_form(request, obj, change, **kwargs)  # type: ignore[misc]

    def begin(self) -> None:
        """Do what has to be done once it is known who asks."""


class FieldOfUser(forms.CharField):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.disabled = Asking.who == "ada"


class OwnFieldsForm(forms.ModelForm):
    class Meta:
        field_classes: ClassVar[Any] = {"serial": FieldOfUser}


class FieldClassAdmin(Asking, admin.ModelAdmin):
    form = OwnFieldsForm


class DeclaredOverridesAdmin(Asking, admin.ModelAdmin):
    formfield_overrides: ClassVar[Any] = {CharField: {"form_class": FieldOfUser}}


class OverridesAdmin(Asking, admin.ModelAdmin):
    def begin(self) -> None:
        self.formfield_overrides = {CharField: {"disabled": Asking.who == "ada"}}


class FormsetOfUser(BaseInlineFormSet):
    def clean(self) -> None:
        raise forms.ValidationError("Not by you.")


class FormsetInline(PartInline):
    @property
    def formset(self) -> Any:  # type: ignore[override]
        return FormsetOfUser if Asking.who == "ada" else BaseInlineFormSet


class FormsetPropertyAdmin(Asking, admin.ModelAdmin):
    inlines = (FormsetInline,)


class DeletableInline(PartInline):
    def get_formset(self, request: Any, obj: Any = None, **kwargs: Any) -> Any:
        self.can_delete = request.user.username != "ada"
        return super().get_formset(request, obj, **kwargs)


class DeletableAdmin(Asking, admin.ModelAdmin):
    inlines = (DeletableInline,)


SERIAL = {"serial": "A 2"}


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (FieldClassAdmin, SERIAL),
        (DeclaredOverridesAdmin, SERIAL),
        (OverridesAdmin, SERIAL),
        (FormsetPropertyAdmin, {"parts": [{"name": "Blade"}]}),
        (DeletableAdmin, {"parts": [{"id": 1, "delete": True}]}),
    ],
)
def test_what_follows_from_who_asks_while_a_class_is_built_is_for_them_alone(machine: Machine, kind: Any, values: Any):
    machine.parts.create(pk=1, name="Belt")
    ada, ben = two_callers(site_of((Machine, kind)))
    for _ in range(2):
        ada.refused("update_machine", id=machine.pk, values=values)
        ben.call("update_machine", id=machine.pk, values=values, dry_run=True)


class RowsOfUser(QuerySet[Machine]):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if Asking.who == "ada" and not self.query.where:
            self.query.add_q(Q(kind="d"))


def test_a_queryset_that_chooses_rows_is_asked_at_every_call(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    manager = Manager.from_queryset(RowsOfUser)()
    manager.model = Machine
    monkeypatch.setattr(Machine._meta, "default_manager", manager)
    monkeypatch.setattr(Asking, "who", "ada")
    boss, values = boss_of((Job, JobAdmin)), {"name": "Cut planks", "machine": machine.pk}
    assert "machine" in boss.refused("create_job", values=values)
    monkeypatch.setattr(Asking, "who", "ben")
    boss.call("create_job", values=values)


class FirstBySerialAdmin(admin.ModelAdmin):
    def get_ordering(self, request: Any) -> Any:
        return ["-serial" if request.user.username == "ada" else "serial"]


class FirstMachineForm(forms.ModelForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if first := self.fields["machine"].queryset.first():  # type: ignore[attr-defined]
            self.initial.setdefault("machine", first.serial)


class FirstMachineAdmin(JobAdmin):
    form = FirstMachineForm


def test_choices_stand_in_the_order_of_who_asks(machine: Machine):
    Machine.objects.create(code="S-2", serial="B 1")
    ada, ben = two_callers(site_of((Job, FirstMachineAdmin), (Machine, FirstBySerialAdmin)))
    for caller in (ben, ada, ben):
        caller.call("create_job", values={"name": "Cut planks"})
    assert list(Job.objects.order_by("starts").values_list("machine__code", flat=True)) == ["S-1", "S-2", "S-1"]


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
