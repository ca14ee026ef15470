"""What the setting MCP_PROMPTS may hold, and a sentence for each mistake in it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from django.apps import apps
from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.template.loader import get_template

from mcp_server.derive.named_models import model_problem
from tokens.models import TOOL_NAME

ARGUMENT = re.compile(r"[a-z][a-z0-9_]*")
PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
PROMPT_KEYS = {"description", "title", "text", "template", "arguments", "permissions"}
ARGUMENT_KEYS = {"description", "required", "default", "choices", "model"}


def is_required(spec: Mapping[str, Any]) -> bool:
    """Tell whether a value must be given: where the setting says so, else where there is no default."""
    return bool(spec.get("required", "default" not in spec))


def arguments_of(entry: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the arguments by name; one that is only a text is its description."""
    given = entry.get("arguments") or {}
    return {name: {"description": spec} if isinstance(spec, str) else spec for name, spec in given.items()}


def prompts_problems(chosen: Any) -> Iterator[str]:
    """Yield a sentence for each mistake in MCP_PROMPTS, which names the key."""
    if not isinstance(chosen, Mapping):
        yield "MCP_PROMPTS: give a dict from names to prompts."
        return
    for name, entry in chosen.items():
        yield from entry_problems(name, entry)


def entry_problems(name: Any, entry: Any) -> Iterator[str]:
    """Yield a sentence for each mistake in one entry of MCP_PROMPTS."""
    where = f"MCP_PROMPTS[{name!r}]"
    if not isinstance(name, str) or not TOOL_NAME.fullmatch(name):
        yield f"{where}: a name has 1 to 64 of A-Z a-z 0-9 _ -."
    if not isinstance(entry, Mapping):
        yield f"{where}: give a dict."
        return
    for key in entry.keys() - PROMPT_KEYS:
        yield f"{where}[{key!r}]: is no key; use {', '.join(sorted(PROMPT_KEYS))}."
    for key in ("description", "title", "text", "template"):
        if key in entry and not (isinstance(entry[key], str) and entry[key].strip()):
            yield f"{where}[{key!r}]: give a text."
    if "description" not in entry:
        yield f"{where}['description']: is missing; people choose by it."
    yield from _permission_problems(where, entry.get("permissions", ()))
    arguments = list(_argument_problems(where, entry.get("arguments", {})))
    yield from arguments
    if not arguments:
        yield from _text_problems(where, entry)


def _permission_problems(where: str, names: Any) -> Iterator[str]:
    if not isinstance(names, list | tuple):
        yield f"{where}['permissions']: give a list of \"app.codename\"."
        return
    for name in names:
        label, _, codename = name.partition(".") if isinstance(name, str) else ("", "", "")
        if not codename or not any(config.label == label for config in apps.get_app_configs()):
            yield f"{where}['permissions']: {name!r} is no permission of an installed app."


def _argument_problems(where: str, arguments: Any) -> Iterator[str]:
    if not isinstance(arguments, Mapping):
        yield f"{where}['arguments']: give a dict from names to descriptions."
        return
    for name, spec in arguments.items():
        place = f"{where}['arguments'][{name!r}]"
        if not isinstance(name, str) or not ARGUMENT.fullmatch(name):
            yield f"{place}: a name has a-z, 0-9 and _, and begins with a letter."
        yield from _spec_problems(place, {"description": spec} if isinstance(spec, str) else spec)


def _spec_problems(place: str, spec: Any) -> Iterator[str]:
    if not isinstance(spec, Mapping):
        yield f"{place}: give a description, or a dict."
        return
    for key in spec.keys() - ARGUMENT_KEYS:
        yield f"{place}[{key!r}]: is no key; use {', '.join(sorted(ARGUMENT_KEYS))}."
    if not isinstance(spec.get("description"), str) or not spec["description"].strip():
        yield f"{place}['description']: give a text."
    if not isinstance(spec.get("required", True), bool):
        yield f"{place}['required']: give True or False."
    if not isinstance(spec.get("default", ""), str):
        yield f"{place}['default']: give a text; arguments of prompts are texts."
    choices = spec.get("choices", ())
    if not isinstance(choices, list | tuple):
        yield f"{place}['choices']: give a list."
    elif choices and spec.get("default") and spec["default"] not in [str(choice) for choice in choices]:
        yield f"{place}['default']: is none of the choices."
    if "model" in spec:
        yield from _model_problems(f"{place}['model']", spec["model"])


def _model_problems(place: str, label: Any) -> Iterator[str]:
    if problem := model_problem(label):
        yield f"{place}: {problem}"


def _text_problems(where: str, entry: Mapping[str, Any]) -> Iterator[str]:
    if ("text" in entry) == ("template" in entry):
        yield f"{where}: give either 'text' or 'template'."
    elif isinstance(entry.get("text"), str):
        for name in dict.fromkeys(PLACEHOLDER.findall(entry["text"])):
            if name not in arguments_of(entry):
                yield f"{where}['text']: {{{name}}} is none of its arguments."
    elif isinstance(entry.get("template"), str):
        yield from _template_problems(where, entry["template"])


def _template_problems(where: str, name: str) -> Iterator[str]:
    try:
        get_template(name)
    except TemplateDoesNotExist:
        yield f"{where}['template']: there is no template {name!r}."
    except TemplateSyntaxError as error:
        yield f"{where}['template']: {error}"
