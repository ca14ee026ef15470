"""A small server of its own: one tool, resource and prompt of every kind that authorization tells apart."""

import time
from typing import Annotated, Any

from django.contrib.auth.models import Group, User
from django.db import connection
from fastmcp import Context, FastMCP
from pydantic import Field

from mcp_server.context import CurrentUser, get_mcp_user
from mcp_server.orm import orm_tool
from mcp_server.permissions import CREATE, READ_ONLY, requires
from mcp_server.server import create_server

VIEW, ADD = "auth.view_group", "auth.add_group"


def make_server() -> FastMCP[Any]:
    mcp = create_server()
    register_tools(mcp)
    register_others(mcp)
    return mcp


def register_tools(mcp: FastMCP[Any]) -> None:
    @mcp.tool(annotations=READ_ONLY)
    async def who_am_i(ctx: Context) -> str:
        """Return the caller's username."""
        user = await get_mcp_user(ctx)
        return user.get_username() if user else "nobody"

    @mcp.tool(annotations=READ_ONLY, meta=requires(VIEW))
    @orm_tool
    def list_groups(
        limit: Annotated[int, Field(ge=1, le=100, description="How many.")] = 20, user: User = CurrentUser()
    ) -> list[str]:
        """Return the names of groups."""
        assert isinstance(user, User)
        return list(Group.objects.order_by("name").values_list("name", flat=True)[:limit])

    @mcp.tool(annotations=READ_ONLY, meta=requires(VIEW))
    async def count_groups() -> int:
        """Return how many groups there are, with Django's asynchronous ORM."""
        return await Group.objects.acount()

    @mcp.tool(annotations=CREATE, meta=requires(ADD))
    @orm_tool
    def create_group(name: Annotated[str, Field(description="A name.", max_length=150)]) -> str:
        """Create a group and return its name."""
        group = Group(name=name)
        group.full_clean()
        group.save()
        return group.name

    @mcp.tool(annotations=CREATE)
    def touch() -> str:
        """Change something; names no permission."""
        return "touched"

    @mcp.tool(annotations=READ_ONLY)
    @orm_tool
    def sleep(seconds: Annotated[float, Field(description="How long.")]) -> int:
        """Hold a database thread for a while; returns the database session where there is one."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1" if connection.vendor == "sqlite" else "SELECT pg_backend_pid()")
            (session,) = cursor.fetchone()
        time.sleep(seconds)
        return int(session)

    @mcp.tool(annotations=READ_ONLY)
    @orm_tool
    def broken() -> str:
        """Fail in a way nobody expected."""
        raise RuntimeError("the secret ingredient is salt")


def register_others(mcp: FastMCP[Any]) -> None:
    @mcp.resource("world://open")
    def open_resource() -> str:
        """What anyone may read."""
        return "open"

    @mcp.resource("world://groups", meta=requires(VIEW))
    @orm_tool
    def groups() -> str:
        """The names of groups."""
        return ", ".join(Group.objects.values_list("name", flat=True)) or "none"

    @mcp.resource("world://groups/{name}", meta=requires(VIEW))
    @orm_tool
    def group(name: str) -> str:
        """One group."""
        return Group.objects.get(name=name).name

    @mcp.prompt(meta=requires(VIEW))
    def tidy_groups() -> str:
        """Ask for tidy groups."""
        return "Tidy the groups."
