"""The admin: secrets shown once, lists masked, and no power gained by administering."""

import json
import logging
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from tests.tokens.people import make_token, make_user, permission
from tokens.auth import resolve_mcp_user
from tokens.catalog import ToolInfo
from tokens.client_config import CLIENTS
from tokens.models import MCPToken, ToolCall
from tokens.narrowing import narrow_user
from tokens.secret import PATTERN

LIST = reverse("admin:tokens_mcptoken_changelist")
ADD = reverse("admin:tokens_mcptoken_add")
TOKEN_PERMISSIONS = [f"tokens.{verb}_mcptoken" for verb in ("view", "add", "change", "delete")]


@pytest.fixture
def boss(client: Client, root: User) -> Client:
    client.force_login(root)
    return client


@pytest.fixture
def clerk(db: None) -> User:
    return make_user("clerk", *TOKEN_PERMISSIONS, is_staff=True)


@pytest.fixture
def desk(clerk: User) -> Client:
    client = Client()
    client.force_login(clerk)
    return client


def form_data(user: User, **changes: Any) -> dict[str, Any]:
    expires = timezone.now() + timedelta(days=30)
    data = {"user": user.pk, "name": "Claude", "access": "full", "all_tools": "on"}
    data |= {"expires_at_0": f"{expires:%Y-%m-%d}", "expires_at_1": "12:00:00"}
    return {name: value for name, value in (data | changes).items() if value is not None}


def change_url(token: MCPToken) -> str:
    return reverse("admin:tokens_mcptoken_change", args=[token.pk])


def act(client: Client, action: str, *tokens: MCPToken, **extra: str) -> Any:
    return client.post(LIST, {"action": action, "_selected_action": [t.pk for t in tokens], **extra}, follow=True)


def secret_on(response: Any) -> str:
    (secret,) = set(PATTERN.findall(response.text))
    return secret


def test_creating_shows_the_secret_with_a_configuration_for_each_client(boss: Client, ada: User) -> None:
    response = boss.post(ADD, form_data(ada))
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    user, token = resolve_mcp_user(secret_on(response))
    assert (user, token.name) == (ada, "Claude")
    for client in CLIENTS.values():
        assert escape(client.label) in response.text
    assert "http://localhost:8001/mcp" in response.text


def test_the_secret_is_nowhere_else(boss: Client, ada: User, caplog, tmp_path) -> None:
    caplog.set_level(logging.DEBUG)
    created = boss.post(ADD, form_data(ada))
    secret = secret_on(created)
    token = MCPToken.objects.get()
    pages = [LIST, ADD, change_url(token), reverse("admin:tokens_mcptoken_history", args=[token.pk]), "/admin/"]
    for page in pages:
        assert secret not in boss.get(page).text
    assert secret not in caplog.text
    assert secret not in str([cookie.value for cookie in boss.cookies.values()])
    assert secret not in json.dumps(dict(boss.session))
    assert secret not in str(created.headers)
    dump = tmp_path / "dump.json"
    call_command("dumpdata", output=str(dump), verbosity=0)
    assert "Claude" in dump.read_text()
    assert secret not in dump.read_text()


def test_the_list_shows_a_mask(boss: Client, ada: User) -> None:
    token = make_token(ada)
    page = boss.get(LIST).text
    assert token.get_masked_token() in page
    assert token.token not in page
    assert token.digest not in page + boss.get(change_url(token)).text


def test_the_list_says_which_tools_a_token_allows(boss: Client, ada: User) -> None:
    for tools in ([], ["place_order", "cancel_order"]):
        make_token(ada, allowed_tools=tools)
    columns = re.findall(r'class="field-tools">([^<]*)<', boss.get(LIST).text)
    assert sorted(columns) == ["all", "place_order, cancel_order"]


def test_the_page_leads_to_no_forms_of_other_models(boss: Client, ada: User) -> None:
    for page in (ADD, change_url(make_token(ada))):
        assert "related-widget-wrapper-link" not in boss.get(page).text


