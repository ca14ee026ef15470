"""What is named or kept like a secret is in no answer, filter, order, search, log entry or audit row."""

import json
from typing import Any, ClassVar

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db.models import CharField, Count, FilteredRelation, OuterRef, Q, Subquery
from django.db.models.expressions import RawSQL
from django.http import HttpResponse

from mcp_server.derive.secrecy import is_secret
from mcp_server.derive.tool_search import collapse_derived_tools
from tests.mcp_server.derive.admin.conftest import Caller, server_of, site_of
from tests.mcp_server.derive.admin.vault.models import Case, Client
from tests.mcp_server.derive.admin.vault.people import SECRETS, make_case, make_client
from tests.mcp_server.derive.admin.vault.site import site
from tokens.models import ToolCall

pytestmark = pytest.mark.django_db


SECRET_NAMES = (
    "pin pin_code pincode card_pin recovery_codes backup_code otp otp_seed totp_secret webhook_secret private_key "
    "api_key password_hash pw_hash jwt encrypted_note seed_phrase seed wallet_seed cvc access_code hash_salt pinHash "
    "owner__password 2fa_seed security_code"
)
ORDINARY_NAMES = (
    "ssn country_code code shipping pinned pin_count opinion spinner laptop seed_count author keyword hash_rate salted "
    "zip_code discount_code cotopaxi hotplate pwr"
)


@pytest.mark.parametrize("name", SECRET_NAMES.split())
def test_odd_names_of_secrets_are_known(name):
    assert is_secret(name)


@pytest.mark.parametrize("name", ORDINARY_NAMES.split())
def test_ordinary_names_are_no_secrets(name):
    assert not is_secret(name)


@pytest.mark.parametrize("kind", ["EncryptedCharField", "FernetTextField", "CharPGPPublicKeyField", "CipherField"])
def test_kinds_of_fields_that_encrypt_are_known_by_their_names(kind):
    class Patient:
        """Stands for a model with one field of this kind."""

        class _meta:
            get_field = staticmethod({"illness": type(kind, (CharField,), {})()}.__getitem__)

    assert is_secret("illness", Patient)


class ClientAdmin(admin.ModelAdmin):
    list_display = list_filter = ("has_password", "token_valid_until")
    fields = ("has_password", "token_valid_until", "webhook_secret")


def test_switches_and_times_are_no_secrets_whatever_they_are_called(boss):
    client, boss = make_client(boss.user), Caller(server_of(site_of((Client, ClientAdmin))), boss.user)
    assert boss.call("list_client", filters={"has_password": False})["rows"][0]["token_valid_until"] is None
    values = {"has_password": True, "token_valid_until": "2026-12-24"}
    told = boss.call("update_client", id=client.pk, values=values)["changed"]
    assert told == {"has_password": [False, True], "token_valid_until": [None, "2026-12-24"]}
    assert "webhook_secret" not in boss.call("get_client", id=client.pk)


class QueryFilter(admin.SimpleListFilter):
    """Takes any condition, as the filters with an input for one do."""

    title = parameter_name = "query"

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return [()]

    def queryset(self, request: Any, queryset: Any) -> Any:
        name, _, text = (self.value() or "").partition("=")
        return queryset.filter(**{name: text}) if name else queryset


class QueriedAdmin(admin.ModelAdmin):
    list_filter = [QueryFilter]


@pytest.mark.parametrize(
    "query",
    [
        "client__webhook_secret__startswith=wh",
        "owner__password__startswith=pbkdf2",
        "extra__api_key=sk",
        "extra__mail__api_key__startswith=sk",
    ],
)
def test_a_filter_that_takes_any_condition_takes_none_about_a_secret(boss, query):
    make_case(boss.user)
    boss = Caller(server_of(site_of((Case, QueriedAdmin))), boss.user)
    assert boss.call("list_case", filters={"query": "owner__username=boss"}, count_only=True)["total"] == 1
    assert boss.refused("list_case", filters={"query": query}) == "filters: query: that looks at a secret."


def by_subquery(rows: Any, text: str) -> Any:
    client = Client.objects.filter(pk=OuterRef("client"))
    return rows.annotate(found=Subquery(client.values("webhook_secret")[:1])).filter(found__startswith=text)


