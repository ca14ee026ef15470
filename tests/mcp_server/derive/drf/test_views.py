"""The rarer kinds of API views, and what surrounds a view in the project."""

import asyncio
import logging
import subprocess
import sys
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from fastmcp import FastMCP

from mcp_server.derive.drf import register_api_tools, register_viewset_tools
from shop.api import ProductViewSet, StockReportView
from shop.models import Product
from tests.everything.models import Gadget, Label, Maker
from tests.factories import make_product, make_user
from tests.mcp_server.derive.callers import Caller, text_of

URLS = "tests.everything.urls"


@pytest.fixture
def ada(mcp: FastMCP[Any]) -> Caller:
    register_api_tools(mcp, URLS)
    return Caller(mcp, make_user())


def test_names_follow_the_router_and_the_address(ada):
    assert set(ada.tools()) == {
        "gadget_list", "gadget_create", "gadget_retrieve", "gadget_update", "gadget_destroy", "gadget_notes",
        "gadget_notes_post", "gadget_table", "gadget_picture", "gadget_broken", "maker_retrieve", "maker_update",
        "label_list", "label_create", "label_retrieve", "label_update", "label_destroy", "bare_post", "open_get",
        "slow_get", "in_path_get", "in_query_get", "in_accept_get", "greet_get",
    }  # fmt: skip


def test_a_prefix_names_the_tools_of_one_view(mcp):
    names = register_viewset_tools(mcp, ProductViewSet, prefix="goods")
    assert set(names) == {
        "goods_list", "goods_retrieve", "goods_create", "goods_update", "goods_destroy", "goods_adjust_stock",
        "goods_low_stock",
    }  # fmt: skip
    assert register_viewset_tools(mcp, StockReportView, prefix="report") == ["report_get"]


def test_a_view_that_no_url_leads_to_is_refused(mcp):
    class Unrouted(ProductViewSet):
        pass

    with pytest.raises(ImproperlyConfigured, match="No URL leads to Unrouted"):
        register_viewset_tools(mcp, Unrouted)


def test_a_tool_written_by_hand_keeps_its_name(mcp, caplog):
    @mcp.tool
    def tag_list() -> str:
        """By hand."""
        return "by hand"

    assert "tag_list" not in register_api_tools(mcp)
    assert "The tool name tag_list is taken" in caplog.text


