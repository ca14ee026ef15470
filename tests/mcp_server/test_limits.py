"""Rate limits: per token and user, per tool and overall."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from fastmcp import FastMCP
from starlette.applications import Starlette

from mcp_server.checks import check_rate_limits
from mcp_server.classes import Tool, register_tool_classes, tool
from mcp_server.limits import RETRY_SECONDS, DjangoCacheStorage
from mcp_server.server import create_server
from tests.factories import make_user
from tests.mcp_server.clients import http, mcp_client, running
from tests.mcp_server.derive.callers import Caller, text_of
from tokens.models import MCPToken

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


@pytest.fixture(autouse=True)
def nothing_counted() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def mcp(db: None) -> FastMCP[Any]:
    class Rare(Tool):
        """Answer, but rarely."""

        rate = "1/day"

        def run(self, user: Any) -> str:
            return "done"

    @tool
    def ring(user: Any) -> str:
        """Ring."""
        return "ding"

    @tool
    def knock(user: Any) -> str:
        """Knock."""
        return "tock"

    server = create_server()
    register_tool_classes(server, Rare, ring, knock)
    return server


def answers(caller: Caller, *tools: str) -> list[bool]:
    return [not caller.call(name).is_error for name in tools]


def test_without_limits_nothing_is_counted(mcp):
    assert answers(Caller(mcp, make_user()), *["ring"] * 5) == [True] * 5


def test_the_limit_of_a_tool_is_one_users_with_all_tokens(mcp, settings):
    settings.MCP_RATE_LIMIT_TOOL = "2/day"
    ada = make_user()
    first, second, grace = Caller(mcp, ada), Caller(mcp, ada), Caller(mcp, make_user("grace"))
    assert answers(first, "ring") + answers(second, "ring", "ring", "knock") == [True, True, False, True]
    assert answers(grace, "ring") == [True]
    refused = first.call("ring")
    assert 1 <= refused.meta["retry_after"] <= 86_400
    assert text_of(refused) == f"Too many calls of ring. Try again in {refused.meta['retry_after']} seconds."


def test_a_single_tool_may_have_a_limit_of_its_own(mcp, settings):
    settings.MCP_RATE_LIMIT_TOOL = "1/day"
    settings.MCP_RATE_LIMIT_TOOLS = ["ring=2/day"]
    assert answers(Caller(mcp, make_user()), "ring", "ring", "ring", "knock", "knock") == [
        True,
        True,
        False,
        True,
        False,
    ]


def test_a_class_says_its_rate_and_the_settings_overrule_it(mcp, settings):
    ada = Caller(mcp, make_user())
    assert answers(ada, "rare", "rare") == [True, False]
    settings.MCP_RATE_LIMIT_TOOLS = ["rare=3/day"]
    assert answers(ada, "rare", "rare") == [True, True]


def test_a_token_has_limits_of_its_own(mcp, settings):
    settings.MCP_RATE_LIMIT_TOKEN = "1/day"
    ada = make_user()
    generous = Caller(mcp, ada, rate_limits="3/day, ring=1/day")
    assert answers(generous, "ring", "ring", "knock", "knock") == [True, False, True, False]
    assert answers(Caller(mcp, ada), "knock", "knock") == [True, False]


def test_a_user_has_a_limit_over_all_tokens(mcp, settings):
    settings.MCP_RATE_LIMIT_USER = "2/day"
    ada = make_user()
    assert answers(Caller(mcp, ada), "ring") + answers(Caller(mcp, ada), "knock", "knock") == [True, True, False]


def test_a_tool_that_is_hidden_is_not_counted(mcp, settings):
    settings.MCP_RATE_LIMIT_TOOL = "1/day"
    ada = Caller(mcp, make_user(), allowed_tools=["knock"])
    assert {text_of(ada.call("ring")) for _ in range(3)} == {"Unknown tool: 'ring'"}


@pytest.mark.parametrize("limit", ["MCP_RATE_LIMIT_USER", "MCP_RATE_LIMIT_TOKEN"])
async def test_over_http_the_answer_is_429_with_retry_after(app: Starlette, token: MCPToken, settings, limit):
    setattr(settings, limit, "2/day")
    headers = {"Authorization": f"Bearer {token.token}", "Accept": "application/json, text/event-stream"}
    async with running(app), http(app, **headers) as client:
        answered = [await client.post("/mcp", json=PING) for _ in range(3)]
        assert [answer.status_code for answer in answered] == [200, 200, 429]
        assert 1 <= int(answered[-1].headers["Retry-After"]) <= 86_400
        assert answered[-1].json()["error"] == "too_many_requests"
        # Who has no token is refused for that, and health is for everybody.
        assert (await client.post("/mcp", json=PING, headers={"Authorization": ""})).status_code == 401
        assert (await client.get("/mcp/health")).status_code == 200


async def test_over_http_the_limit_of_a_tool_is_a_tool_error(app: Starlette, token: MCPToken, settings):
    settings.MCP_RATE_LIMIT_TOOL = "1/day"
    async with running(app), mcp_client(app, "2026-07-28", token.token) as client:
        assert not (await client.call_tool("who_am_i")).is_error
        refused = await client.call_tool("who_am_i", raise_on_error=False)
        assert refused.is_error
        assert refused.meta["retry_after"] >= 1


class AwayCache(LocMemCache):
    """A cache whose server is away."""

    def get_or_set(self, *args: Any, **kwargs: Any) -> Any:
        raise ConnectionError("no route to cache.internal")


def test_when_the_cache_is_away_callers_wait(mcp, settings, caplog):
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.AwayCache"}}
    settings.MCP_RATE_LIMIT_TOOL = "9/day"
    refused = Caller(mcp, make_user()).call("ring")
    assert refused.meta["retry_after"] == RETRY_SECONDS
    assert "cache.internal" not in text_of(refused)
    assert "Calls cannot be counted" in caplog.text


def test_a_window_ends_and_a_counter_without_end_is_not_asked_again(settings):
    storage = DjangoCacheStorage()
    assert [storage.incr("ada", 60), storage.incr("ada", 60), storage.get("ada")] == [1, 2, 2]
    assert storage.get_expiry("ada") > 0
    cache.delete("ada")
    assert storage.incr("ada", 60) == 1
    storage.clear("ada")
    assert storage.get("ada") == 0
    assert storage.check()


def test_bad_rates_are_found_by_the_checks(db, settings):
    settings.MCP_RATE_LIMIT_USER = "often"
    settings.MCP_RATE_LIMIT_TOOLS = ["ring=1/day", "knock"]
    found = [message.msg for message in check_rate_limits(None)]
    assert [text.partition(":")[0] for text in found] == ["MCP_RATE_LIMIT_USER", "MCP_RATE_LIMIT_TOOLS"]
