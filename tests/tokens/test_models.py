"""The token's secret, validity and list of tools."""

import copy
import pickle
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.forms.models import model_to_dict
from django.utils import timezone

from tests.tokens.people import make_token
from tokens.models import MCPToken
from tokens.secret import digest_of


def test_the_secret_is_a_64_character_string_with_a_prefix(ada: User) -> None:
    token = make_token(ada)
    assert token.token.startswith("mcp_")
    assert len(token.token) == 64
    assert token.token != make_token(ada).token


def test_the_row_holds_the_digest_and_the_last_eight_characters(ada: User) -> None:
    token = make_token(ada)
    row = MCPToken.objects.values().get()
    assert row["digest"] == digest_of(token.token)
    assert row["suffix"] == token.token[-8:]
    assert token.token not in str(row)


def test_a_loaded_token_does_not_know_its_secret(ada: User) -> None:
    make_token(ada)
    assert MCPToken.objects.get().token is None


def test_every_way_to_create_a_row_makes_a_secret(ada: User) -> None:
    saved = MCPToken(user=ada, name="saved")
    saved.save()
    bulk = MCPToken.objects.bulk_create([MCPToken(user=ada, name="one"), MCPToken(user=ada, name="two")])
    found, _ = MCPToken.objects.get_or_create(user=ada, name="found")
    updated, _ = MCPToken.objects.update_or_create(user=ada, name="updated")
    for token in (saved, *bulk, found, updated):
        assert MCPToken.objects.with_secret(token.token).name == token.name


def test_a_token_of_partly_loaded_columns_keeps_its_digest(ada: User) -> None:
    made = make_token(ada)
    partly = MCPToken.objects.only("name").get()
    partly.name = "Cursor"
    partly.save()
    assert MCPToken.objects.with_secret(made.token).name == "Cursor"


@pytest.mark.parametrize("travel", [copy.copy, copy.deepcopy, lambda token: pickle.loads(pickle.dumps(token))])  # noqa: S301
def test_the_secret_does_not_travel_with_copies(ada: User, travel) -> None:
    token = make_token(ada)
    assert travel(token).token is None
    assert token.token.encode() not in pickle.dumps(token)


def test_the_secret_does_not_show_where_a_token_is_printed(ada: User) -> None:
    token = make_token(ada)
    shown = f"{token!r} {token} {vars(token)} {model_to_dict(token)} {token.get_masked_token()}"
    assert token.token not in shown


def test_the_mask_is_stars_and_the_last_eight_characters(ada: User) -> None:
    token = make_token(ada)
    assert token.get_masked_token() == "*" * 8 + token.token[-8:]


def test_rotating_replaces_the_secret_and_keeps_the_row(ada: User) -> None:
    token = make_token(ada)
    old = token.token
    new = MCPToken.objects.get().rotate()
    assert MCPToken.objects.with_secret(new).pk == token.pk
    with pytest.raises(MCPToken.DoesNotExist):
        MCPToken.objects.with_secret(old)


def test_an_outdated_secret_is_not_shown_after_a_refresh(ada: User) -> None:
    token = make_token(ada)
    token.refresh_from_db()
    assert token.token is not None
    MCPToken.objects.get().rotate()
    token.refresh_from_db()
    assert token.token is None


def test_a_revoked_or_expired_token_is_not_valid(ada: User) -> None:
    token = make_token(ada)
    assert token.is_valid
    token.expires_at = timezone.now()
    assert not token.is_valid
    token.expires_at = timezone.now() + timedelta(minutes=1)
    assert token.is_valid
    token.revoke()
    assert not MCPToken.objects.get().is_valid


def test_an_empty_list_allows_all_tools_and_a_list_only_its_own() -> None:
    assert MCPToken(allowed_tools=[]).can_use_tool("list_products")
    assert MCPToken(allowed_tools=["list_products"]).can_use_tool("list_products")
    assert not MCPToken(allowed_tools=["list_products"]).can_use_tool("list")


@pytest.mark.parametrize("damaged", [None, "", "list_products", {}, {"list_products": 1}, 0])
def test_a_damaged_list_of_tools_allows_nothing(damaged: object) -> None:
    assert not MCPToken(allowed_tools=damaged).can_use_tool("list_products")


@pytest.mark.parametrize("wrong", ["list_products", {"a": 1}, [1], ["two words"], [""], ["x" * 65], ["ping\n"]])
def test_a_wrong_list_of_tools_is_refused(ada: User, wrong: object) -> None:
    with pytest.raises(ValidationError) as refused:
        MCPToken(user=ada, name="Claude", allowed_tools=wrong).full_clean()
    assert list(refused.value.message_dict) == ["allowed_tools"]


def test_usage_is_written_once_a_minute(ada: User, django_assert_num_queries) -> None:
    make_token(ada)
    token, other = MCPToken.objects.get(), MCPToken.objects.get()
    changed = token.updated_at
    with django_assert_num_queries(1):
        token.record_usage()
        token.record_usage()
    used = MCPToken.objects.get().last_used_at
    other.record_usage()
    assert MCPToken.objects.get().last_used_at == used == token.last_used_at
    assert MCPToken.objects.get().updated_at == changed


def test_usage_is_written_again_after_the_pause(ada: User, settings) -> None:
    settings.MCP_USAGE_WRITE_SECONDS = 10
    make_token(ada)
    long_ago = timezone.now() - timedelta(seconds=11)
    MCPToken.objects.update(last_used_at=long_ago)
    MCPToken.objects.get().record_usage()
    assert MCPToken.objects.get().last_used_at > long_ago
