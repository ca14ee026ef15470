"""The ASGI application of a server in a process of its own."""

import time

from django.contrib.auth.models import Group
from django.core.asgi import get_asgi_application

get_asgi_application()

from mcp_server.asgi import build_app  # noqa: E402
from mcp_server.orm import orm_tool  # noqa: E402
from mcp_server.permissions import CREATE  # noqa: E402
from tests.mcp_server.world import make_server  # noqa: E402

server = make_server()


@server.tool(annotations=CREATE)
@orm_tool
def slow_report(name: str, seconds: float) -> str:
    """Note the start as a group, take a while, and return the name."""
    Group.objects.create(name=name)
    time.sleep(seconds)
    return name


application = build_app(server)
