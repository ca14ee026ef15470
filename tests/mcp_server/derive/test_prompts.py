"""Prompts from MCP_PROMPTS, and the check that names what is wrong with them."""

import logging
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.core.checks import registry
from fastmcp import FastMCP

from mcp_server.checks import check_prompts
from mcp_server.derive.completion import register_completion
from mcp_server.derive.prompts import register_settings_prompts
from mcp_server.server import create_server, register_everything
from shop.models import Category
from tests.factories import make_user
from tests.mcp_server.derive.admin_resources.conftest import Person

TIDY = {
    "tidy_catalogue": {
        "title": "Tidy the catalogue",
        "description": "Go through the products of a category and say what is untidy.",
        "text": 'Look at the products of {category} with status {status}. Answer as {"sku": "…"}, for {reader}.',
        "arguments": {
            "category": {"description": "Name of a category.", "model": "shop.category"},
            "status": {"description": "Status of the products.", "choices": ["draft", "active"], "default": "draft"},
            "reader": {"description": "Who reads it.", "required": False},
        },
        "permissions": ["shop.view_product"],
    }
}


@pytest.fixture
def ada(mcp: FastMCP[Any]) -> Person:
    assert register_settings_prompts(mcp, TIDY) == ["tidy_catalogue"]
    register_completion(mcp)
    return Person(mcp, make_user("ada", "shop.view_product", "shop.view_category", staff=True))


def test_a_prompt_is_described_with_its_arguments(ada: Person) -> None:
    prompt = ada.prompts()["tidy_catalogue"]
    assert (prompt.title, prompt.description[:10]) == ("Tidy the catalogue", "Go through")
    assert [(a.name, a.required) for a in prompt.arguments] == [
        ("category", True),
        ("status", False),
        ("reader", False),
    ]
    assert prompt.arguments[1].description == "Status of the products. One of: draft, active."