def test_only_who_chooses_among_users_searches_them(boss: Client, desk: Client) -> None:
    assert [b"admin-autocomplete" in client.get(ADD).content for client in (boss, desk)] == [True, False]


def test_sending_the_same_form_again_makes_no_second_token(boss: Client, ada: User) -> None:
    form_id = re.search(r'name="form_id" value="([^"]+)"', boss.get(ADD).text)[1]
    first = boss.post(ADD, form_data(ada, form_id=form_id))
    again = boss.post(ADD, form_data(ada, form_id=form_id), follow=True)
    assert MCPToken.objects.count() == 1
    assert secret_on(first) not in again.text
    assert "exists already" in again.text


def test_two_forms_make_two_tokens(boss: Client, ada: User) -> None:
    for _ in range(2):
        form_id = re.search(r'name="form_id" value="([^"]+)"', boss.get(ADD).text)[1]
        boss.post(ADD, form_data(ada, form_id=form_id))
    assert MCPToken.objects.count() == 2


def test_the_expiry_is_prefilled(boss: Client, settings) -> None:
    settings.MCP_TOKEN_DEFAULT_EXPIRY_DAYS = 30
    assert f"{timezone.now() + timedelta(days=30):%Y-%m-%d}" in boss.get(ADD).text
    settings.MCP_TOKEN_DEFAULT_EXPIRY_DAYS = 0
    assert re.search(r'name="expires_at_0"(?![^>]*value=)', boss.get(ADD).text)


def test_a_new_token_that_has_expired_is_refused(boss: Client, ada: User) -> None:
    response = boss.post(ADD, form_data(ada, expires_at_0="2020-01-01"))
    assert "has passed" in response.text
    assert not MCPToken.objects.exists()


def test_rate_limits_are_set_on_the_form_and_bad_ones_refused(boss: Client, ada: User) -> None:
    assert "“often” is no rate" in boss.post(ADD, form_data(ada, rate_limits="often")).text
    boss.post(ADD, form_data(ada, rate_limits="100/minute, place_order=5/hour"))
    assert MCPToken.objects.get().rate_limits == "100/minute, place_order=5/hour"


def test_tools_are_ticked_under_their_tags(boss: Client, ada: User, catalog: list[ToolInfo]) -> None:
    page = boss.get(ADD).text
    assert page.index("orders") < page.index("place_order: Place an order") < page.index("list_products: List products")
    boss.post(ADD, form_data(ada, all_tools=None, allowed_tools=["ping", "place_order"]))
    assert MCPToken.objects.get().allowed_tools == ["ping", "place_order"]


def test_an_unknown_tool_is_refused(boss: Client, ada: User, catalog: list[ToolInfo]) -> None:
    response = boss.post(ADD, form_data(ada, all_tools=None, allowed_tools=["drop_tables"]))
    assert "drop_tables is not one of the available choices" in response.text
    assert not MCPToken.objects.exists()


def test_choosing_no_tool_does_not_mean_all_of_them(boss: Client, ada: User, catalog: list[ToolInfo]) -> None:
    assert "Choose at least one tool" in boss.post(ADD, form_data(ada, all_tools=None)).text
    token = make_token(ada, allowed_tools=["ping"])
    assert "Choose at least one tool" in boss.post(change_url(token), form_data(ada, all_tools=None)).text
    assert MCPToken.objects.get().allowed_tools == ["ping"]


def test_a_tool_that_is_gone_stays_chosen(boss: Client, ada: User, catalog: list[ToolInfo]) -> None:
    token = make_token(ada, allowed_tools=["retired_tool"])
    assert re.search(r'value="retired_tool"[^>]*checked', boss.get(change_url(token)).text)
    data = form_data(ada, all_tools=None, allowed_tools=["retired_tool"], is_active="on", name="Renamed")
    assert boss.post(change_url(token), data).status_code == 302
    assert MCPToken.objects.values_list("name", "allowed_tools").get() == ("Renamed", ["retired_tool"])


