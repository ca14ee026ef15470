"""A server with the vault's tools, and someone who may do everything with the rows that are theirs."""

from typing import Any

import pytest
from fastmcp import FastMCP

from tests.mcp_server.derive.admin.conftest import Caller, server_of
from tests.mcp_server.derive.admin.vault.people import ALL
from tests.mcp_server.derive.admin.vault.site import site


@pytest.fixture(scope="session")
def server() -> FastMCP[Any]:
    return server_of(site)


@pytest.fixture
def ann(caller: Any) -> Caller:
    return caller("ann", *ALL)