def by_count(rows: Any, text: str) -> Any:
    told = Count("client", filter=Q(client__webhook_secret__startswith=text))
    return rows.annotate(told=told).filter(told__gt=0)


def by_condition(rows: Any, text: str) -> Any:
    told = FilteredRelation("client", condition=Q(client__webhook_secret__startswith=text))
    return rows.annotate(told=told).filter(told__isnull=False)


def by_sql(rows: Any, text: str) -> Any:
    found = RawSQL("SELECT webhook_secret FROM vault_client WHERE id = client_id", ())
    return rows.annotate(found=found).filter(found__startswith=text)


def by_written_condition(rows: Any, text: str) -> Any:
    return rows.extra(tables=["vault_client"], where=["vault_client.webhook_secret LIKE %s"], params=[f"{text}%"])


class WrittenFilter(admin.SimpleListFilter):
    """Narrows the list by something that a model's field does not say at first sight."""

    title = parameter_name = "written"
    choices_told: ClassVar[Any] = [()]
    narrow: ClassVar[Any]

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return self.choices_told

    def queryset(self, request: Any, queryset: Any) -> Any:
        return type(self).narrow(queryset, self.value()) if self.value() else queryset


class WrittenAdmin(admin.ModelAdmin):
    list_filter = [WrittenFilter]


NARROWING = (by_subquery, by_count, by_condition, by_sql, by_written_condition)


@pytest.mark.parametrize("narrow", NARROWING)
@pytest.mark.parametrize("choices", [[()], [("wh", "Made here")]])
def test_no_filter_finds_the_beginning_of_a_secret(boss, monkeypatch, narrow, choices):
    monkeypatch.setattr(WrittenFilter, "narrow", narrow, raising=False)
    monkeypatch.setattr(WrittenFilter, "choices_told", choices)
    make_case(boss.user)
    boss = Caller(server_of(site_of((Case, WrittenAdmin))), boss.user)
    assert boss.refused("list_case", filters={"written": "w"}).startswith("filters: written: ")
    if choices != [()]:
        boss.call("list_case", filters={"written": "wh"})


class SealedAdmin(QueriedAdmin):
    def get_queryset(self, request: Any) -> Any:
        return super().get_queryset(request).exclude(client__webhook_secret="")


def test_a_list_that_looks_at_a_secret_by_itself_lets_nobody_else_do_so(boss):
    make_case(boss.user)
    boss = Caller(server_of(site_of((Case, SealedAdmin))), boss.user)
    assert len(boss.call("list_case", filters={"query": "owner__username=boss"})["rows"]) == 1
    assert "a secret" in boss.refused("list_case", filters={"query": "client__webhook_secret__startswith=wh"})


class ExportingAdmin(admin.ModelAdmin):
    actions = ("export",)

    def export(self, request: Any, queryset: Any) -> HttpResponse:
        lines = queryset.values_list("title", "owner__username", "owner__password")
        return HttpResponse("\n".join(",".join(line) for line in lines), content_type="text/csv")


def test_an_export_of_columns_holds_no_encoded_password(boss):
    boss.user.set_password("hunter2-login")
    boss.user.save()
    boss, case = Caller(server_of(site_of((Case, ExportingAdmin))), boss.user), make_case(boss.user)
    answer = boss.result("action_case", action="export", ids=[case.pk])
    assert answer.content[1].resource.text == "Missing deed,boss,[secret]"


def test_no_tool_reads_a_secret_whatever_it_is_called(boss):
    client = make_client(boss.user)
    collapsed = server_of(site)
    collapse_derived_tools(collapsed)
    search = Caller(collapsed, boss.user)
    values = {name: ["new"] if name == "recovery_codes" else "new" for name in SECRETS}
    answers = [
        boss.call("list_client"),
        boss.call("get_client", id=client.pk),
        boss.call("describe_client"),
        boss.call("autocomplete_client"),
        boss.call("update_client", id=client.pk, values=values),
        boss.call("history_client", id=client.pk),
        search.call("call_tool", name="update_client", arguments={"id": client.pk, "values": values}),
        boss.call("create_client", values={"name": "N", "email": "n@x.org", "owner": boss.user.pk}, dry_run=True),
        list(LogEntry.objects.values_list("change_message", flat=True)),
        list(ToolCall.objects.values_list("arguments", "error")),
    ]
    told = json.dumps(answers)
    secrets = ["-pin", "-recovery", "-seed", "-hook", "-private", "-encrypted", "-blind", "unset"]
    assert [secret for secret in secrets if secret in told] == []
    assert '"new"' not in told
    # All but the secrets stays in the audit.
    assert "n@x.org" in json.dumps(list(ToolCall.objects.values_list("arguments", flat=True)))
    assert Client.objects.get().otp_seed == "new"


