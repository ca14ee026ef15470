"""What other people's applications have: odd keys, odd forms, hooks that interfere, a site in no URLconf."""

import datetime

import pytest
from django import forms
from django.contrib.admin import ModelAdmin, TabularInline
from django.contrib.admin.models import LogEntry
from django.utils.timezone import now
from fastmcp import FastMCP

from tests.mcp_server.derive.admin.conftest import boss_of, caller_of, server_of, site_of
from tests.mcp_server.derive.admin.workshop.models import Job, Machine, Note, Part, Preset, Press, Shelf, Tag
from tests.mcp_server.derive.admin.workshop.site import NoteInline, site

pytestmark = pytest.mark.django_db

SECRET = "swordfish"


@pytest.fixture(scope="module")
def server() -> FastMCP:
    return server_of(site)


@pytest.fixture
def saw(db):
    return Machine.objects.create(code="S-1", serial="A/1 b", api_token=SECRET)


def job_of(machine, **fields):
    return Job.objects.create(machine=machine, **({"name": "Cut planks"} | fields))


def test_models_of_one_name_in_two_apps_are_told_apart(boss):
    tools = boss.tools()
    assert {"list_workshop_tag", "list_shop_tag"} <= set(tools)
    assert "list_tag" not in tools
    boss.call("create_workshop_tag", values={"name": "loud"})
    assert Tag.objects.get().name == "loud"


def test_a_key_that_is_text_makes_the_round_trip(boss):
    made = boss.call("create_machine", values={"code": "S/1", "serial": "A 1", "kind": "Drill"})["created"]
    assert made == {"id": "S/1", "label": "Drill S/1", "serial": "A 1"}
    assert boss.call("get_machine", serial="A 1")["kind"] == "d"
    changed = boss.call("update_machine", id="S/1", values={"kind": "s", "checked": True})["changed"]
    assert changed == {"kind": ["d", "s"], "checked": [None, True]}
    assert boss.call("update_machine", id="S/1", values={"checked": None})["changed"] == {"checked": [True, None]}
    assert "serial cannot be written here" in boss.refused("update_machine", id="S/1", values={"serial": "x"})
    assert [entry["who"] for entry in boss.call("history_machine", id="S/1")["entries"]] == ["boss"] * 3
    boss.call("delete_machine", id="S/1")
    assert not Machine.objects.exists()


def test_a_secret_is_written_and_never_read(boss, saw):
    answers = [
        boss.call("list_machine"),
        boss.call("get_machine", id="S-1"),
        boss.call("describe_machine")["columns"],
        boss.call("update_machine", id="S-1", values={"api_token": "changed"}),
        boss.call("history_machine", id="S-1"),
    ]
    assert SECRET not in str(answers)
    assert "'changed'" not in str(answers[3]["changed"]["api_token"])
    assert Machine.objects.get().api_token == "changed"
    assert boss.call("list_machine", search="changed")["rows"] == []
    assert "api_token is no filter" in boss.refused("list_machine", filters={"api_token": "changed"})
    assert "api_token" in boss.refused("list_machine", order=["api_token"])
    assert "cannot be read" in boss.refused("list_machine", fields=["api_token"])


def test_a_foreign_key_to_another_field_takes_every_name_of_the_row(boss, saw):
    Machine.objects.create(code="D-1", serial="B/2", kind="d")
    made = boss.call("create_job", values={"machine": "S-1", "name": "Cut planks"})["created"]
    job = Job.objects.get(pk=made["id"])
    assert job.machine == saw
    for name in ("B/2", {"id": "D-1"}, "Drill D-1"):
        Job.objects.update(machine=saw)
        boss.call("update_job", id=made["id"], values={"machine": name})
        assert Job.objects.get().machine_id == "B/2"
    assert boss.call("list_job", filters={"machine": "D-1"})["rows"][0]["machine"]["label"] == "Drill D-1"


def test_what_is_not_given_keeps_its_microseconds_and_its_defaults(boss, saw):
    starts = datetime.datetime(2026, 2, 1, 9, 30, 15, 123456, tzinfo=datetime.UTC)
    lasts = datetime.timedelta(days=1, microseconds=5)
    job = job_of(saw, starts=starts, lasts=lasts, options={"blade": 2}, urgent=False)
    boss.call("update_job", id=str(job.pk), values={"name": "Cut boards"})
    job.refresh_from_db()
    assert (job.starts, job.lasts, job.options) == (starts, lasts, {"blade": 2})


