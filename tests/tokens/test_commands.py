"""create_mcp_token, mcp_tokens and prune_tool_calls."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests.tokens.people import make_token, make_user
from tokens.auth import resolve_mcp_user
from tokens.catalog import ToolInfo
from tokens.management.commands.create_mcp_token import Command as CreateToken
from tokens.models import MCPToken, ToolCall
from tokens.secret import PATTERN


def run(*args: str) -> str:
    out = StringIO()
    call_command(*args, stdout=out, stderr=StringIO())
    return out.getvalue()


def run_json(*args: str) -> Any:
    return json.loads(run(*args, "--json"))


def create(*args: str) -> str:
    return run("create_mcp_token", "--user", "ada", "--name", "Claude", *args)


def test_the_secret_is_printed_once(ada: User) -> None:
    (secret,) = PATTERN.findall(create())
    user, token = resolve_mcp_user(secret)
    assert (user, token.name, token.access, token.allowed_tools) == (ada, "Claude", "full", [])


def test_json_is_one_object(ada: User) -> None:
    made = json.loads(create("--json", "--access", "limited"))
    token = MCPToken.objects.get()
    assert set(made) == {"id", "name", "user", "token", "expires_at"}
    assert (made["id"], made["name"], made["user"]) == (token.pk, "Claude", "ada")
    assert made["expires_at"] == token.expires_at.isoformat()
    assert resolve_mcp_user(made["token"])[1] == token


def test_a_user_is_found_by_email_in_any_case(ada: User) -> None:
    assert run_json("create_mcp_token", "--user", "ADA@example.com", "--name", "Claude")["user"] == "ada"


def test_tools_access_and_expiry_are_kept(ada: User, catalog: list[ToolInfo]) -> None:
    create("--tools", "ping, list_products,ping", "--access", "read", "--expires-days", "7")
    token = MCPToken.objects.get()
    assert (token.allowed_tools, token.access) == (["ping", "list_products"], "read")
    assert timedelta(days=6, hours=23) < token.expires_at - timezone.now() <= timedelta(days=7)


def test_expiry_comes_from_the_setting(ada: User, settings) -> None:
    settings.MCP_TOKEN_DEFAULT_EXPIRY_DAYS = 0
    assert "never expires" in create()
    assert MCPToken.objects.get().expires_at is None


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["--user", "nobody"], "No user has the username or email address 'nobody'"),
        (["--user", "gone"], "not active"),
        (["--user", "twin@example.com"], "More than one user answers"),
        (["--tools", "ping,drop_tables"], "Unknown tool: drop_tables"),
        (["--tools", ""], "--tools names no tool"),
        (["--tools", " , "], "--tools names no tool"),
        (["--expires-days", "0"], "between 1 and"),
        (["--expires-days", "-3"], "between 1 and"),
        (["--expires-days", "999999999999"], "between 1 and"),
        (["--name", "x" * 101], "name: Ensure this value has at most 100 characters"),
        (["--name", ""], "name: This field cannot be blank"),
        (["--access", "root"], "invalid choice"),
    ],
)
def test_a_wrong_option_is_refused_and_nothing_written(
    ada: User, catalog: list[ToolInfo], args: list[str], complaint: str
) -> None:
    make_user("gone", is_active=False)
    for name in ("one", "two"):
        User.objects.create_user(name, "twin@example.com")
    with pytest.raises(CommandError, match=complaint):
        create(*args)
    assert not MCPToken.objects.exists()


def test_a_username_that_is_anothers_email_is_refused(ada: User) -> None:
    User.objects.create_user("ada@example.com", "elsewhere@example.com")
    with pytest.raises(CommandError, match="More than one user"):
        create("--user", "ada@example.com")


def test_without_a_catalog_only_the_shape_of_a_name_is_checked(ada: User, no_catalog: None) -> None:
    create("--tools", "anything")
    with pytest.raises(CommandError, match="allowed_tools"):
        create("--tools", "no%good")
    assert MCPToken.objects.get().allowed_tools == ["anything"]


def test_a_refusal_exits_with_1_and_keeps_stdout_empty(db: None, capsys) -> None:
    with pytest.raises(SystemExit) as exited:
        CreateToken().run_from_argv(["manage.py", "create_mcp_token", "--user", "nobody", "--name", "Claude"])
    assert exited.value.code == 1
    assert capsys.readouterr().out == ""


def test_the_list_is_masked(ada: User) -> None:
    token = make_token(ada, expires_at=timezone.now() - timedelta(days=1))
    listed = run("mcp_tokens", "list")
    assert token.get_masked_token() in listed
    assert "expired" in listed
    assert token.token not in listed + run("mcp_tokens", "list", "--json")
    (row,) = run_json("mcp_tokens", "list")["tokens"]
    assert (row["id"], row["user"], row["status"], row["last_used_at"]) == (token.pk, "ada", "expired", None)


def test_an_empty_list_is_a_heading(db: None) -> None:
    assert "ID" in run("mcp_tokens", "list")
    assert run_json("mcp_tokens", "list") == {"tokens": []}


def test_revoking_by_id(ada: User) -> None:
    token, other = make_token(ada), make_token(ada)
    assert "is revoked" in run("mcp_tokens", "revoke", str(token.pk))
    assert MCPToken.objects.filter(is_active=True).get() == other
    assert run_json("mcp_tokens", "revoke", str(other.pk))["status"] == "revoked"


def test_rotating_by_id_prints_the_new_secret_once(ada: User) -> None:
    token = make_token(ada)
    (new,) = PATTERN.findall(run("mcp_tokens", "rotate", str(token.pk)))
    assert resolve_mcp_user(new)[1] == token
    newer = run_json("mcp_tokens", "rotate", str(token.pk))["token"]
    assert resolve_mcp_user(newer)[1] == token
    assert not MCPToken.objects.filter(digest=token.digest).exists()


@pytest.mark.parametrize("verb", ["revoke", "rotate"])
@pytest.mark.parametrize("pk", ["404", "99999999999999999999999"])
def test_an_unknown_id_is_refused(verb: str, pk: str, db: None) -> None:
    with pytest.raises(CommandError, match="There is no token"):
        run("mcp_tokens", verb, pk)


def test_pruning_deletes_rows_past_their_time(db: None) -> None:
    for days in (0, 29, 31, 400):
        ToolCall.objects.create(tool=f"day_{days}", status="ok", created_at=timezone.now() - timedelta(days=days))
    assert "Deleted 2 tool calls" in run("prune_tool_calls", "--days", "30")
    assert set(ToolCall.objects.values_list("tool", flat=True)) == {"day_0", "day_29"}
    assert run_json("prune_tool_calls", "--days", "30") == {"deleted": 0}


@pytest.mark.parametrize("days", ["0", "-1", "99999999999"])
def test_pruning_refuses_days_that_make_no_sense(days: str, db: None) -> None:
    ToolCall.objects.create(tool="ping", status="ok")
    with pytest.raises(CommandError, match="between 1 and"):
        run("prune_tool_calls", "--days", days)
    assert ToolCall.objects.count() == 1