def test_without_rest_framework_the_module_imports_and_registers_nothing():
    code = """import sys
sys.modules["rest_framework"] = None
from mcp_server.derive.drf import register_api_tools, register_viewset_tools
print(register_api_tools(None), register_viewset_tools(None, None))"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=25)
    assert (run.stdout, run.stderr) == ("[] []\n", "")


def test_put_and_patch_are_one_partial_tool_even_where_only_put_is_taken(ada):
    maker = Maker.objects.create(name="Nordwood")
    assert "required" in ada.tools()["maker_update"].input_schema
    changed = ada.call("maker_update", id=str(maker.pk), name="Southwood")
    assert changed.structured_content == {"id": str(maker.pk), "name": "Southwood"}
    unchanged = ada.call("maker_update", id=str(maker.pk))
    assert unchanged.structured_content["name"] == "Southwood"
    missing = ada.call("maker_update", id="00000000-0000-0000-0000-000000000000", name="x")
    assert missing.meta["http_status"] == 404


def test_a_field_named_like_the_address_gets_a_prefix(ada):
    Label.objects.create(name="oak")
    assert set(ada.tools()["label_update"].input_schema["properties"]) == {"name", "body_name"}
    assert ada.call("label_update", name="oak", body_name="elm").structured_content == {"name": "elm"}


def test_an_action_of_two_methods_is_two_tools(ada):
    Gadget.objects.create(pk=1, name="Lamp")
    tools = ada.tools()
    assert tools["gadget_notes"].annotations.read_only_hint
    assert not tools["gadget_notes_post"].annotations.read_only_hint
    assert ada.call("gadget_notes", id=1).structured_content["method"] == "GET"
    sent = ada.call("gadget_notes_post", id=1, name="Lamp")
    assert sent.structured_content == {"method": "POST", "sent": {"name": "Lamp"}}


def test_other_answers_than_json_come_as_text_and_files(ada):
    Gadget.objects.create(pk=1, name="Lamp")
    assert text_of(ada.call("gadget_table", id=1)) == "name\nLamp\n"
    [file] = ada.call("gadget_picture", id=1).content
    assert (file.resource.mime_type, file.resource.blob) == ("image/png", "iVBORw==")
    assert str(file.resource.uri) == "file:///gadget.png"


def test_an_unexpected_failure_is_one_opaque_sentence(ada):
    failed = ada.call("gadget_broken")
    assert failed.is_error
    assert "salt" not in text_of(failed)
    assert "correlation id" in text_of(failed)


def test_a_rule_that_needs_the_address_hides_the_tool_and_says_so(ada, caplog):
    with caplog.at_level(logging.WARNING):
        assert "nested_list" not in ada.tools()
    assert "nested_list cannot be asked" in caplog.text


def test_a_bare_view_takes_a_free_body_and_knows_the_caller(ada):
    sent = ada.call("bare_post", body={"a": [1]})
    assert sent.structured_content == {"sent": {"a": [1]}, "user": "ada", "auth": None}


def test_a_view_that_authenticates_nobody_knows_the_caller_too(ada):
    assert ada.call("open_get").structured_content == {"user": "ada", "host": "localhost:8001"}


def test_the_views_throttle_counts_and_says_how_long_to_wait(ada):
    cache.clear()
    assert not ada.call("slow_get").is_error
    refused = ada.call("slow_get")
    assert refused.meta["http_status"] == 429
    assert "Request was throttled." in text_of(refused)
    assert "Try again in" in text_of(refused)


@pytest.mark.parametrize("tool", ["in_path_get", "in_query_get", "in_accept_get"])
def test_a_version_is_an_argument_wherever_it_is_chosen(ada, tool):
    assert ada.tools()[tool].input_schema["properties"]["version"]["enum"] == ["1", "2"]
    assert ada.call(tool).structured_content == {"version": "1"}
    assert ada.call(tool, version="2").structured_content == {"version": "2"}
    assert ada.call(tool, version="3").is_error


def test_a_function_is_a_view_too(ada):
    assert ada.call("greet_get", name="Grace").structured_content == {"hello": "Grace"}
    assert text_of(ada.call("greet_get")) == "name is required."


@pytest.mark.parametrize("name", ["a/b", "a/../..", "1/notes", "%2F", "é?x=1#y"])
def test_an_argument_leads_to_no_other_view(ada, name):
    answer = ada.call("greet_get", name=name)
    assert answer.is_error == ("/" in name)
    if not answer.is_error:
        assert answer.structured_content == {"hello": name}


def test_a_sort_order_that_is_not_known_is_refused(mcp):
    register_api_tools(mcp)
    boss = Caller(mcp, make_user("boss", superuser=True))
    refused = text_of(boss.call("product_list", ordering=["-price", "secret"]))
    assert refused == (
        "ordering: 'secret' is not one of: sku, -sku, name, -name, price, -price, stock, -stock, launched_on, "
        "-launched_on."
    )


def test_an_answer_too_large_asks_for_less(mcp, settings):
    settings.MCP_MAX_RESULT_BYTES = 100
    make_product()
    register_api_tools(mcp)
    boss = Caller(mcp, make_user("boss", superuser=True))
    assert "larger than 100 bytes" in text_of(boss.call("product_list"))


class Closed:
    """Middleware of the project that turns everybody away."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        assert isinstance(request.user, User)
        return HttpResponse("Closed for repairs.", status=403, content_type="text/plain")


def test_the_projects_middleware_has_its_say(ada, settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.Closed"]
    refused = ada.call("open_get")
    assert (refused.is_error, refused.meta["http_status"]) == (True, 403)


def test_a_redirect_to_https_is_not_in_the_way(ada, settings):
    settings.SECURE_SSL_REDIRECT = True
    assert not ada.call("open_get").is_error


def test_a_read_token_neither_sees_nor_writes(mcp):
    register_api_tools(mcp)
    make_product(pk=1)
    reader = Caller(mcp, make_user("boss", superuser=True), access="read")
    tools = reader.tools()
    assert tools.keys() >= {"product_list", "product_retrieve"}
    assert all(tool.annotations.read_only_hint for tool in tools.values())
    assert "Unknown tool" in text_of(reader.call("product_destroy", id=1))
    assert Product.objects.exists()


def test_tools_stay_small(mcp):
    register_api_tools(mcp)
    boss = Caller(mcp, make_user("boss", superuser=True))
    listed = [tool.model_dump_json(by_alias=True, exclude_none=True) for tool in boss.tools().values()]
    assert len(listed) == len(asyncio.run(mcp.list_tools(run_middleware=False)))
    assert sum(map(len, listed)) < 45_000
    assert max(map(len, listed)) < 4_000