def test_without_a_catalog_tools_are_typed_one_a_line(boss: Client, ada: User, no_catalog: None) -> None:
    refused = boss.post(ADD, form_data(ada, all_tools=None, allowed_tools="ping\nno%good"))
    assert "letters, digits, hyphens or underscores" in refused.text
    boss.post(ADD, form_data(ada, all_tools=None, allowed_tools="ping\nlist_products"))
    token = MCPToken.objects.get()
    assert token.allowed_tools == ["ping", "list_products"]
    assert "ping\nlist_products" in boss.get(change_url(token)).text


def test_changing_a_token_keeps_its_user_and_secret(boss: Client, ada: User, root: User) -> None:
    token = make_token(ada)
    boss.post(change_url(token), form_data(root, name="Renamed", is_active="on", access="read"))
    user, changed = resolve_mcp_user(token.token)
    assert (user, changed.name, changed.access) == (ada, "Renamed", "read")


def test_revoking_switches_tokens_off_and_is_in_the_history(boss: Client, ada: User) -> None:
    tokens = [make_token(ada), make_token(ada)]
    assert "are revoked" in act(boss, "revoke", *tokens).text
    assert not MCPToken.objects.filter(is_active=True).exists()
    assert LogEntry.objects.filter(change_message__contains="Revoked").count() == 2


def test_rotating_asks_first_and_shows_the_new_secret_once(boss: Client, ada: User) -> None:
    token = make_token(ada)
    asked = act(boss, "rotate", token)
    assert token.get_masked_token() in asked.text
    assert resolve_mcp_user(token.token)
    shown = act(boss, "rotate", token, suffix=token.suffix)
    assert "no-store" in shown["Cache-Control"]
    new = secret_on(shown)
    assert resolve_mcp_user(new)[1].pk == token.pk
    assert new not in boss.get(LIST).text
    assert new not in str(list(LogEntry.objects.values()))


def test_reloading_the_rotation_does_not_rotate_again(boss: Client, ada: User) -> None:
    token = make_token(ada)
    new = secret_on(act(boss, "rotate", token, suffix=token.suffix))
    again = act(boss, "rotate", token, suffix=token.suffix)
    assert "was rotated before" in again.text
    assert not PATTERN.search(again.text)
    assert resolve_mcp_user(new)


def test_one_token_is_rotated_at_a_time(boss: Client, ada: User) -> None:
    one, two = make_token(ada), make_token(ada)
    assert "Choose one token" in act(boss, "rotate", one, two, suffix=one.suffix).text
    assert resolve_mcp_user(one.token)
    assert resolve_mcp_user(two.token)


def test_staff_make_tokens_for_themselves(desk: Client, clerk: User) -> None:
    assert resolve_mcp_user(secret_on(desk.post(ADD, form_data(clerk))))[0] == clerk


def test_staff_make_no_token_for_anybody_else(desk: Client, ada: User, root: User) -> None:
    for other in (ada, root):
        response = desk.post(ADD, form_data(other))
        assert "Select a valid choice" in response.text
        assert not PATTERN.search(response.text)
    assert not MCPToken.objects.exists()


def test_staff_neither_see_nor_touch_the_tokens_of_others(desk: Client, root: User) -> None:
    token = make_token(root, name="Root's own")
    assert "Root" not in desk.get(LIST).text
    assert desk.get(change_url(token)).status_code == 302
    assert desk.post(change_url(token), form_data(root, name="Mine", is_active="on")).status_code == 302
    act(desk, "rotate", token, suffix=token.suffix)
    act(desk, "revoke", token)
    desk.post(LIST, {"action": "delete_selected", "_selected_action": [token.pk], "post": "yes"})
    assert resolve_mcp_user(token.token)[1].name == "Root's own"


def test_staff_rotate_and_revoke_their_own(desk: Client, clerk: User) -> None:
    token = make_token(clerk)
    new = secret_on(act(desk, "rotate", token, suffix=token.suffix))
    assert resolve_mcp_user(new)[0] == clerk
    act(desk, "revoke", token)
    assert not MCPToken.objects.get().is_active


