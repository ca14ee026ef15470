"""Makes the tools of a list of endpoints: which endpoints become one tool, and how each is called."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from mcp_server.derive.drf.endpoints import Endpoint
from mcp_server.derive.drf.naming import tool_names
from mcp_server.derive.drf.operations import Operation, describe
from mcp_server.derive.drf.tools import ApiTool, make_tool


def tools_of(endpoints: Sequence[Endpoint], prefix: str | None = None) -> Iterator[ApiTool]:
    """Yield one tool for each action of a ViewSet and each method of other views."""
    operations = describe(list(_one_for_each_action(endpoints)))
    names = tool_names([operation.endpoint for operation in operations], prefix)
    for name, operation in zip(names, operations, strict=True):
        yield make_tool(name, operation, _reading(operation, endpoints))


def _one_for_each_action(endpoints: Sequence[Endpoint]) -> Iterator[Endpoint]:
    """Leave PUT out where PATCH does the same with fewer fields, and a second method of one @action."""
    seen: set[tuple[object, str, str]] = set()
    for endpoint in endpoints:
        action = "update" if endpoint.action == "partial_update" else endpoint.action
        key = (endpoint.callback, endpoint.template, action)
        if endpoint.in_viewset and key in seen and endpoint.method in ("PUT", "PATCH"):
            continue
        seen.add(key)
        yield endpoint


def _reading(operation: Operation, endpoints: Sequence[Endpoint]) -> Operation | None:
    """Return the operation that reads the row, for a ViewSet that changes rows by PUT alone."""
    endpoint = operation.endpoint
    if not endpoint.in_viewset or endpoint.action != "update" or endpoint.method != "PUT":
        return None
    same_place = [other for other in endpoints if other.template == endpoint.template and other.action == "retrieve"]
    if not same_place:
        return None
    place = {name: argument for name, argument in operation.arguments.items() if argument.place != "body"}
    return replace(operation, endpoint=same_place[0], arguments=place)
