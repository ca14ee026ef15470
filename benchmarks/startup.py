"""`python -m benchmarks.startup`: what a hundred models cost when a server starts, and in the list of its tools.

CPU time, so that other work on the machine counts less. The list is asked for in process by a superuser through a real
client: for the first time, when the tools are made as this caller has them, and again, when they are remembered.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MODELS, ROUNDS, GOAL = 100, 5, 1.0


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.settings")
        os.environ["DATABASE_URL"] = f"sqlite:///{Path(folder) / 'startup.sqlite3'}"
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        sign_in()
        rounds = [measure() for _ in range(ROUNDS)]
    names = (f"tools of {MODELS} models (goal {GOAL})", "tools/list, first time", "tools/list, again")
    for name, seconds in zip(names, zip(*rounds, strict=True), strict=True):
        print(f"{name}: {statistics.median(seconds):.2f} s of CPU time")


def sign_in() -> None:
    from django.contrib.auth import get_user_model

    from tokens.models import MCPToken

    boss = get_user_model().objects.create_superuser("boss")
    os.environ["MCP_TOKEN"] = str(MCPToken.objects.create(user=boss, name="startup").token)


def measure() -> tuple[float, float, float]:
    """Return the CPU seconds that the tools take to be built, to be listed, and to be listed again."""
    seconds, server = build()
    return seconds, *list_twice(server)


def build() -> tuple[float, Any]:
    """Return the CPU seconds that registering one site of a hundred models takes, and the server."""
    from django.contrib import admin
    from django.test.utils import isolate_apps

    from mcp_server.derive.admin import register_admin_tools
    from mcp_server.server import create_server
    from shop.admin import ProductAdmin
    from shop.models import Product

    site = admin.AdminSite()
    for number in range(MODELS):
        meta = type("Meta", (), {"app_label": "shop", "proxy": True})
        with isolate_apps("shop"):
            model = type(f"Product{number}", (Product,), {"__module__": __name__, "Meta": meta})
        site.register(model, type(f"Product{number}Admin", (ProductAdmin,), {}))
    server = create_server()
    return cpu_seconds(lambda: register_admin_tools(server, site)), server


def list_twice(server: Any) -> tuple[float, float]:
    """Return the CPU seconds of the server's first list of tools for a caller, and of one that follows."""
    from asgiref.sync import async_to_sync
    from fastmcp import Client

    async def ask() -> tuple[float, float]:
        async with Client(server) as client:
            began = time.process_time()
            tools = await client.list_tools()
            then = time.process_time()
            assert len(tools) == len(await client.list_tools()) > 11 * MODELS
            return then - began, time.process_time() - then

    return async_to_sync(ask)()


def cpu_seconds(work: Callable[[], Any]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
