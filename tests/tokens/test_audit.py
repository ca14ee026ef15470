"""What an audit row keeps of a call, and what it never does."""

import json
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.db import connection

from tests.tokens.people import make_token
from tokens.audit import REDACTED, build_tool_call, record_tool_call_row, redact, redact_text, save_tool_calls
from tokens.models import ToolCall
from tokens.secret import make_secret


@pytest.mark.parametrize(
    "name",
    [
        *("password", "PASSWORD", "new_password", "passwd", "pwd", "token", "accessToken", "secret", "clientSecret"),
        *("key", "api_key", "apikey", "API-Key", "privateKey", "authorization", "credentials", "cookie", "Bearer"),
        *("pin_code", "recoveryCodes", "otp_seed"),
    ],
)
def test_values_named_like_a_secret_are_not_kept(name: str) -> None:
    assert redact({name: "hunter2"}) == {name: REDACTED}
    assert redact({"rows": [{"inner": {name: ["hunter2"]}}]}) == {"rows": [{"inner": {name: REDACTED}}]}


@pytest.mark.parametrize("name", ["sku", "keyword", "keywords", "quantity", "author", "passenger"])
def test_ordinary_names_are_kept(name: str) -> None:
    assert redact({name: "SKU0043"}) == {name: "SKU0043"}


@pytest.mark.parametrize(
    "text",
    [
        "use {} please",
        "Authorization: Bearer {}",
        "https://ada:{}@example.com/",
        '{{"password": "{}"}}',
        "password={} next",
        "api_key: '{}'",
    ],
)
def test_secrets_inside_text_are_not_kept(text: str) -> None:
    secret = make_secret()
    assert secret not in redact_text(text.format(secret))
    assert secret[10:30] not in json.dumps(redact({"note": text.format(secret)}))


def test_no_part_of_a_secret_survives_the_cut() -> None:
    secret = make_secret()
    for before in range(0, 1300, 7):
        assert secret[4:16] not in redact_text("x" * before + " " + " ".join([secret] * 9) + "y" * 500, 1000)


def test_long_values_are_cut() -> None:
    assert len(redact({"note": "x" * 5000})["note"]) == 500
    assert redact({"file": b"x" * 5000}) == {"file": "[5000 bytes]"}
    assert len(redact_text("x" * 5_000_000)) == 1000


def test_the_whole_is_cut(settings) -> None:
    settings.MCP_AUDIT_ARGUMENT_CHARS = 300
    for huge in (
        {"rows": ["x" * 90] * 100},
        {f"name{n}": "x" for n in range(10_000)},
        {"rows": [[[1] * 100] * 100] * 100},
    ):
        assert len(json.dumps(redact(huge))) < 600


def test_a_cut_whole_keeps_no_secret(settings) -> None:
    settings.MCP_AUDIT_ARGUMENT_CHARS = 60
    kept = redact({"password": "hunter2", "note": "x" * 200})
    assert kept["truncated"].startswith('{"password": "[redacted]"')


def nested(levels: int) -> object:
    value: object = "deep"
    for _ in range(levels):
        value = {"in": [value]}
    return value


class Unreadable:
    def __str__(self) -> str:
        raise ValueError("no")


@pytest.mark.parametrize(
    "value",
    [
        nested(400),
        float("nan"),
        float("-inf"),
        10**5000,
        "\x00 and \ud800",
        {"\x00\ud800": 1},
        {1: 2, None: 3},
        {Unreadable(): 1},
        Unreadable(),
        Decimal("1.50"),
        {1, 2},
        object(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_value_can_be_stored(value: object, db: None) -> None:
    record_tool_call_row(
        tool="list_products", status="ok", arguments={"value": value}, error=value if value == "" else ""
    )
    assert isinstance(ToolCall.objects.get().arguments, dict)


def test_a_row_keeps_what_happened(ada: User) -> None:
    token = make_token(ada)
    record_tool_call_row(
        user=ada,
        token=token,
        tool="place_order",
        status=ToolCall.Status.ERROR,
        duration_ms=12.6,
        arguments={"sku": "SKU0043", "quantity": 2},
        error="Only 1 in stock.",
        correlation_id="5f1c",
        client_name="claude-ai",
        client_version="1.0",
        remote_address="203.0.113.7",
    )
    row = ToolCall.objects.get()
    assert (row.user, row.token, row.tool, row.status, row.duration_ms) == (ada, token, "place_order", "error", 13)
    assert row.arguments == {"sku": "SKU0043", "quantity": 2}
    assert (row.error, row.correlation_id, row.remote_address) == ("Only 1 in stock.", "5f1c", "203.0.113.7")


def test_what_a_client_says_of_itself_is_cut_to_its_column(db: None) -> None:
    row = record_tool_call_row(
        tool="t" * 500, status="ok", client_name="\x00" * 500, client_version=None, error="e" * 5000
    )
    row.full_clean()
    assert len(row.client_name) == 100
    assert row.client_version == ""


def test_rows_are_stored_in_one_insert(ada: User, django_assert_num_queries) -> None:
    rows = [build_tool_call(user=ada, tool="list_products", status="ok") for _ in range(20)]
    with django_assert_num_queries(3):  # a savepoint, the INSERT, its release
        save_tool_calls(rows)
    assert ToolCall.objects.count() == 20


@pytest.mark.django_db(transaction=True)
def test_a_row_outlives_its_user_and_token() -> None:
    ada, bea = (User.objects.create_user(name) for name in ("ada", "bea"))
    token = make_token(ada)
    rows = [build_tool_call(user=u, token=token, tool="ping", status="ok") for u in (ada, bea)]
    ada.delete()
    save_tool_calls(rows)
    assert list(ToolCall.objects.order_by("pk").values_list("user_id", "token_id")) == [(None, None), (bea.pk, None)]
    bea.delete()
    assert ToolCall.objects.filter(user=None).count() == 2


def test_no_secret_reaches_the_table(ada: User) -> None:
    token = make_token(ada)
    record_tool_call_row(
        user=ada, token=token, tool="ping", status="error", arguments={"note": token.token}, error=f"bad {token.token}"
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM tokens_toolcall")
        assert token.token not in str(cursor.fetchall())
