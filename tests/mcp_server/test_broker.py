"""Changes made by another process reach subscribers; collected only where the tests run on PostgreSQL."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django.db import connection
from pytest_django import Settings
from redis import Redis

from mcp_server import broker
from mcp_server.asgi import build_app
from tests.mcp_server.test_subscriptions import URI, groups, listening, next_uri  # noqa: F401
from tests.mcp_server.world import make_server
from tokens.models import MCPToken

SAVE_ELSEWHERE = """
import os, django
django.setup()
from django.db import connection
from pytest_django import Settings
from redis import Redis
connection.settings_dict["NAME"] = os.environ["TEST_DATABASE_NAME"]
from django.contrib.auth.models import Group
Group.objects.get(name="Carpenters").save()
"""


def save_in_another_process(broker: str = "postgres") -> None:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "MCP_BROKER": broker,
        "TEST_DATABASE_NAME": connection.settings_dict["NAME"],
    }
    subprocess.run([sys.executable, "-c", SAVE_ELSEWHERE], env=environment, check=True, timeout=20)


async def listeners() -> int:
    def count() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%%'")
            return int(cursor.fetchone()[0])

    return await sync_to_async(count)()


async def test_a_change_by_another_process_reaches_a_subscriber(settings: Any, token: MCPToken) -> None:
    settings.MCP_BROKER = "postgres"
    async with listening(build_app(make_server()), token, URI) as subscription:
        while not await listeners():
            pass
        await sync_to_async(save_in_another_process)()
        assert await next_uri(subscription) == URI


async def test_a_change_by_this_process_is_told_once_through_the_broker(settings: Any, token: MCPToken) -> None:
    settings.MCP_BROKER = "postgres"
    async with listening(build_app(make_server()), token, URI) as subscription:
        while not await listeners():
            pass
        await sync_to_async(lambda: Group.objects.get(name="Carpenters").save())()
        assert await next_uri(subscription) == URI


@pytest.fixture
def redis(settings: Settings) -> Iterator[Redis]:
    settings.MCP_BROKER = os.environ["TEST_REDIS_URL"]
    with Redis.from_url(settings.MCP_BROKER) as client:
        yield client


def wait_for_listener(client: Redis) -> None:
    while not client.pubsub_channels("mcp_changes:*"):
        time.sleep(0.01)


async def test_a_change_reaches_a_subscriber_through_redis(redis: Redis, settings: Settings, token: MCPToken) -> None:
    async with listening(build_app(make_server()), token, URI) as subscription:
        await sync_to_async(wait_for_listener)(redis)
        await sync_to_async(save_in_another_process)(settings.MCP_BROKER)
        assert await next_uri(subscription) == URI


async def test_a_change_by_this_process_is_told_once_with_redis(redis: Redis, token: MCPToken) -> None:
    async with listening(build_app(make_server()), token, URI) as subscription:
        await sync_to_async(wait_for_listener)(redis)
        await sync_to_async(lambda: Group.objects.get(name="Carpenters").save())()
        assert await next_uri(subscription) == URI
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(next_uri(subscription), 0.5)


async def test_no_write_fails_and_this_process_is_told_while_redis_is_away(
    settings: Settings, token: MCPToken, caplog: pytest.LogCaptureFixture
) -> None:
    settings.MCP_BROKER = "redis://:s3cr3t@127.0.0.1:1/0"
    async with listening(build_app(make_server()), token, URI) as subscription:
        for _ in range(2):
            await sync_to_async(lambda: Group.objects.get(name="Carpenters").save())()
            assert await next_uri(subscription) == URI
    told = [record.getMessage() for record in caplog.records if record.name == "mcp_server.broker"]
    assert sum("Redis is away" in text for text in told) == 1
    assert "s3cr3t" not in caplog.text


async def test_listening_goes_on_after_redis_came_back(
    redis: Redis, settings: Settings, token: MCPToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "RETRY_SECONDS", 0.05)
    async with listening(build_app(make_server()), token, URI) as subscription:
        await sync_to_async(wait_for_listener)(redis)
        redis.client_kill_filter(_type="pubsub")
        await sync_to_async(wait_for_listener)(redis)
        await sync_to_async(save_in_another_process)(settings.MCP_BROKER)
        assert await next_uri(subscription) == URI