def test_staff_who_may_only_look_cannot_rotate_or_change(clerk: User, desk: Client) -> None:
    clerk.user_permissions.set([permission("tokens.view_mcptoken")])
    token = make_token(clerk, allowed_tools=["ping"])
    page = desk.get(change_url(token))
    assert page.status_code == 200
    assert "ping" in page.text
    assert "all_tools" not in page.text
    act(desk, "rotate", token, suffix=token.suffix)
    act(desk, "revoke", token)
    assert desk.post(change_url(token), form_data(clerk)).status_code == 403
    assert desk.post(ADD, form_data(clerk)).status_code == 403
    assert resolve_mcp_user(token.token)


@pytest.mark.parametrize("access", ["read", "limited"])
def test_an_agent_administers_no_tokens(root: User, rf, access: str) -> None:
    from django.contrib.admin import site

    token = make_token(root, *TOKEN_PERMISSIONS, access=access)
    request = rf.get("/")
    request.user = narrow_user(root, token)
    admin = site.get_model_admin(MCPToken)
    assert request.user.has_perm("tokens.view_mcptoken")
    assert not admin.has_view_permission(request)
    assert not admin.has_add_permission(request)
    assert not admin.has_change_permission(request, token)
    assert not admin.has_delete_permission(request, token)


def test_the_digest_cannot_be_guessed_through_filters(boss: Client, ada: User) -> None:
    make_token(ada)
    assert boss.get(LIST, {"digest__startswith": "0"}).status_code == 400


def test_tokens_are_found_by_name_user_and_last_characters(boss: Client, ada: User, root: User) -> None:
    wanted, other = make_token(ada, name="Claude"), make_token(root, name="Cursor")
    for words in ("Claud", "ada", wanted.suffix):
        page = boss.get(LIST, {"q": words}).text
        assert wanted.get_masked_token() in page
        assert other.get_masked_token() not in page


def test_the_page_asks_for_tokens_in_a_constant_number_of_queries(boss: Client, ada: User) -> None:
    def queries() -> int:
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connection) as captured:
            boss.get(LIST)
        return len(captured)

    make_token(ada)
    boss.get(LIST)
    few = queries()
    for _ in range(20):
        make_token(ada)
    assert queries() == few


def test_tool_calls_are_read_only(boss: Client, ada: User) -> None:
    row = ToolCall.objects.create(user=ada, tool="place_order", status="ok", arguments={"sku": "<SKU0043>"})
    page = boss.get(reverse("admin:tokens_toolcall_change", args=[row.pk]))
    assert "&lt;SKU0043&gt;" in page.text
    assert boss.post(reverse("admin:tokens_toolcall_change", args=[row.pk]), {"tool": "x"}).status_code == 403
    assert boss.post(reverse("admin:tokens_toolcall_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    assert boss.get(reverse("admin:tokens_toolcall_add")).status_code == 403
    assert ToolCall.objects.get().tool == "place_order"


def test_tool_calls_are_filtered_and_searched(boss: Client, ada: User) -> None:
    ToolCall.objects.create(user=ada, tool="place_order", status="ok", remote_address="203.0.113.7")
    ToolCall.objects.create(tool="list_products", status="error", remote_address="203.0.113.8")
    url = reverse("admin:tokens_toolcall_changelist")
    year = {"created_at__year": timezone.now().year}
    for query in ({"status": "ok"}, {"q": "ada"}, {"q": "place"}, {"q": "203.0.113.7"}, {"tool": "place_order"} | year):
        page = boss.get(url, query).text
        assert "203.0.113.7</td>" in page
        assert "203.0.113.8</td>" not in page


def test_deleting_a_user_takes_the_tokens_and_leaves_the_audit(boss: Client, ada: User) -> None:
    ToolCall.objects.create(user=ada, token=make_token(ada), tool="ping", status="ok")
    boss.post(reverse("admin:auth_user_delete", args=[ada.pk]), {"post": "yes"})
    assert not MCPToken.objects.exists()
    assert ToolCall.objects.get().user is None
