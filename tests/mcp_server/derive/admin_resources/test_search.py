"""search_<model> for the models a project names, under the rules of their admin."""

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User

from mcp_server.checks import check_search_models
from mcp_server.derive.admin import MCPAdminMixin
from mcp_server.derive.admin.search import register_search_tools
from mcp_server.server import create_server, register_everything
from shop.models import OrderLine, Tag
from tests.everything.models import Gadget, Maker
from tests.factories import make_order, make_product, make_user
from tests.mcp_server.derive.admin.conftest import FULL, VIEW_ALL
from tests.mcp_server.derive.admin_resources.conftest import Person


@pytest.fixture
def searching(db: None) -> Callable[..., Person]:
    def make(
        chosen: Any, *permissions: str, site: Any = None, token: dict[str, Any] | None = None, **kind: Any
    ) -> Person:
        mcp = create_server()
        register_search_tools(mcp, chosen, site)
        return Person(mcp, make_user("ada", *permissions, **{"staff": True, **kind}), **(token or {}))

    return make


def skus(answer: Any) -> list[str]:
    return [row["sku"] for row in answer["rows"]]


def test_a_named_model_gets_a_tool_with_words_filters_order_and_pages(searching: Callable[..., Person]) -> None:
    boss = searching(["shop.product"], superuser=True)
    for number in range(1, 6):
        make_product(f"SKU000{number}", name="Oak desk" if number % 2 else "Lamp", price=number, stock=number)
    tool = boss.tools()["search_product"]
    assert tool.input_schema["properties"].keys() >= {"q", "filters", "ordering", "limit", "offset"}
    assert tool.annotations.read_only_hint
    assert skus(boss.call("search_product", q="oak", ordering=["-price"])) == ["SKU0005", "SKU0003", "SKU0001"]
    assert skus(boss.call("search_product", filters={"price__gte": "4"}, ordering=["sku"])) == ["SKU0004", "SKU0005"]
    page = boss.call("search_product", ordering=["sku"], limit=2, offset=2)
    assert (skus(page), page["next_offset"]) == (["SKU0003", "SKU0004"], 4)
    assert boss.call("search_product", q="lamp", count_only=True) == {"total": 2}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"search": "oak"}, "search is not an argument of this tool"),
        ({"limit": 101}, "limit: give a number from 1 to 100"),
        ({"filters": {"category__name": "Desks"}}, "category__name is no filter"),
        ({"ordering": ["description"]}, "description cannot be ordered by"),
    ],
)
def test_what_it_does_not_take_is_named(searching: Callable[..., Person], arguments: Any, said: str) -> None:
    assert said in searching(["shop.product"], superuser=True).refused("search_product", **arguments)


def test_the_rows_are_those_the_admin_shows(searching: Callable[..., Person]) -> None:
    clerk = searching(["shop.order"], *FULL)
    make_order(make_user("bob"))
    own = make_order(clerk.user)
    assert [row["number"] for row in clerk.call("search_order", q="ORD")["rows"]] == [own.number]
    assert "owner is no filter" in clerk.refused("search_order", filters={"owner": "bob"})


@pytest.mark.parametrize(
    ("permissions", "kind"),
    [(["shop.view_tag"], {}), (VIEW_ALL, {"staff": False}), (VIEW_ALL, {"token": {"allowed_tools": ["get_tag"]}})],
)
def test_who_may_not_look_sees_no_such_tool(
    searching: Callable[..., Person], permissions: Any, kind: dict[str, Any]
) -> None:
    nobody = searching(["shop.product"], *permissions, **kind)
    assert nobody.tools() == {}
    assert "Unknown tool" in nobody.refused("search_product", q="oak")


def test_a_token_for_reading_may_search(searching: Callable[..., Person]) -> None:
    make_product()
    assert skus(searching(["shop.product"], *FULL, token={"access": "read"}).call("search_product")) == ["SKU0043"]