def test_values_go_where_the_text_says_and_nowhere_else(ada: Person) -> None:
    assert ada.prompt("tidy_catalogue", category="Desks & {status}") == (
        'Look at the products of Desks & {status} with status draft. Answer as {"sku": "…"}, for .'
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "category is required."),
        ({"category": ""}, "category is required."),
        ({"category": "Desks", "status": "lost"}, "status: Use one of: draft, active."),
        (
            {"category": "Desks", "colour": "red"},
            "colour is not an argument of this prompt; its arguments are: ",
        ),
    ],
)
def test_wrong_arguments_are_refused(
    ada: Person, arguments: dict[str, str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="fastmcp"):
        assert said in ada.unprompted("tidy_catalogue", **arguments)


def test_who_lacks_a_permission_sees_no_such_prompt(ada: Person) -> None:
    other = Person(ada.server, make_user("grace", "shop.view_category", staff=True))
    assert other.prompts() == {}
    assert "Unknown prompt" in other.unprompted("tidy_catalogue", category="Desks")
    assert other.completed("tidy_catalogue", "status", "") == []


def test_rows_of_a_model_that_is_hidden_from_agents_are_not_completed(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    Category.objects.create(name="Desks", slug="desks")
    monkeypatch.setattr(admin.site._registry[Category], "mcp_expose", False, raising=False)
    assert ada.completed("tidy_catalogue", "category", "") == []


def test_choices_and_rows_of_a_model_are_completed(ada: Person) -> None:
    Category.objects.create(name="Desks", slug="desks")
    Category.objects.create(name="Lamps", slug="lamps")
    assert ada.completed("tidy_catalogue", "status", "Ac") == ["active"]
    assert ada.completed("tidy_catalogue", "category", "des") == ["Desks"]
    assert ada.completed("tidy_catalogue", "reader", "") == []
    outside = Person(ada.server, make_user("bob", "shop.view_product", "shop.view_category"))
    assert outside.completed("tidy_catalogue", "category", "des") == []


def test_a_template_of_django_is_rendered_as_plain_text(mcp: FastMCP[Any], tmp_path: Path, settings: Any) -> None:
    (tmp_path / "greet.txt").write_text("Greet {{ whom }}{% if whom == 'Ada' %} warmly{% endif %}: <b> & co.")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    entry = {"description": "Greet someone.", "template": "greet.txt", "arguments": {"whom": "Whom."}}
    register_settings_prompts(mcp, {"greet": entry})
    ada = Person(mcp, make_user("ada"))
    assert ada.prompt("greet", whom="Ada") == "Greet Ada warmly: <b> & co."
    assert ada.prompt("greet", whom="Tom & <Jerry>") == "Greet Tom & <Jerry>: <b> & co."


def test_the_settings_prompts_are_part_of_the_server(db: None, settings: Any) -> None:
    settings.MCP_PROMPTS = TIDY
    mcp = create_server()
    register_everything(mcp)
    ada = Person(mcp, make_user("ada", "shop.view_product"))
    assert "tidy_catalogue" in ada.prompts()


def test_a_prompt_written_by_hand_wins(mcp: FastMCP[Any], caplog: pytest.LogCaptureFixture) -> None:
    @mcp.prompt
    def tidy_catalogue() -> str:
        """Tidy up by hand."""
        return "By hand."

    assert register_settings_prompts(mcp, TIDY) == []
    assert "The prompt name tidy_catalogue is taken" in caplog.text


def changed(**changes: Any) -> dict[str, Any]:
    entry = {key: value for key, value in (TIDY["tidy_catalogue"] | changes).items() if value is not None}
    return {"tidy_catalogue": entry}


def argument(**spec: Any) -> dict[str, Any]:
    return changed(text="Look.", arguments={"status": {"description": "Which.", **spec}})


P = "MCP_PROMPTS['tidy_catalogue']"
STATUS = f"{P}['arguments']['status']"
MISTAKES = [
    (["tidy"], "MCP_PROMPTS: give a dict from names to prompts."),
    ({"tidy up": TIDY["tidy_catalogue"]}, "MCP_PROMPTS['tidy up']: a name has"),
    ({"tidy_catalogue": "Tidy."}, f"{P}: give a dict."),
    (changed(description=None), f"{P}['description']: is missing"),
    (changed(description=" "), f"{P}['description']: give a text."),
    (changed(text=None), f"{P}: give either 'text' or 'template'."),
    (changed(template="a.txt"), f"{P}: give either 'text' or 'template'."),
    (changed(text=None, template="no/such.txt"), f"{P}['template']: there is no template 'no/such.txt'."),
    (changed(text="For {nobody}."), f"{P}['text']: {{nobody}} is none of its arguments."),
    (changed(body="Tidy."), f"{P}['body']: is no key; use arguments,"),
    (changed(permissions="shop.view_product"), f"{P}['permissions']: give a list"),
    (changed(permissions=["view_product"]), f"{P}['permissions']: 'view_product' is no permission"),
    (changed(permissions=["stop.view_product"]), f"{P}['permissions']: 'stop.view_product' is no permission"),
    (changed(arguments=["status"]), f"{P}['arguments']: give a dict"),
    (changed(text="Look.", arguments={"My Status": "Which."}), f"{P}['arguments']['My Status']: a name has"),
    (changed(text="Look.", arguments={"status": 3}), f"{STATUS}: give a description, or a dict."),
    (argument(description=""), f"{STATUS}['description']: give a text."),
    (argument(kind="text"), f"{STATUS}['kind']: is no key"),
    (argument(required="yes"), f"{STATUS}['required']: give True or False."),
    (argument(default=3), f"{STATUS}['default']: give a text"),
    (argument(choices="draft"), f"{STATUS}['choices']: give a list."),
    (argument(choices=["draft"], default="lost"), f"{STATUS}['default']: is none of the choices."),
    (argument(model="shop.nothing"), f"{STATUS}['model']: is no model"),
    (argument(model="product"), f"{STATUS}['model']: is no model"),
    (argument(model="tokens.mcptoken"), f"{STATUS}['model']: holds sessions, tokens or logs"),
]


@pytest.fixture(params=MISTAKES, ids=[text for _, text in MISTAKES])
def mistake(request: pytest.FixtureRequest, settings: Any) -> str:
    settings.MCP_PROMPTS, text = request.param
    return str(text)


def test_a_mistake_is_an_error_of_the_system_check_that_names_the_key(mistake: str) -> None:
    [message] = check_prompts(None)
    assert message.id == "mcp_server.E007"
    assert message.msg.startswith(mistake)


def test_an_entry_with_a_mistake_is_left_out_and_logged(
    mistake: str, mcp: FastMCP[Any], caplog: pytest.LogCaptureFixture
) -> None:
    assert register_settings_prompts(mcp) == []
    assert mistake in caplog.text


def test_other_entries_stay(mcp: FastMCP[Any]) -> None:
    assert register_settings_prompts(mcp, TIDY | {"broken": {}}) == ["tidy_catalogue"]


def test_what_is_right_is_no_error(settings: Any) -> None:
    settings.MCP_PROMPTS = TIDY
    assert check_prompts(None) == []
    assert check_prompts in registry.registry.get_checks()