@pytest.mark.parametrize("name", [*SECRETS, "by_seed"])
def test_no_secret_filters_sorts_or_is_searched(ann, name):
    make_client(ann.user)
    assert "cannot be ordered by" in ann.refused("list_client", order=[name])
    for lookup in ("", "__startswith", "__gte", "__in", "__isnull"):
        assert "is no filter" in ann.refused("list_client", filters={f"{name}{lookup}": "4"})
    if name in SECRETS:
        term = SECRETS[name] if isinstance(SECRETS[name], str) else SECRETS[name][0]
        assert ann.call("list_client", search=term)["rows"] == []
        assert ann.call("autocomplete_client", search=term)["rows"] == []
        assert "is not an argument" in ann.refused("get_client", **{name: term})
        assert "is named by one of" in ann.refused("list_case", filters={"client": {name: term}})


def test_no_secret_of_a_related_model_is_reached(boss):
    make_case(User.objects.create_user("bob", password="x"))
    hash_ = User.objects.get(username="bob").password
    described = json.dumps(boss.call("describe_case"))
    assert "password" not in described
    assert "otp_seed" not in described
    assert "pin_code" not in described
    assert hash_ not in json.dumps([boss.call("list_case"), boss.call("related_client", id=Client.objects.get().pk)])
    for path in ("owner__password", "client__pin_code", "client__otp_seed"):
        assert "is no filter" in boss.refused("list_case", filters={f"{path}__startswith": "p"})
        assert "cannot be ordered by" in boss.refused("list_case", order=[path])
        assert "cannot be read" in boss.refused("list_case", fields=[path])
    assert boss.call("list_case", search="JBSW")["rows"] == []
    assert boss.call("list_client", search=hash_[:5])["rows"] == []


def test_keys_of_json_hide_secrets_and_a_write_keeps_them(ann):
    stored = {"password": "hunter2", "n": 1, "hooks": [{"url": "a", "token": "t-1"}, {"url": "b", "token": "t-2"}]}
    case = make_case(ann.user, extra=stored)
    read = ann.call("get_case", id=case.pk)["extra"]
    assert read == {"password": "[secret]", "n": 1, "hooks": [{"url": u, "token": "[secret]"} for u in "ab"]}
    changed = read | {"n": 2, "hooks": [read["hooks"][1], {"url": "c", "token": "t-3"}]}
    answer = ann.call("update_case", id=case.pk, values={"extra": changed})
    assert "hunter2" not in str([answer, ann.call("history_case", id=case.pk)])
    case.refresh_from_db()
    hooks = [{"url": "b", "token": "t-2"}, {"url": "c", "token": "t-3"}]
    assert case.extra == {"password": "hunter2", "n": 2, "hooks": hooks}
    for extra in ({"pin": "[secret]"}, [{"token": "[secret]"}], "[secret]"):
        assert "none to keep" in ann.refused("update_case", id=case.pk, values={"extra": extra})


@pytest.mark.parametrize("lookup", ["", "__icontains", "__startswith", "__in", "__gte"])
def test_json_is_no_oracle(ann, lookup):
    make_case(ann.user, extra={"password": "hunter2"})
    assert "takes __isnull only" in ann.refused("list_case", filters={f"extra{lookup}": "hunter"})


def test_a_unique_secret_names_no_row(boss):
    make_case(boss.user)
    for ref in ({"health": "gout-encrypted"}, {"pin_code": "4711-pin"}):
        assert "is named by" in boss.refused("get_client", id=ref)
        assert boss.result("update_case", id=Case.objects.get().pk, values={"client": ref}, dry_run=True).is_error