def test_times_are_taken_with_their_zone_by_a_widget_of_two_parts(boss, saw):
    job = job_of(saw)
    values = {"starts": "2026-02-01T10:30:00+01:00", "lasts": "1 02:00:00", "options": {"blade": [1, None]}}
    boss.call("update_job", id=str(job.pk), values=values)
    job.refresh_from_db()
    assert job.starts == datetime.datetime(2026, 2, 1, 9, 30, tzinfo=datetime.UTC)
    assert (job.lasts, job.options) == (datetime.timedelta(days=1, hours=2), {"blade": [1, None]})
    assert "starts: Give ISO 8601" in boss.refused("update_job", id=str(job.pk), values={"starts": "soon"})


def test_a_field_of_the_form_alone_takes_part(boss, saw):
    job = job_of(saw)
    assert "reason: Say why" in boss.refused("update_job", id=str(job.pk), values={"urgent": True})
    boss.call("update_job", id=str(job.pk), values={"urgent": True, "reason": "Rain"})
    job.refresh_from_db()
    assert job.urgent


def test_a_value_that_a_hook_throws_away_is_an_error_and_nothing_is_kept(boss, saw):
    job = job_of(saw)
    refusal = boss.refused("update_job", id=str(job.pk), values={"frozen": "thawed", "name": "Other"})
    assert "frozen: not taken" in refusal
    job.refresh_from_db()
    assert (job.name, job.frozen) == ("Cut planks", "as made")
    assert not LogEntry.objects.exists()


def test_columns_and_readonly_fields_are_plain_text_and_booleans(boss, saw):
    job = job_of(saw, name="<i>Cut</i>")
    [row] = boss.call("list_job")["rows"]
    assert (row["is_long"], row["urgent"]) == (False, False)
    assert boss.call("get_job", id=str(job.pk))["summary"] == "<i>Cut</i> urgent: False"


def test_generic_inlines_are_read_and_written(boss, saw):
    job = job_of(saw)
    boss.call("update_job", id=str(job.pk), values={"note": [{"text": "Mind the knots"}]})
    note = Note.objects.get()
    assert note.about == job
    assert boss.call("get_job", id=str(job.pk))["note"][0]["text"] == "Mind the knots"
    boss.call("update_job", id=str(job.pk), values={"note": [{"id": note.pk, "delete": True}]})
    assert not Note.objects.exists()


def test_rows_of_a_generic_inline_are_related_rows(db):
    boss = caller_of(site_of((Shelf, type("ShelfAdmin", (ModelAdmin,), {"inlines": [NoteInline]})), (Note, ModelAdmin)))
    shelf = Shelf.objects.create(label="Nails")
    boss.call("update_shelf", id=shelf.pk, values={"note": [{"text": "Mind the rust"}]})
    assert boss.call("related_shelf", id=shelf.pk)["counts"] == {"notes": 1}
    assert boss.call("related_shelf", id=shelf.pk, relation="notes")["rows"][0]["label"] == "Mind the rust"


class PartInline(TabularInline):
    model = Part


class HiddenInline(PartInline):
    mcp_expose = False


class SeenByBossInline(PartInline):
    def has_view_permission(self, request, obj=None):
        return request.user.username == "boss"

    has_add_permission = has_change_permission = has_delete_permission = has_view_permission


class PartAdmin(ModelAdmin):
    fields = ["name"]


@pytest.mark.parametrize(("inline", "sees"), [(PartInline, True), (HiddenInline, False), (SeenByBossInline, False)])
def test_rows_that_only_an_inline_ties_are_related_for_who_sees_the_inline(saw, inline, sees):
    saw.parts.create(name="Blade")
    strangers = site_of((Machine, type("MachineAdmin", (ModelAdmin,), {"inlines": [inline]})), (Part, PartAdmin))
    ann = caller_of(strangers, "workshop.view_machine", "workshop.view_part", username="ann")
    assert ann.call("related_machine", id="S-1")["counts"] == ({"parts": 1} if sees else {})
    if not sees:
        assert "use one of: none" in ann.refused("related_machine", id="S-1", relation="parts")


def test_the_one_row_that_belongs_to_a_row_is_related(saw):
    boss = boss_of((Machine, ModelAdmin), (Preset, ModelAdmin), (Press, ModelAdmin))
    assert boss.call("related_machine", id="S-1")["counts"] == {"preset": 0}
    Preset.objects.create(values="slow", machine=saw)
    assert boss.call("related_machine", id="S-1")["counts"] == {"preset": 1}
    [row] = boss.call("related_machine", id="S-1", relation="preset")["rows"]
    assert row["label"] == "slow"
    assert boss.call("describe_press")["relations"] == ["preset"]


def test_inherited_and_proxy_models_work_as_others(boss):
    boss.call("create_press", values={"code": "P-1", "serial": "P1", "tons": 2.5})
    assert boss.call("update_press", id="P-1", values={"tons": {"multiply": 2}})["changed"] == {"tons": [2.5, 5.0]}
    assert boss.call("get_oldmachine", id="P-1")["serial"] == "P1"
    Press.objects.update(tons=200)
    assert "You see no press" in boss.refused("get_press", id="P-1")
    assert "You see no press" in boss.refused("bulk_press", operation="delete", ids=["P-1"])


