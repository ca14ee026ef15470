"""What stands beside the admin's tools: resources, prompts for actions, and completion."""

from collections.abc import Sequence
from typing import Any

from fastmcp import FastMCP

from mcp_server.derive.admin.exposure import Exposed
from mcp_server.derive.admin.prompts import register_action_prompts
from mcp_server.derive.admin.resources import register_admin_resources
from mcp_server.derive.completion import register_completion


def register_beside_tools(mcp: FastMCP[Any], exposed: Sequence[Exposed]) -> None:
    register_admin_resources(mcp, exposed)
    register_action_prompts(mcp, exposed)
    register_completion(mcp)
