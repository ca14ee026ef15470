"""What the README says about writing a tool is true."""

import re
from pathlib import Path

import pytest
from asgiref.sync import async_to_sync
from fastmcp import Client

from mcp_server.server import create_server
from tests.factories import make_product, make_user
from tokens.models import MCPToken

README = Path(__file__).resolve().parent.parent / "README.md"


def test_the_tool_in_the_readme_works(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    module: dict[str, object] = {}
    exec(compile(example, "mcp_tools.py", "exec"), module)  # noqa: S102
    mcp = create_server()
    module["register"](mcp)  # type: ignore[operator]
    make_product("SKU0001", price="5.00")
    make_product("SKU0002", price="3.00")
    token = MCPToken.objects.create(user=make_user("ada", "shop.view_product"), name="Claude").token
    monkeypatch.setenv("MCP_TOKEN", str(token))

    async def call() -> list[str]:
        async with Client(mcp) as client:
            return list((await client.call_tool("cheapest_products", {"count": 2})).data)

    assert async_to_sync(call)() == ["SKU0002", "SKU0001"]