def test_a_model_without_an_admin_is_searched_by_its_own_fields(searching: Callable[..., Person]) -> None:
    user = searching(["everything.gadget"], "everything.view_gadget", staff=False)
    bosch = Maker.objects.create(name="Bosch")
    Gadget.objects.create(name="Drill", count=3, secret="swordfish", grade=2, maker=bosch)
    Gadget.objects.create(name="Saw", secret="salt")
    [row] = user.call("search_gadget", q="drill")["rows"]
    assert (row["name"], row["count"]) == ("Drill", 3)
    # Neither a secret nor the name of a row that the caller may not view.
    assert "swordfish" not in str(row)
    assert "Bosch" not in str(row)
    assert user.call("search_gadget", q="swordfish")["rows"] == []
    assert len(user.call("search_gadget", filters={"grade": "2"})["rows"]) == 1
    assert "secret is no filter" in user.refused("search_gadget", filters={"secret": "salt"})
    assert "secret cannot be ordered by" in user.refused("search_gadget", ordering=["secret"])
    more = Person(user.server, make_user("bob", "everything.view_gadget", "everything.view_maker"))
    assert more.call("search_gadget", q="drill")["rows"][0]["maker"]["label"] == "Bosch"
    other = Person(user.server, make_user("eve"))
    assert other.tools() == {}


def test_options_shape_the_list_but_loosen_no_rule(searching: Callable[..., Person]) -> None:
    options = {"shop.order": {"list_display": ["number", "note"], "search_fields": ["note"]}}
    clerk = searching(options, *FULL)
    make_order(make_user("bob"), note="Ring twice")
    own = make_order(clerk.user, note="Ring once")
    [row] = clerk.call("search_order", q="ring")["rows"]
    assert row == {"id": own.pk, "label": own.number, "number": own.number, "note": "Ring once"}


def test_options_cannot_show_a_password(searching: Callable[..., Person]) -> None:
    options = {"auth.user": {"list_display": ["username", "password"], "search_fields": ["password", "username"]}}
    boss = searching(options, superuser=True, password="correct horse")
    [row] = boss.call("search_user", q="ada")["rows"]
    assert "password" not in row
    assert boss.call("search_user", q="md5")["rows"] == []


def test_equal_names_of_two_apps_are_told_apart(searching: Callable[..., Person]) -> None:
    class Product(Gadget):
        class Meta:
            app_label, proxy = "everything", True

    try:
        boss = searching(["shop.product", "everything.product"], superuser=True)
        assert boss.tools().keys() == {"search_shop_product", "search_everything_product"}
    finally:
        del apps.all_models["everything"]["product"]
        apps.clear_cache()


def test_a_model_its_admin_hides_stays_hidden(
    searching: Callable[..., Person], caplog: pytest.LogCaptureFixture
) -> None:
    class Hidden(MCPAdminMixin, admin.ModelAdmin):  # type: ignore[type-arg]
        mcp_expose = False

    site = admin.AdminSite()
    site.register(Tag, Hidden)
    assert searching(["shop.tag"], superuser=True, site=site).tools() == {}
    assert "mcp_expose = False" in caplog.text


MISTAKES = [
    ("shop.product", 'MCP_SEARCH_MODELS: give a list of "app.model"'),
    (["product"], "MCP_SEARCH_MODELS['product']: is no model"),
    (["shop.nothing"], "MCP_SEARCH_MODELS['shop.nothing']: is no model"),
    ([OrderLine], "MCP_SEARCH_MODELS[<class 'shop.models.OrderLine'>]: is no model"),
    (["tokens.mcptoken"], "MCP_SEARCH_MODELS['tokens.mcptoken']: holds sessions, tokens or logs"),
    ({"shop.product": ["name"]}, "MCP_SEARCH_MODELS['shop.product']: give a dict of options."),
    ({"shop.product": {"fields": []}}, "MCP_SEARCH_MODELS['shop.product']['fields']: is no option; use list_display"),
]


@pytest.mark.parametrize(("chosen", "text"), MISTAKES, ids=[text for _, text in MISTAKES])
def test_a_mistake_is_an_error_of_the_check_and_makes_no_tool(
    settings: Any, chosen: Any, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings.MCP_SEARCH_MODELS = chosen
    [message] = check_search_models(None)
    assert (message.id, message.msg.startswith(text)) == ("mcp_server.E008", True)
    assert register_search_tools(create_server()) == []
    assert text in caplog.text


def test_accounts_can_be_searched_with_a_warning(settings: Any) -> None:
    settings.MCP_SEARCH_MODELS = ["auth.user", "shop.product"]
    [message] = check_search_models(None)
    assert (message.id, User._meta.label_lower in message.msg) == ("mcp_server.W002", True)
    settings.MCP_SEARCH_MODELS = ["shop.product"]
    assert check_search_models(None) == []


def test_the_search_tools_are_part_of_the_server(db: None, settings: Any) -> None:
    settings.MCP_SEARCH_MODELS = ["shop.product"]
    mcp = create_server()
    register_everything(mcp)
    boss = Person(mcp, make_user("boss", superuser=True))
    assert "search_product" in boss.tools()
