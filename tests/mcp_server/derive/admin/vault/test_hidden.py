"""Nobody reads, finds, names or guesses what the admin would not show them."""

import json
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db.models import Case as Case_
from django.db.models import Count, F, OuterRef, Q, Subquery, When
from django.db.models.expressions import RawSQL
from django.db.models.functions import Lower

from tests.mcp_server.derive.admin.conftest import caller_of, site_of
from tests.mcp_server.derive.admin.vault.models import Bank, Case, Client, Step
from tests.mcp_server.derive.admin.vault.people import make_case, make_client, make_stranger

pytestmark = pytest.mark.django_db


def test_a_list_tells_nothing_of_a_page_that_stays_closed(ann):
    make_case(ann.user, code="C-open", fee=3)
    sealed = make_case(ann.user, "Sealed will", code="C-sealed", fee=5, sealed=True)
    rows = ann.call("list_case", fields=["title", "fee", "code"])["rows"]
    assert [(row["title"], row.get("fee"), row.get("code")) for row in rows] == [
        ("Missing deed", 3, "C-open"),
        ("Sealed will", None, None),
    ]
    asked = [ann.call("list_case"), ann.call("autocomplete_case")]
    asked += [ann.call("related_client", id=client.pk, relation="cases") for client in Client.objects.all()]
    assert "C-open" in json.dumps(asked)
    assert "C-sealed" not in json.dumps(asked)
    assert "You may not see" in ann.refused("get_case", id=sealed.pk)


def test_a_field_shown_to_superusers_alone_is_neither_filter_nor_history(ann, boss):
    case = make_case(ann.user, margin=77)
    step = Step.objects.create(case=case, text="Ask around", barcode="B-1")
    values = {"margin": 78, "fee": 2, "steps": [{"id": step.pk, "hours": 9}]}
    boss.call("update_case", id=case.pk, values=values)
    entry = boss.call("history_case", id=case.pk)["entries"][0]
    assert entry["changes"] == {"fee": [0, 2], "margin": [77, 78], "Ask around: hours": [0, 9]}
    entry = ann.call("history_case", id=case.pk)["entries"][0]
    assert entry["changes"] == {"fee": [0, 2], "Ask around: hours": [0, 9]}
    ann.user.user_permissions.remove(*Permission.objects.filter(codename__endswith="_step"))
    assert ann.call("history_case", id=case.pk)["entries"][0]["changes"] == {"fee": [0, 2]}
    assert "is no filter" in ann.refused("list_case", filters={"margin__gte": 70})
    assert "cannot be written here" in ann.refused("update_case", id=case.pk, values={"margin": 1})


@pytest.mark.parametrize("ref", [{"ssn": "111-0"}, "111-0", {"id": "111-0"}])
def test_a_row_is_not_named_by_a_field_its_page_does_not_show(ann, ref):
    case = make_case(ann.user)
    assert ann.result("list_case", filters={"client": ref}).is_error
    assert ann.result("update_case", id=case.pk, values={"client": ref}, dry_run=True).is_error
    assert ann.result("get_client", id=ref).is_error
    assert ann.call("autocomplete_case", field="client", search="111-0")["rows"] == []


def test_an_inlines_row_is_not_named_by_a_field_it_does_not_show(ann):
    case = make_case(ann.user)
    Step.objects.create(case=case, text="Ask around", barcode="B-1")
    assert "no row 'B-1'" in ann.refused("update_case", id=case.pk, values={"steps": [{"id": "B-1", "hours": 3}]})
    assert ann.call("update_case", id=case.pk, values={"steps": [{"id": "Ask around", "hours": 3}]})["changed"]


def test_rows_of_a_model_without_admin_are_those_of_the_form_by_their_labels(ann):
    Bank.objects.create(name="Vault of the state", routing="R-1")
    town = Bank.objects.create(name="Town bank", routing="R-2")
    offered = [{"id": town.pk, "label": "Town bank"}]
    assert ann.call("autocomplete_case", field="bank")["rows"] == offered
    assert ann.call("autocomplete_case", field="bank", search="town")["rows"] == offered
    assert ann.call("autocomplete_case", field="bank", search="R-")["rows"] == []
    case = make_case(ann.user)
    for ref in ("R-2", {"routing": "R-2"}, "Vault of the state", {"id": 1}):
        assert ann.result("update_case", id=case.pk, values={"bank": ref}).is_error == (ref != {"id": town.pk})
    assert ann.call("update_case", id=case.pk, values={"bank": "Town bank"})["changed"]["bank"][1] == offered[0]


def test_a_selection_without_the_right_to_look_takes_labels_only_where_the_page_lists_them(caller):
    clerk = caller("clerk", "vault.add_case")
    client = make_client(clerk.user)
    values = {"title": "T", "code": "C", "owner": clerk.user.pk, "fee": 1, "ratio": 1}
    # The page has a plain select of clients, and a bare key for the owner.
    assert clerk.call("create_case", values=values | {"client": "Mina Harker"}, dry_run=True)
    refusals = [
        clerk.refused("create_case", values=values | {"client": {"email": client.email}}),
        clerk.refused("create_case", values=values | {"client": client.pk, "owner": "clerk"}),
    ]
    assert ["client: A client is named by" in refusals[0], "owner: Give an id" in refusals[1]] == [True, True]


