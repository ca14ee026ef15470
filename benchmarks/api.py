"""`python -m benchmarks.api`: tools of the API by direct dispatch against FastMCP's OpenAPI provider, in one run.

The provider sends each call to the project's ASGI application in the same process, already signed in, without a socket.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from typing import Any

CALLS = {
    "list 20": ("product_list", "products_list", {"limit": 20}),
    "retrieve": ("product_retrieve", "products_retrieve", {"id": 1}),
    "update": ("product_update", "products_partial_update", {"id": 1, "reorder_level": 4}),
}


class SignedIn:
    """Middleware that knows the caller already: the cheapest authentication the provider's way can have."""

    def __init__(self, get_response: Any) -> None:
        from django.conf import settings

        self.get_response, self.user = get_response, settings.BENCH_USER

    def __call__(self, request: Any) -> Any:
        request._cached_user = request._force_auth_user = self.user
        return self.get_response(request)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=40, help="in a row, in every round")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"DJANGO_SETTINGS_MODULE": "benchmarks.settings", "DATABASE_URL": f"sqlite:///{folder}/b.sqlite3"}
        prepare()
        asyncio.run(compare(options.rounds, options.calls))


def prepare() -> None:
    import django

    django.setup()
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    from tokens.models import MCPToken

    settings.ROOT_URLCONF = "myproject.urls"
    settings.MIDDLEWARE = ["benchmarks.api.SignedIn", *settings.MIDDLEWARE]
    call_command("migrate", verbosity=0)
    call_command("seed_shop", verbosity=0)
    settings.BENCH_USER = get_user_model()._default_manager.create_superuser("boss", "boss@example.com")
    os.environ["MCP_TOKEN"] = MCPToken.objects.create(user=settings.BENCH_USER, name="bench").token or ""


def server() -> Any:
    """Return a server that has the API's tools both ways, under different names."""
    import httpx2
    from django.core.asgi import get_asgi_application
    from drf_spectacular.generators import SchemaGenerator
    from drf_spectacular.settings import patched_settings
    from fastmcp.server.providers.openapi import OpenAPIProvider

    from mcp_server.derive.drf import register_api_tools
    from mcp_server.server import create_server

    mcp = create_server()
    register_api_tools(mcp)
    inside = httpx2.AsyncClient(transport=httpx2.ASGITransport(get_asgi_application()), base_url="http://127.0.0.1")
    # Without this the provider takes the read-only `id` of the body for the one of the address.
    with patched_settings({"COMPONENT_SPLIT_REQUEST": True}):
        spec = SchemaGenerator().get_schema(public=True)
    mcp.add_provider(OpenAPIProvider(spec, inside, validate_output=False))
    return mcp


async def compare(rounds: int, calls: int) -> None:
    from fastmcp import Client

    figures: dict[tuple[str, str], list[float]] = {}
    async with Client(server()) as client:
        for turn in range(rounds + 1):
            # Side by side, so that a slow moment of the machine hits both alike; the first round warms up.
            for kind, (direct, provided, arguments) in CALLS.items():
                for name, tool in (("direct dispatch", direct), ("OpenAPI provider", provided)):
                    took = await timed(client, tool, arguments, calls)
                    if turn:
                        figures.setdefault((kind, name), []).append(took)
    report(figures)


async def timed(client: Any, tool: str, arguments: dict[str, Any], calls: int) -> float:
    """Return milliseconds of CPU time a call, which other work on the machine does not change.

    The answer is read as it comes, without the client's checks of its schema.
    """
    from mcp_types import CallToolRequest, CallToolRequestParams, CallToolResult

    request = CallToolRequest(params=CallToolRequestParams(name=tool, arguments=arguments))
    start = time.process_time()
    for _ in range(calls):
        answer = await client.session.send_request(request, CallToolResult)
        assert not answer.is_error, answer
    return (time.process_time() - start) / calls * 1000


def report(figures: dict[tuple[str, str], list[float]]) -> None:
    print(f"{'CPU ms a call':<22}{'direct dispatch':>18}{'OpenAPI provider':>18}{'ratio':>8}")
    for kind in CALLS:
        direct, provided = figures[kind, "direct dispatch"], figures[kind, "OpenAPI provider"]
        ratio = statistics.median(b / a for a, b in zip(direct, provided, strict=True))
        print(f"{kind:<22}{statistics.median(direct):>18.2f}{statistics.median(provided):>18.2f}{ratio:>8.2f}")


if __name__ == "__main__":
    main()
