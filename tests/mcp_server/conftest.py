"""What the tests of this room share: a running app of its own, and people with tokens."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from asgiref.sync import SyncToAsync
from django.contrib.auth.models import User
from django.db import connection, connections
from fastmcp import FastMCP
from starlette.applications import Starlette

from mcp_server.asgi import build_app
from mcp_server.audit_log import audit_log
from mcp_server.auth import principals
from mcp_server.orm import database_threads
from tests.mcp_server.world import ADD, VIEW, make_server
from tests.tokens.people import make_token, make_user
from tokens.models import MCPToken

# What only PostgreSQL can show is collected only where the tests run on it.
collect_ignore = [] if connection.vendor == "postgresql" else ["test_broker.py", "test_postgres.py"]


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    principals.clear()
    # A test that broke its own transaction leaves rows behind that name what was rolled back.
    audit_log._rows.clear()
    yield
    database_threads.close()
    # An asynchronous test's own queries ran here; a connection left open would keep the test database from going.
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()


@pytest.fixture
def server() -> FastMCP[Any]:
    return make_server()


@pytest.fixture
def app(server: FastMCP[Any]) -> Starlette:
    """The app of that server; a test runs it with `async with running(app)`."""
    return build_app(server)


@pytest.fixture
def ada(transactional_db: None) -> User:
    """Someone who may view and add groups."""
    return make_user("ada", VIEW, ADD)


@pytest.fixture
def token(ada: User) -> MCPToken:
    return make_token(ada)


@contextmanager
def database_outage() -> Iterator[None]:
    """No database thread reaches the database."""
    settings, working = connection.settings_dict, dict(connection.settings_dict)
    database_threads.close()
    settings.update(
        {"NAME": "/nowhere/db.sqlite3"} if connection.vendor == "sqlite" else {"HOST": "127.0.0.1", "PORT": "1"}
    )
    try:
        yield
    finally:
        database_threads.close()
        settings.update(working)


@pytest.fixture
def unreachable_database(transactional_db: None) -> Iterator[None]:
    with database_outage():
        yield
