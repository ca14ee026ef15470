"""Pages of every kind, and how they are read."""

import uuid
from typing import Any

import pytest
from fastmcp import FastMCP

from mcp_server.derive.views import register_view_tools
from mcp_server.derive.views.pages import form_errors, page_text
from tests.everything.models import Gadget, Label
from tests.factories import make_user
from tests.mcp_server.derive.callers import Caller, text_of

URLS = "tests.everything.page_urls"


@pytest.fixture
def boss(mcp: FastMCP[Any]) -> Caller:
    register_view_tools(mcp, URLS)
    return Caller(mcp, make_user("boss", superuser=True))


def test_methods_and_forms_decide_which_tools_there_are(boss):
    assert set(boss.tools()) == {
        "read_make", "submit_make", "read_change", "submit_change", "read_delete", "submit_delete", "read_ask",
        "submit_ask", "read_labels", "submit_ring", "read_slow", "read_year", "read_broken", "read_done",
    }  # fmt: skip


def test_forms_become_typed_arguments(boss):
    tools = boss.tools()
    made = tools["submit_make"].input_schema
    assert made["required"] == ["name"]
    kinds = {name: part.get("type") for name, part in made["properties"].items()}
    assert kinds["in_use"] == "boolean"
    assert kinds["count"] == "integer"
    assert made["properties"]["grade"]["enum"] == ["1", "2"]
    assert tools["submit_change"].input_schema["required"] == ["pk"]
    asked = tools["submit_ask"].input_schema["properties"]
    assert asked["colours"]["items"]["enum"] == ["red", "green"]
    assert asked["name"]["description"] == "Who asks."
    ring = tools["submit_ring"].input_schema["properties"]
    assert (ring["times"]["type"], ring["key"]["format"]) == ("integer", "uuid")


def test_a_row_is_made_changed_and_deleted_by_generic_views(boss):
    oak = Label.objects.create(name="oak")
    file = {"name": "lamp.txt", "content": "U2NyZXc="}
    fields = {"name": "Lamp", "in_use": True, "count": 3, "price": "9.50", "made_on": "2026-01-02", "grade": "2"}
    made = boss.call("submit_make", **fields, label=oak.pk, labels=[oak.pk], manual=file)
    assert made.structured_content["location"] == "/done/"
    gadget = Gadget.objects.get()
    with gadget.manual as manual:
        assert manual.read() == b"Screw"
    assert (gadget.name, gadget.in_use, gadget.count, str(gadget.price), gadget.grade) == ("Lamp", True, 3, "9.50", 2)
    boss.call("submit_change", pk=gadget.pk, count=4)
    gadget.refresh_from_db()
    assert (gadget.name, gadget.count, gadget.label, list(gadget.labels.all())) == ("Lamp", 4, oak, [oak])
    assert (gadget.in_use, bool(gadget.manual)) == (True, True)
    boss.call("submit_change", pk=gadget.pk, in_use=False, labels=[])
    gadget.refresh_from_db()
    assert (gadget.in_use, list(gadget.labels.all())) == (False, [])
    assert boss.call("submit_change", pk=99, count=1).meta["http_status"] == 404
    refused = boss.call("submit_change", pk=gadget.pk, grade="7", count="x")
    assert refused.is_error
    assert refused.meta["errors"].keys() == {"grade", "count"}
    assert not boss.call("submit_delete", pk=gadget.pk).is_error
    assert not Gadget.objects.exists()


def test_a_form_view_answers_json_and_refuses_as_a_whole(boss):
    answer = boss.call("submit_ask", colours=["green"], really=True, extra={"a": 1}, when="2026-01-02T03:04:05+00:00")
    assert answer.structured_content["extra"] == "{'a': 1}"
    assert answer.structured_content["really"] == "True"
    assert text_of(boss.call("submit_ask", colours=["green"], name="mallory")) == "Not you."
    assert "colours: " in text_of(boss.call("submit_ask", colours=["blue"]))


def test_rules_are_found_through_wrappers_and_mixins(mcp):
    register_view_tools(mcp, URLS)
    plain = set(Caller(mcp, make_user()).tools())
    assert plain == {"read_ask", "submit_ask", "read_slow", "read_year", "read_broken", "read_done"}
    assert set(Caller(mcp, make_user("grace")).tools()) == plain - {"read_ask", "submit_ask"}
    assert set(Caller(mcp, make_user("clerk", staff=True)).tools()) - plain == {"submit_ring"}
    changer = Caller(mcp, make_user("changer", "everything.change_gadget", "everything.view_label"))
    assert set(changer.tools()) - plain == {"read_change", "submit_change", "read_labels"}


def test_parts_of_the_address_are_converted_and_checked(boss):
    key = uuid.UUID(int=3)
    rung = boss.call("submit_ring", times=2, key=str(key), rest="a/b")
    assert rung.structured_content == {"times": 2, "key": str(key), "rest": "a/b"}
    assert text_of(boss.call("submit_ring", times=2, key="x", rest="a")) == "key: This does not fit the address."
    assert text_of(boss.call("submit_ring", times=2, key=str(key))) == "rest: This is required."
    assert text_of(boss.call("read_year", year="26")) == "year: nothing has an address like this."
    assert text_of(boss.call("read_year", year="2026")) == "# 2026\n- 0 labels"
    assert "pg is not an argument" in text_of(boss.call("read_year", year="2026", pg=1))


def test_an_asynchronous_view_knows_the_caller(boss):
    assert text_of(boss.call("read_slow")) == "hello boss"


def test_a_broken_view_is_one_opaque_sentence(boss):
    answer = boss.call("read_broken")
    assert answer.is_error
    assert "salt" not in text_of(answer)


def test_a_rule_that_needs_the_row_hides_the_tool_and_says_so(boss, caplog):
    assert "read_rows" not in boss.tools()
    assert "The rules of the view rows cannot be asked" in caplog.text


def test_a_hook_without_a_rule_of_its_own_needs_one_from_the_registration(mcp):
    register_view_tools(mcp, URLS, include=["hook"], permissions={"hook": ["everything.add_gadget"]})
    assert Caller(mcp, make_user()).tools() == {}
    adder = Caller(mcp, make_user("adder", "everything.add_gadget"))
    assert text_of(adder.call("submit_hook")) == "taken"


def test_the_main_part_of_a_page_is_its_text():
    html = """<html><head><title>T</title><style>x</style></head><body><nav>Menu</nav><p>Before
    <main><h2>Head  <b>line</b></h2><p>One<br>two &amp; three<table><tr><th>A<th>B</tr><tr><td>1<td><a href=x>2</a></tr>
    </table><ol><li>x<li>y</ol><script>alert(1)</script><select><option>no</select></main><footer>End</footer>"""
    assert page_text(html, 1000) == "## Head line\nOne\ntwo & three\nA | B\n1 | 2\n- x\n- y"
    assert page_text("<p>" + "a" * 50, 10) == "a" * 10 + "\n… the page goes on."


def test_errors_of_forms_are_found_in_a_page():
    html = """<ul class="errorlist nonfield"><li>Not you.</li></ul>
    <ul class="errorlist" id="id_sku_error"><li>Too long.</li><li>Too odd.</li></ul><ul><li>No error.</li></ul>"""
    assert form_errors(html) == {"": ["Not you."], "sku": ["Too long.", "Too odd."]}
