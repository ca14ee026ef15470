"""What no honest caller sends is refused in one sentence and leaves nothing behind."""

import logging
import math
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.files.storage import default_storage

from tests.mcp_server.derive.admin.conftest import Caller, caller_of
from tests.mcp_server.derive.admin.vault.models import Case, Client, Step
from tests.mcp_server.derive.admin.vault.people import make_case, make_client, make_stranger
from tests.mcp_server.derive.admin.workshop.models import Machine
from tests.mcp_server.derive.admin.workshop.site import site as workshop

pytestmark = pytest.mark.django_db

HELLO = "aGVsbG8="


NUMBERS = [10**5000, 10**301, 2**63, -(10**19), "1e400", "1e999999999", "NaN", "Infinity", "-inf", "0x10", True, [], {}]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: repr(number)[:12] if number != 10**5000 else "huge")
def test_a_number_no_column_holds_is_refused(ann, number):
    case = make_case(ann.user)
    for given in (number, {"add": number}, {"multiply": number}):
        for field in ("fee", "ratio"):
            if ann.result("update_case", id=case.pk, values={field: given}).is_error:
                assert "Something went wrong" not in ann.refused("update_case", id=case.pk, values={field: given})
    case.refresh_from_db()
    assert case.fee == 0
    assert math.isfinite(case.ratio)
    for filters in ({"fee": number}, {"fee__in": [number]}, {"fee__gte": number}, {"client": number}):
        answer = ann.result("list_case", filters=filters)
        assert "Something went wrong" not in str(answer.content)
    assert "Something went wrong" not in str(ann.result("get_case", id=number).content)


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\x00", "a\x00b"])
def test_text_that_is_none_is_refused(ann, text):
    case = make_case(ann.user)
    tries = [
        ("update_case", {"id": case.pk, "values": {"title": text}}),
        ("get_case", {"id": text}),
        ("get_case", {"code": text}),
        ("list_case", {"search": text}),
        ("list_case", {"filters": {"title": text}}),
        ("list_case", {"order": [text]}),
        ("autocomplete_case", {"search": text}),
        ("autocomplete_case", {"field": "client", "search": text}),
        ("bulk_case", {"operation": "delete", "ids": [text]}),
        ("action_case", {"action": "stamp", "ids": [text]}),
    ]
    for tool, arguments in tries:
        assert "Something went wrong" not in ann.refused(tool, **arguments), tool
    case.refresh_from_db()
    assert case.title == "Missing deed"


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def test_what_is_too_deep_long_or_many_is_refused(ann):
    case = make_case(ann.user)
    assert "levels deep" in ann.refused("update_case", id=case.pk, values={"extra": nested(100)})
    assert "at most 100 values" in ann.refused("list_case", filters={"fee__in": [1] * 101})
    assert "at most 100 values" in ann.refused("list_case", filters={"client": [1] * 101})
    assert "each column once" in ann.refused("list_case", order=["title", "-title"] * 500)
    for tool in ("list_case", "autocomplete_case"):
        assert "at most 500 characters" in ann.refused(tool, search="a " * 300)
    assert "You see no case" in ann.refused("get_case", id="a " * 300)
    assert "At most 100 rows" in ann.refused("bulk_case", operation="delete", ids=[1] * 101)
    assert "at most 100 rows" in ann.refused("action_case", action="stamp", ids=[1] * 101)
    steps = [{"text": "Ask"}] * 1001
    assert "steps: at most 1000 rows" in ann.refused("update_case", id=case.pk, values={"steps": steps})
    for limit in (-1, 0, 101, 10**9):
        assert "limit: give a number" in ann.refused("list_case", limit=limit)
    assert "offset: give a number" in ann.refused("list_case", offset=-1)


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("../../etc/passwd", "scans/passwd"),
        ("/etc/passwd", "scans/passwd"),
        ("c:\\users\\ann\\will.txt", "scans/will.txt"),
        ("..\\..\\will.txt", "scans/will.txt"),
        ("will\x00.txt", "scans/will.txt"),
    ],
)
def test_a_files_name_leads_nowhere_else(ann, name, stored):
    case = make_case(ann.user)
    ann.call("update_case", id=case.pk, values={"scan": {"name": name, "content": HELLO}})
    case.refresh_from_db()
    try:
        assert case.scan.name == stored
    finally:
        default_storage.delete(case.scan.name)


@pytest.mark.parametrize(
    "value", ["/etc/passwd", {"name": "a.txt"}, {"content": HELLO}, {"path": "/etc/passwd"}, 7, []]
)
def test_only_bytes_that_came_along_become_a_file(ann, value):
    case = make_case(ann.user)
    assert "scan: Give" in ann.refused("update_case", id=case.pk, values={"scan": value})
    for name in ("..", ".", "", "/", "a/.."):
        file = {"name": name, "content": HELLO}
        assert ann.refused("update_case", id=case.pk, values={"scan": file}).startswith("scan: ")


