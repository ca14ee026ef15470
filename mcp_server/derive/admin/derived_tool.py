"""What every tool of the admin is: one synchronous function, asked and run on one visit to the database."""

from collections.abc import Mapping
from typing import Any

from fastmcp.server.dependencies import get_context
from fastmcp.tools import Tool, ToolResult
from mcp_types import TextContent, ToolAnnotations
from pydantic_core import to_json

from mcp_server.context import require_mcp_user
from mcp_server.derive.admin.arguments import checked
from mcp_server.derive.admin.refusal import RefusalError
from mcp_server.derive.masking import in_database_masked
from mcp_server.derive.requests import Origin, current_origin
from mcp_server.errors import expected_errors
from mcp_server.middleware.audit import audited
from mcp_server.permissions import AsksItself, UnseenError

READ = ToolAnnotations(read_only_hint=True)


class DerivedTool(AsksItself, Tool):
    """Runs one synchronous function on the message's database thread; its own rule decides who sees it."""

    def get_meta(self) -> dict[str, Any]:
        # What a client can use of it; an empty list of tags in every tool is only bytes.
        return dict(self.meta_for_clients())

    def meta_for_clients(self) -> Mapping[str, Any]:
        return {}

    def to_mcp_tool(self, **overrides: Any) -> Any:
        # FastMCP's own title is the name once more.
        return super().to_mcp_tool(**{"title": self.title} | overrides)

    def answer(self, user: Any, origin: Origin, arguments: Mapping[str, Any]) -> Any:
        raise NotImplementedError

    def call(self, user: Any, origin: Origin, arguments: Mapping[str, Any]) -> Any:
        """Answer a caller who may use the tool; any other learns nothing of it, not even what its arguments are."""
        if not self.visible_to(user):
            raise UnseenError
        return self.answer(user, origin, self.checked(arguments))

    def checked(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments as the verbs take them; raises RefusalError for others."""
        return checked(self.parameters, arguments)

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        user = await require_mcp_user(get_context())
        with expected_errors():
            try:
                answer = await in_database_masked(await audited(self.call), user, current_origin(), arguments)
            except RefusalError as error:
                if not error.details:
                    raise
                text = TextContent(type="text", text=str(error))
                return ToolResult(content=[text], structured_content=error.details, is_error=True)
        if isinstance(answer, ToolResult):
            return answer
        # One line without spaces: the text is what most clients hand to the model.
        return ToolResult(content=[TextContent(type="text", text=to_json(answer).decode())], structured_content=answer)
