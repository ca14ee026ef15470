"""What the tests of derived tools share."""

from typing import Any

import pytest
from fastmcp import FastMCP

from mcp_server.server import create_server


@pytest.fixture
def mcp(db: None) -> FastMCP[Any]:
    """A server with nothing registered yet."""
    return create_server()
