"""Resolution of a plain token, and every refusal."""

import logging
import pickle
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from tests.tokens.people import make_token, make_user
from tokens.auth import MESSAGES, MCPAuthError, check_tool_permission, resolve_mcp_user
from tokens.models import MCPToken
from tokens.secret import make_secret


def reason_for(raw: str | None) -> str:
    with pytest.raises(MCPAuthError) as refused:
        resolve_mcp_user(raw)
    assert not raw or raw not in str(refused.value)
    assert str(refused.value) == MESSAGES[refused.value.reason]
    return refused.value.reason


def test_a_token_resolves_to_its_user(ada: User) -> None:
    made = make_token(ada)
    user, token = resolve_mcp_user(made.token)
    assert (user, token) == (ada, made)
    assert user.has_perm("auth.add_group")


@pytest.mark.parametrize("raw", [None, ""])
def test_no_token_is_missing(raw: str | None) -> None:
    assert reason_for(raw) == "missing"


@pytest.mark.parametrize("raw", ["wrong", "mcp_", "x" * 5_000_000, "\ud800", "mcp_\x00", "Bearer mcp_"])
def test_a_string_of_another_shape_is_invalid_without_a_query(raw: str) -> None:
    assert reason_for(raw) == "invalid"


def test_an_unknown_token_is_invalid(db: None) -> None:
    assert reason_for(make_secret()) == "invalid"


def test_a_changed_character_is_invalid(ada: User) -> None:
    secret = make_token(ada).token
    assert reason_for(secret[:-1] + ("a" if secret[-1] != "a" else "b")) == "invalid"


def test_a_revoked_token_is_refused_before_its_expiry_is_looked_at(ada: User) -> None:
    token = make_token(ada, is_active=False, expires_at=timezone.now() - timedelta(days=1))
    assert reason_for(token.token) == "inactive"


def test_an_expired_token_is_refused_before_its_user_is_looked_at(db: None) -> None:
    token = make_token(make_user("gone", is_active=False), expires_at=timezone.now())
    assert reason_for(token.token) == "expired"


def test_the_token_of_an_inactive_user_is_refused(db: None) -> None:
    token = make_token(make_user("gone", is_active=False))
    assert reason_for(token.token) == "user_inactive"


def test_usage_is_recorded_only_when_the_caller_is_let_in(ada: User) -> None:
    token = make_token(ada, is_active=False)
    assert reason_for(token.token) == "inactive"
    assert MCPToken.objects.get().last_used_at is None
    MCPToken.objects.update(is_active=True)
    resolve_mcp_user(token.token)
    assert MCPToken.objects.get().last_used_at is not None


def test_a_tool_outside_the_list_is_refused(ada: User) -> None:
    token = make_token(ada, allowed_tools=["list_products"])
    check_tool_permission(token, "list_products")
    with pytest.raises(MCPAuthError) as refused:
        check_tool_permission(token, "place_order")
    assert refused.value.reason == "tool_not_allowed"


@pytest.mark.parametrize(("access", "queries"), [("full", 3), ("read", 3), ("limited", 4)])
def test_permissions_are_asked_once_and_not_again(
    ada: User, access: str, queries: int, django_assert_num_queries
) -> None:
    secret = make_token(ada, "auth.view_group", access=access).token
    resolve_mcp_user(secret)
    with django_assert_num_queries(queries):
        user, _ = resolve_mcp_user(secret)
    with django_assert_num_queries(0):
        assert user.has_perms(["auth.view_group"])
        assert user.has_module_perms("auth")
        assert not user.has_perm("auth.change_group")
        user.get_all_permissions()


def test_the_token_leads_to_no_wider_user(root: User) -> None:
    user, token = resolve_mcp_user(make_token(root, access="read").token)
    assert token.user is user
    assert not token.user.has_perm("auth.add_group")


def test_refusals_and_successes_log_no_secret(ada: User, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    secret, wrong = make_token(ada).token, make_secret()
    resolve_mcp_user(secret)
    reason_for(wrong)
    assert secret not in caplog.text
    assert wrong not in caplog.text


def test_an_error_survives_pickling() -> None:
    assert pickle.loads(pickle.dumps(MCPAuthError("expired"))).reason == "expired"  # noqa: S301
