"""The MCP server: the one global FastMCP instance, with everything agents can see registered on it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from django.apps import apps
from django.utils.module_loading import autodiscover_modules
from fastmcp import FastMCP
from fastmcp.server.providers import AggregateProvider, LocalProvider
from fastmcp.tools import Tool, ToolResult
from fastmcp.utilities.versions import VersionSpec, version_sort_key

from mcp_server.audit_log import audit_log
from mcp_server.auth import DjangoTokenVerifier
from mcp_server.broker import changes_of_other_processes
from mcp_server.conf import setting
from mcp_server.context import called_otherwise, tool_looked_up
from mcp_server.derive.completion import register_completion
from mcp_server.derive.prompts import register_settings_prompts
from mcp_server.derive.provider import DerivedProvider
from mcp_server.middleware import message_middleware
from mcp_server.middleware.auth import authorize_call
from mcp_server.orm import database_threads
from mcp_server.subscriptions import Subscriptions
from tokens.conf import server_name

INSTRUCTIONS = """\
A shop for furniture and household goods. You act as one user and see only what that user may see.
Concepts: a product has a SKU such as SKU0043, a price and a stock; an order has a number such as ORD-000123 and
lines; a stock adjustment says who changed a stock, why and by how much.
Units: money is a decimal string in EUR such as "249.00"; stock and quantities are whole pieces; times are ISO 8601
with their zone.
Workflows: find a product with search_products, then use its SKU everywhere. place_order takes stock at once;
cancel_order gives it back. Never change a stock to place an order: adjust_stock is for deliveries, damage and
corrections. low_stock_report tells what to reorder."""


@asynccontextmanager
async def lifespan(server: FastMCP[Any]) -> AsyncIterator[None]:
    """Write audit rows and tell subscribers while the server runs on any transport; leave no connection behind."""
    async with audit_log.running(), changes_of_other_processes(), Subscriptions(server).running():
        yield
    database_threads.close()


class AsksInTurn(AggregateProvider):
    """Stands between FastMCP, whose own checks of what was found stay, and the class that asks its providers."""

    async def _get_tool(self, name: str, version: VersionSpec | None = None) -> Tool | None:
        """Find a tool without FastMCP's task for each provider, where all of them answer from memory."""
        if not all(isinstance(provider, LocalProvider | DerivedProvider) for provider in self.providers):
            return await super()._get_tool(name, version)
        found = [tool for provider in self.providers if (tool := await provider.get_tool(name, version))]
        return max(found, key=version_sort_key, default=None)


class Server(FastMCP[Any], AsksInTurn):
    async def get_tool(self, name: str, version: VersionSpec | None = None) -> Tool | None:
        """Return the tool that a call names; what runs is then the very one that was authorized."""
        known = tool_looked_up(self, name) if version is None else None
        return known or await super().get_tool(name, version)

    async def call_tool(self, name: str, *args: Any, run_middleware: bool = True, **kwargs: Any) -> ToolResult:
        """Run a tool; one that a middleware of the project's calls in the place of another is authorized as well."""
        if not run_middleware and (ctx := called_otherwise(self, name)) is not None:
            await authorize_call(ctx, name, kwargs.get("version"))
        return await super().call_tool(name, *args, run_middleware=run_middleware, **kwargs)


def create_server() -> FastMCP[Any]:
    """Return a server with authentication, authorization, audit and metrics, and nothing registered yet."""
    return Server(
        server_name(),
        instructions=INSTRUCTIONS if apps.is_installed("shop") else None,
        auth=DjangoTokenVerifier(),
        middleware=message_middleware(),
        lifespan=lifespan,
        mask_error_details=True,
        on_duplicate="error",
    )


def register_everything(mcp: FastMCP[Any]) -> None:
    """Register what agents can see, domain by domain."""
    # The demo: delete this block together with the shop.
    if apps.is_installed("shop"):
        from mcp_server.prompts import register_prompts
        from mcp_server.resources import register_resources
        from mcp_server.tools.inventory import register_inventory_tools
        from mcp_server.tools.orders import register_order_tools
        from mcp_server.tools.products import register_product_tools

        register_product_tools(mcp)
        register_order_tools(mcp)
        register_inventory_tools(mcp)
        register_resources(mcp)
        register_prompts(mcp)

    # Any installed app may bring its own: a module mcp_tools with a function register(mcp).
    autodiscover_modules("mcp_tools")
    for config in apps.get_app_configs():
        module = getattr(config.module, "mcp_tools", None)
        if register := getattr(module, "register", None):
            register(mcp)

    # Written by hand wins: what is derived leaves a name alone that is taken.
    if setting("MCP_ADMIN_TOOLS"):
        from mcp_server.derive.admin import register_admin_tools

        register_admin_tools(mcp)
    if setting("MCP_API_TOOLS"):
        from mcp_server.derive.drf import register_api_tools

        register_api_tools(mcp)
    if setting("MCP_SEARCH_MODELS"):
        from mcp_server.derive.admin.search import register_search_tools

        register_search_tools(mcp)
    register_settings_prompts(mcp)
    register_completion(mcp)
    if setting("MCP_TOOL_SEARCH"):
        from mcp_server.derive.tool_search import collapse_derived_tools

        collapse_derived_tools(mcp)


mcp = create_server()
register_everything(mcp)