@pytest.mark.parametrize(
    ("permission", "operation", "lacks"),
    [("add", "update", "change"), ("add", "delete", "delete"), ("delete", "update", "change")],
)
def test_who_may_not_look_learns_of_no_row(caller, permission, operation, lacks):
    guest = caller("guest", f"vault.{permission}_case")
    case = make_case(guest.user, code="C-1")
    values = {"values": {"fee": 1}} if operation == "update" else {}
    for ids in ([case.pk], ["C-1"], ["C-2"], [case.pk, "C-1"]):
        refusal = guest.refused("bulk_case", operation=operation, ids=ids, **values)
        assert refusal == f"You may not {lacks} cases: it needs vault.{lacks}_case."


def test_who_only_deletes_names_rows_by_their_id(caller):
    guest = caller("guest", "vault.delete_case")
    case = make_case(guest.user, code="C-1")
    for ref in ("C-1", "Missing deed", {"code": "C-1"}, {"label": "Missing deed"}):
        assert guest.result("delete_case", id=ref).is_error
        assert guest.result("bulk_case", operation="delete", ids=[ref]).is_error
    assert guest.result("delete_case", code="C-1").is_error
    assert guest.call("delete_case", id=case.pk, dry_run=True)["deleted"]["id"] == case.pk


@pytest.mark.parametrize("missing", [[], ["nobody's"]])
def test_a_row_named_twice_is_changed_by_nothing(ann, missing):
    case = make_case(ann.user, code="C-1")
    arguments = {"operation": "update", "ids": [case.pk, "C-1", *missing], "values": {"fee": {"add": 1}}}
    assert "named more than once" in ann.refused("bulk_case", **arguments, atomic=False)
    case.refresh_from_db()
    assert case.fee == 0


def test_rows_of_others_are_nowhere(ann):
    theirs = make_case(make_stranger(), code="C-theirs")
    step = Step.objects.create(case=theirs, text="Theirs")
    mine = make_case(ann.user, code="C-mine", client=make_client(ann.user))
    for tool in ("get", "delete", "history"):
        for ref in (theirs.pk, "C-theirs", {"label": "Missing deed", "id": theirs.pk}):
            assert "You see no case" in ann.refused(f"{tool}_case", id=ref)
    assert "You see no client" in ann.refused("related_client", id=theirs.client_id)
    assert "You see no case" in ann.refused("update_case", code="C-theirs", values={"fee": 1})
    for ids in ([theirs.pk], [mine.pk, theirs.pk], [mine.pk, "C-theirs"]):
        assert "You see no case" in ann.refused("bulk_case", operation="update", ids=ids, values={"fee": 1})
        assert "You see no case" in ann.refused("action_case", action="shred", ids=ids)
    assert "no row" in ann.refused("update_case", id=mine.pk, values={"steps": [{"id": step.pk, "text": "Mine"}]})
    assert [row["code"] for row in ann.call("list_case")["rows"]] == ["C-mine"]
    assert ann.call("list_case", count_only=True) == {"total": 1}
    assert "You see no client" in ann.refused("list_case", filters={"client": theirs.client_id})
    assert Case.objects.filter(fee=0, title="Missing deed").count() == 2


def test_a_relation_is_told_only_where_both_ends_are_shown(boss):
    client = make_client(boss.user)
    make_case(boss.user, client=client).watchers.add(client)
    # The form of a case has its client, and no watchers.
    assert boss.call("related_client", id=client.pk)["counts"] == {"cases": 1}
    assert "use one of: cases" in boss.refused("related_client", id=client.pk, relation="watched")
    assert boss.call("describe_client")["relations"] == ["cases"]


def sorted_by(path: str) -> Any:
    return admin.display(ordering=path)(lambda *row: "*" * 8)


class RankedAdmin(admin.ModelAdmin):
    """Sorts by what its queryset adds to the rows: of their own, of related ones, of secrets."""

    own, far, near, asked, wise, written = map(sorted_by, ["own", "far", "near", "asked", "wise", "written"])
    list_display = ["title", "own", "far", "near", "asked", "wise", "written"]

    def get_queryset(self, request: Any) -> Any:
        steps = Step.objects.filter(case=OuterRef("pk"))
        return Case.objects.annotate(
            own=Lower("title"),
            far=F("client__owner__email"),
            near=Count("steps", filter=Q(client__name__startswith="M")),
            asked=Subquery(steps.values("hours")[:1]),
            wise=Case_(When(client__pin_code="4711", then=1), default=0),
            written=RawSQL("SELECT 1", []),
        )


@pytest.mark.parametrize(
    ("may_view", "order"),
    [((), ["own"]), (("step",), ["own", "asked"]), (("step", "client"), ["own", "near", "asked"])],
)
def test_an_order_by_what_a_queryset_adds_leads_only_through_what_the_caller_may_view(db, may_view, order):
    make_case(make_stranger())
    site = site_of((Case, RankedAdmin))
    ann = caller_of(site, *(f"vault.view_{model}" for model in ("case", *may_view)), username="ann")
    assert ann.call("describe_case")["order"] == ["title", *order]
    assert ann.call("list_case", order=order)["total"] == 1
    assert "cannot be ordered by" in ann.refused("list_case", order=["far"])