def test_protected_rows_are_counted_in_the_refusal(boss, saw):
    job_of(saw)
    assert "protected rows: 1 x job (Job: Cut planks on Saw S-1)" in boss.refused("delete_machine", id="S-1")


def test_a_default_that_is_a_function_is_taken(boss, saw):
    boss.call("create_job", values={"machine": "S-1", "name": "Now"})
    assert abs(Job.objects.get().starts - now()) < datetime.timedelta(minutes=1)


def test_a_secret_in_an_inline_is_never_shown(boss, saw):
    part = Part.objects.create(machine=saw, name="Blade", api_key="old-secret")
    assert "api_key" not in boss.call("get_machine", id="S-1")["parts"][0]
    values = {"parts": [{"id": part.pk, "api_key": "new-secret", "name": "Disc"}]}
    answer = boss.call("update_machine", id="S-1", values=values)
    shown = str([answer, boss.call("history_machine", id="S-1")])
    assert "Disc" in shown
    assert "-secret" not in shown
    part.refresh_from_db()
    assert part.api_key == "new-secret"


def test_an_id_means_the_row_that_reads_so_whatever_column_the_foreign_key_stores(boss):
    seven, other = Machine.objects.create(code="7", serial="A 1"), Machine.objects.create(code="8", serial="7")
    job = job_of(other)
    assert boss.call("update_job", id=str(job.pk), values={"machine": 7})["changed"]["machine"][1]["id"] == "7"
    refusal = boss.refused("update_job", id=str(job.pk), values={"machine": "7"})
    assert "'7' names several machines" in refusal
    boss.call("update_job", id=str(job.pk), values={"machine": {"serial": "7"}})
    boss.call("update_job", id=str(job.pk), values={"machine": {"id": "7"}})
    job.refresh_from_db()
    assert job.machine == seven


def test_a_unique_field_called_like_an_argument_names_its_row_within_the_id(db):
    boss = boss_of((Preset, ModelAdmin))
    boss.call("create_preset", values={"values": "slow"})
    preset = Preset.objects.get()
    assert boss.call("update_preset", id=preset.pk, values={"speed": 2})["changed"] == {"speed": [1, 2]}
    assert boss.call("update_preset", id={"values": "slow"}, values={"speed": 3})["changed"] == {"speed": [2, 3]}
    assert "Name one row by id." in boss.refused("update_preset", values={"speed": 4})


def test_what_only_the_database_can_work_out_is_left_to_it(db):
    boss = boss_of((Preset, ModelAdmin))
    assert boss.tools()["create_preset"].input_schema["properties"]["values"]["required"] == ["values"]
    assert boss.call("create_preset", values={"values": "slow"}, dry_run=True)["created"]["values"] == "slow"
    boss.call("create_preset", values={"values": "slow"})
    assert now() - Preset.objects.get().made < datetime.timedelta(minutes=1)
    boss.call("create_preset", values={"values": "fast", "made": "2026-02-01T09:30:00+00:00"})
    assert Preset.objects.get(values="fast").made == datetime.datetime(2026, 2, 1, 9, 30, tzinfo=datetime.UTC)
    assert "made" in boss.refused("create_preset", values={"values": "odd", "made": None})


class CleaningForm(forms.ModelForm):
    def clean(self):
        return self.cleaned_data


@pytest.mark.parametrize("form", [forms.ModelForm, CleaningForm])
def test_bytes_are_written_as_base64(db, form):
    boss = boss_of((Preset, type("PresetAdmin", (ModelAdmin,), {"form": form})))
    taken = boss.tools()["create_preset"].input_schema["properties"]["values"]["properties"]
    assert taken["program"] == {"type": "string", "contentEncoding": "base64"}
    boss.call("create_preset", values={"values": "slow", "program": "AP8="})
    preset = Preset.objects.get()
    assert preset.program == b"\x00\xff"
    for text in ("turn left", "größer", "AP8"):
        assert boss.refused("update_preset", id=preset.pk, values={"program": text}) == "program: Give base64."
    assert boss.call("update_preset", id=preset.pk, values={"speed": 2})["changed"] == {"speed": [1, 2]}
    preset.refresh_from_db()
    assert preset.program == b"\x00\xff"
    changed = boss.call("update_preset", id=preset.pk, values={"program": "AA=="})["changed"]
    assert changed == {"program": ["[2 bytes]", "[1 bytes]"]}


def test_a_list_without_columns_names_none(boss):
    assert boss.tools()["list_oldmachine"].description == "List old machines."
    assert boss.tools()["list_job"].description == "List jobs: name, machine, is_long, urgent"
