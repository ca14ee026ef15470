"""Unsafe settings and tools a model could not use, found by `manage.py check`."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connection
from fastmcp.tools import Tool

from mcp_server.catalog import all_tools
from mcp_server.changes import REDIS
from mcp_server.conf import setting
from mcp_server.derive.prompt_settings import prompts_problems
from tokens.models import TOOL_NAME, MCPToken
from tokens.rates import rate_error

MAX_DESCRIPTION = 750


@register(Tags.security)
def check_authentication(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    if setting("MCP_REQUIRE_AUTH") or settings.DEBUG:
        return []
    hint = "Set MCP_REQUIRE_AUTH to true, or DJANGO_DEBUG to true on a machine nobody else reaches."
    return [Error("MCP_REQUIRE_AUTH is off and DEBUG too: anyone could call.", hint=hint, id="mcp_server.E001")]


@register()
def check_tools(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    return [message for tool in all_tools() for message in _problems(tool)]


@register(Tags.database)
def check_allowed_tools(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Warn about tokens that name tools which no longer exist; runs where a database is checked."""
    if not databases:
        return []
    # `migrate` checks the database before it makes the table.
    if MCPToken._meta.db_table not in connection.introspection.table_names():
        return []
    known = {tool.name for tool in all_tools()}
    narrowed = MCPToken.objects.exclude(allowed_tools=[]).values_list("pk", "allowed_tools")
    return [
        Warning(f"Token {pk} allows tools that do not exist: {', '.join(unknown)}.", id="mcp_server.W001")
        for pk, names in narrowed
        if (unknown := sorted(set(names) - known))
    ]


@register(Tags.security)
def check_admin_tools(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Warn about tools over accounts, permissions, sessions and tokens, which are left out unless asked for."""
    hint = "Whoever may change these rows through an agent can widen their own rights. Leave them out, or read-only."
    opened = {label for tool in all_tools() if (label := getattr(tool, "opens", ""))}
    return [Warning(f"The admin's tools open {label}.", hint=hint, id="mcp_server.W003") for label in sorted(opened)]


@register()
def check_rate_limits(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    single = ("MCP_RATE_LIMIT_USER", "MCP_RATE_LIMIT_TOKEN", "MCP_RATE_LIMIT_TOOL")
    texts = {name: setting(name) for name in single}
    texts["MCP_RATE_LIMIT_TOOLS"] = ", ".join(setting("MCP_RATE_LIMIT_TOOLS"))
    texts |= {f"the rate of the tool {tool.name}": getattr(tool, "rate", "") for tool in all_tools()}
    return [
        Error(f"{name}: {' '.join(error.messages)}", id="mcp_server.E006")
        for name, text in texts.items()
        if (error := rate_error(text))
    ]


@register()
def check_prompts(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    return [Error(text, id="mcp_server.E007") for text in prompts_problems(setting("MCP_PROMPTS"))]


@register()
def check_broker(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    broker = setting("MCP_BROKER")
    if broker in ("", "postgres") or broker.startswith(REDIS):
        return []
    # Not what it is: an address may have a password in it.
    text = 'MCP_BROKER: use "postgres", an address such as redis://cache:6379/0, or nothing.'
    return [Error(text, id="mcp_server.E009")]


@register()
def check_search_models(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    chosen = setting("MCP_SEARCH_MODELS")
    if chosen in ([], {}, ()):
        return []
    # Not before it is needed: a project may have no admin.
    from mcp_server.derive.admin.search import opened, search_problems

    messages: list[CheckMessage] = [Error(text, id="mcp_server.E008") for text in search_problems(chosen)]
    hint = "Fields named like secrets stay hidden; every other one can be read by who may view the model."
    return messages or [
        Warning(f"MCP_SEARCH_MODELS[{label!r}]: accounts can be searched.", hint=hint, id="mcp_server.W002")
        for label in opened(chosen)
    ]


def _problems(tool: Tool) -> Iterator[CheckMessage]:
    description = tool.description or ""
    if not TOOL_NAME.fullmatch(tool.name):
        yield Error(f"Tool name {tool.name!r}: use 1 to 64 of A-Z a-z 0-9 _ -.", id="mcp_server.E002")
    if not description.strip():
        yield Error(f"Tool {tool.name} has no description; write a docstring.", id="mcp_server.E003")
    if len(description) > MAX_DESCRIPTION:
        text = f"Tool {tool.name}: its description has {len(description)} characters; at most {MAX_DESCRIPTION}."
        yield Error(text, id="mcp_server.E004")
    for name, schema in tool.parameters.get("properties", {}).items():
        if not schema.get("description"):
            hint = "Write it as Annotated[…, Field(description=…)]."
            yield Error(f"Tool {tool.name}: argument {name} has no description.", hint=hint, id="mcp_server.E005")