def test_no_key_and_no_management_form_is_written(ann):
    case, other = make_case(ann.user), make_case(ann.user)
    step = Step.objects.create(case=case, text="Ask around")
    theirs = Step.objects.create(case=make_case(make_stranger()), text="Theirs")
    for name in ("id", "pk", "steps-TOTAL_FORMS", "steps-0-id", "_save", "_popup", "_to_field", "_saveasnew", "margin"):
        assert f"{name} " in ann.refused("update_case", id=case.pk, values={name: other.pk})
    for row in ({"case": other.pk}, {"barcode": "B"}, {"DELETE": "on"}, {"id": step.pk, "case": other.pk}):
        assert "cannot be written" in ann.refused("update_case", id=case.pk, values={"steps": [row]}) or "DELETE" in row
    assert "no row" in ann.refused("update_case", id=case.pk, values={"steps": [{"id": theirs.pk, "delete": True}]})
    assert [step.case for step in Step.objects.order_by("pk")] == [case, theirs.case]


def test_an_update_cannot_write_over_another_row():
    boss = caller_of(workshop)
    Machine.objects.create(code="S-1", serial="A")
    hidden = Machine.objects.create(code="S-2", serial="B")
    values = {"code": "S-2", "serial": "A"}
    assert "cannot" in boss.refused("update_oldmachine", id="S-1", values=values)
    hidden.refresh_from_db()
    assert hidden.serial == "B"
    assert boss.call("update_oldmachine", id="S-1", values={"code": "S-1", "kind": "d"})["changed"] == {
        "kind": ["s", "d"]
    }


def test_what_the_database_refuses_is_in_no_log_with_its_values(boss, caplog, monkeypatch):
    case = make_case(boss.user)

    def save(self: Any, *args: Any, **kwargs: Any) -> None:
        # Past the form's own check, as a second caller at the same moment is.
        Client.objects.create(name="N", email="n@example.com", ssn="111-0", owner=self.owner)

    monkeypatch.setattr(Case, "save", save)
    with caplog.at_level(logging.INFO):
        refusal = boss.refused("update_case", id=case.pk, values={"fee": 3})
    assert "The database refused this case" in refusal
    assert "IntegrityError" in caplog.text
    assert "111-0" not in caplog.text + refusal
    assert "UNIQUE" not in refusal


def limited(ann, *codenames):
    caller = Caller(ann.server, ann.user, access="limited")
    caller.token.permissions.set(Permission.objects.filter(codename__in=codenames))
    return caller


def test_a_limited_token_runs_no_action_that_says_not_what_it_needs(ann):
    case = make_case(ann.user)
    looks = limited(ann, "view_case")
    assert [row["action"] for row in looks.call("actions_case")["actions"]] == ["stamp"]
    assert "action: use one of: stamp" in looks.refused("action_case", action="shred", ids=[case.pk])
    assert looks.call("action_case", action="stamp", ids=[case.pk])["messages"] == ["1 stamped"]
    case.refresh_from_db()
    assert case.title == "Missing deed"
    writes = limited(ann, "view_case", "change_case")
    assert writes.call("action_case", action="shred", ids=[case.pk])["changed"]


def test_an_actions_page_cannot_widen_its_own_run(ann):
    first, second = make_case(ann.user), make_case(ann.user, "Second")
    asked = ann.call("action_case", action="retitle", ids=[first.pk])
    assert asked["parameters"].keys() == {"title", "select_across", "action"}
    given = {"title": "Retitled", "select_across": "1", "action": "shred"}
    ann.call("action_case", action="retitle", ids=[first.pk], confirm=True, parameters=given)
    second.refresh_from_db()
    first.refresh_from_db()
    assert (first.title, second.title) == ("Retitled", "Second")


def test_a_dry_run_leaves_nothing(ann, django_capture_on_commit_callbacks):
    case = make_case(ann.user)
    file = {"name": "dry.txt", "content": HELLO}
    with django_capture_on_commit_callbacks() as callbacks:
        values = {"fee": 9, "scan": file, "steps": [{"text": "Ask"}]}
        ann.call("update_case", id=case.pk, values=values, dry_run=True)
        ann.call("bulk_case", operation="update", ids=[case.pk], values=values, dry_run=True)
        ann.call("action_case", action="shred", ids=[case.pk], dry_run=True)
        ann.call("delete_case", id=case.pk, dry_run=True)
    assert callbacks == []
    case.refresh_from_db()
    assert (case.fee, case.title, case.scan.name) == (0, "Missing deed", "")
    assert not Step.objects.exists()
    assert not LogEntry.objects.exists()
    assert not default_storage.exists("scans/dry.txt")


def test_what_fails_of_a_bulk_run_leaves_nothing_of_itself(ann):
    fine, frozen = make_case(ann.user), make_case(ann.user, frozen=True)
    ids = [fine.pk, frozen.pk, 999]
    answer = ann.call("bulk_case", operation="update", ids=ids, values={"fee": 4}, atomic=False)
    assert (answer["done"], answer["failed"]) == (1, 2)
    assert list(Case.objects.order_by("pk").values_list("fee", flat=True)) == [4, 0]
    assert LogEntry.objects.count() == 1
    assert ann.result("bulk_case", operation="update", ids=ids, values={"fee": 5}).is_error
    assert list(Case.objects.order_by("pk").values_list("fee", flat=True)) == [4, 0]
    make_client(ann.user)
    assert LogEntry.objects.count() == 1
