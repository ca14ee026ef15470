"""Prompts from the setting MCP_PROMPTS: ready tasks that need no code."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from django.template.loader import get_template
from django.utils.safestring import SafeString
from fastmcp import FastMCP
from fastmcp.exceptions import PromptError
from fastmcp.prompts import Prompt, PromptArgument, PromptResult
from mcp_types import Completion
from pydantic import PrivateAttr

from mcp_server.conf import setting
from mcp_server.derive.prompt_settings import PLACEHOLDER, arguments_of, entry_problems, is_required, prompts_problems
from mcp_server.derive.registration import add_derived
from mcp_server.errors import unknown_arguments_text
from mcp_server.orm import in_database
from mcp_server.permissions import requires

logger = logging.getLogger(__name__)


class SettingsPrompt(Prompt):
    """One entry of MCP_PROMPTS."""

    _entry: Mapping[str, Any] = PrivateAttr()

    def complete(self, user: Any, argument: str, value: str, given: Mapping[str, str]) -> Completion:
        """Return the argument's choices that begin with what was typed, or rows of its model the caller may see."""
        spec = arguments_of(self._entry).get(argument, {})
        if label := spec.get("model"):
            from mcp_server.derive.admin.completion import names_of_rows

            return names_of_rows(label, user, value)
        choices = [str(choice) for choice in spec.get("choices", ())]
        return Completion(values=[choice for choice in choices if choice.lower().startswith(value.lower())][:100])

    async def render(self, arguments: dict[str, Any] | None = None) -> PromptResult:
        values = dict(checked(arguments_of(self._entry), arguments or {}))
        if "template" in self._entry:
            text = await in_database(_from_template, self._entry["template"], values)
        else:
            text = PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), self._entry["text"])
        return PromptResult(text, description=self.description)


def checked(specs: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield every argument with its value or default; raises PromptError with a sentence for what is wrong."""
    if unknown := [name for name in given if name not in specs]:
        raise refusal(unknown_arguments_text(unknown, specs, of="prompt"))
    for name, spec in specs.items():
        value = str(given.get(name) or spec.get("default", ""))
        if not value and is_required(spec):
            raise refusal(f"{name} is required.")
        choices = [str(choice) for choice in spec.get("choices", ())]
        if value and choices and value not in choices:
            raise refusal(f"{name}: Use one of: {', '.join(choices)}.")
        yield name, value


def _from_template(name: str, values: Mapping[str, str]) -> str:
    # The result is plain text for a model, not a page: nothing in it is markup.
    return str(get_template(name).render({key: SafeString(value) for key, value in values.items()}))


def refusal(text: str) -> PromptError:
    # FastMCP logs a traceback at this level; the caller's mistake deserves none in production.
    return PromptError(text, log_level=logging.DEBUG)


def register_settings_prompts(mcp: FastMCP[Any], chosen: Any = None) -> list[str]:
    """Register a prompt for each entry of `chosen` (default: MCP_PROMPTS) and return the names.

    An entry is {"description", "text" or "template", "arguments", "permissions", "title"}. `text` holds {argument}
    where its value goes; `template` names a Django template. An argument is its description, or {"description",
    "required", "default", "choices", "model"}; `model` ("app.model") lets clients complete it. Who lacks one of the
    permissions ("app.codename") sees no prompt. Entries with mistakes are left out; `manage.py check` names them.
    """
    chosen = setting("MCP_PROMPTS") if chosen is None else chosen
    if problems := list(prompts_problems(chosen)):
        logger.error("Prompts are left out: %s", " ".join(problems))
    if not isinstance(chosen, Mapping):
        return []
    good = [_prompt(name, entry) for name, entry in chosen.items() if not any(entry_problems(name, entry))]
    return add_derived(mcp, good)


def _prompt(name: str, entry: Mapping[str, Any]) -> SettingsPrompt:
    prompt = SettingsPrompt(
        name=name,
        title=entry.get("title"),
        description=entry["description"],
        arguments=[_argument(key, spec) for key, spec in arguments_of(entry).items()],
        meta=requires(*entry.get("permissions", ())),
        tags={"settings"},
    )
    prompt._entry = entry
    return prompt


def _argument(name: str, spec: Mapping[str, Any]) -> PromptArgument:
    choices = ", ".join(str(choice) for choice in spec.get("choices", ()))
    text = spec["description"] + (f" One of: {choices}." if choices else "")
    return PromptArgument(name=name, description=text, required=is_required(spec))
