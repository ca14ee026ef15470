"""docs/settings.md and .env.example hold every variable with the default the code has."""

import itertools
import re
from typing import Any

from mcp_server.conf import DEFAULTS
from tests.deploy.shapes import ROOT, example_variables


def as_text(default: Any) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, list):
        return ",".join(default)
    return "" if default is None else str(default)


def documented() -> dict[str, list[str]]:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+) \|$", (ROOT / "docs/settings.md").read_text(), re.MULTILINE)
    return {name: [cell.strip(" `") for cell in cells.split(" |")] for name, cells in rows}


def test_every_mcp_setting_is_documented_with_its_default() -> None:
    defaults = {name: cells[1] for name, cells in documented().items() if name.startswith("MCP_")}
    assert defaults == {name: as_text(default) for name, default in DEFAULTS.items()}


def test_every_row_has_a_sentence_and_a_production_value() -> None:
    for name, (sentence, _default, production) in documented().items():
        assert sentence.endswith("."), name
        assert production, name


def test_the_example_shows_every_mcp_setting_with_its_default() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    shown = dict(line[1:].split("=", 1) for line in lines if line.startswith("#MCP_"))
    assert shown == {name: as_text(default) for name, default in DEFAULTS.items()}


def test_the_example_and_the_page_have_the_same_variables() -> None:
    assert example_variables() == set(documented())


def test_every_variable_of_the_example_has_a_line_that_explains_it() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    for before, line in itertools.pairwise(lines):
        if re.match(r"#?[A-Z_]+=", line) and not re.match(r"#?[A-Z_]+=", before):
            assert before.startswith("# "), line
