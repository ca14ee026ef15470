"""Changes made by another process reach subscribers through PostgreSQL; collected only where the tests run on it."""

import os
import subprocess
import sys
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django.db import connection

from mcp_server.asgi import build_app
from tests.mcp_server.test_subscriptions import URI, groups, listening, next_uri  # noqa: F401
from tests.mcp_server.world import make_server
from tokens.models import MCPToken

SAVE_ELSEWHERE = """
import os, django
django.setup()
from django.db import connection
connection.settings_dict["NAME"] = os.environ["TEST_DATABASE_NAME"]
from django.contrib.auth.models import Group
Group.objects.get(name="Carpenters").save()
"""


def save_in_another_process() -> None:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "MCP_BROKER": "postgres",
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
