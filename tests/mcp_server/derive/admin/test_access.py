"""Who sees and uses which tools, and how many bytes their list costs."""

import asyncio
import logging

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.core.cache import cache
from django.test.utils import isolate_apps, override_settings

from mcp_server import checks
from mcp_server.checks import _problems
from mcp_server.derive.admin import MCPAdminMixin, register_admin_tools
from mcp_server.server import create_server
from shop.admin import ProductAdmin
from shop.models import Category, Product, Tag
from tests.factories import make_user
from tests.mcp_server.derive.admin.conftest import FULL, VIEW_ALL, Caller
from tests.mcp_server.derive.admin.workshop.site import site as workshop
from tokens.models import ToolCall

pytestmark = pytest.mark.django_db

READING = {"describe", "list", "get", "related", "history", "autocomplete"}


def verbs(who, noun):
    return {name.removesuffix(f"_{noun}") for name in who.tools() if name.endswith(f"_{noun}")}


def test_the_superuser_gets_every_verb(boss):
    everything = READING | {"create", "update", "delete", "bulk", "actions", "action"}
    assert verbs(boss, "product") == everything
    # Adjustments are added and never rewritten; nothing hangs on them.
    assert verbs(boss, "stockadjustment") == everything - {"update", "delete", "related"}


def test_a_viewer_reads_and_writes_nothing(caller):
    viewer = caller("viewer", *VIEW_ALL)
    assert verbs(viewer, "category") == READING
    assert verbs(viewer, "product") == READING | {"actions", "action"}
    assert viewer.tools()["action_product"].input_schema["properties"]["action"]["enum"] == ["export_csv"]
    assert "Unknown tool" in viewer.refused("update_product", id=1, values={})


@pytest.mark.parametrize(
    ("permissions", "kind"), [((), {}), (FULL, {"staff": False}), ((), {"staff": False, "superuser": False})]
)
def test_who_the_admin_does_not_let_in_gets_nothing(caller, permissions, kind):
    nobody = caller("nobody", *permissions, **kind)
    assert nobody.tools() == {}
    for tool in ("list_product", "find_models", "describe_tag"):
        assert "Unknown tool" in nobody.refused(tool)


def test_a_token_for_reading_reads_what_its_user_may(caller):
    reader = caller("reader", *FULL, token={"access": "read"})
    assert verbs(reader, "product") == READING
    assert "Unknown tool" in reader.refused("create_tag", values={"name": "eco"})


def test_a_token_may_be_cut_to_some_tools(caller):
    few = caller("few", *FULL, token={"allowed_tools": ["list_tag"]})
    assert list(few.tools()) == ["list_tag"]
    assert few.call("list_tag") == {"rows": [], "total": 0}
    assert "Unknown tool" in few.refused("create_tag", values={"name": "eco"})


def test_a_schema_shows_the_caller_what_the_caller_may_write(boss, caller):
    def fields(who):
        return who.tools()["create_order"].input_schema["properties"]["values"]["properties"].keys()

    assert fields(boss) == {"owner", "note", "lines"}
    # Only who is in charge of all orders chooses an owner.
    assert fields(caller("clerk", *FULL)) == {"note", "lines"}
    update = boss.tools()["update_product"].input_schema["properties"]["values"]["properties"]
    assert "stock" not in update


def test_bulk_advertises_what_the_caller_can_do_with_it(boss, caller):
    def bulk(who, noun):
        tool = who.tools()[f"bulk_{noun}"]
        said = tool.description.partition("): ")[2].partition(" up to")[0]
        return said, tool.input_schema["properties"].keys() - {"operation", "atomic", "dry_run"}

    assert bulk(boss, "product") == ("create or update or delete", {"ids", "values", "items"})
    # Adjustments are added and never rewritten: there is no update_stockadjustment to look at.
    assert bulk(boss, "stockadjustment") == ("create", {"items"})
    cleaner = caller("cleaner", *VIEW_ALL, "shop.delete_tag")
    assert bulk(cleaner, "tag") == ("delete", {"ids"})


def test_every_tool_is_annotated_described_and_says_whom_it_is_for(boss):
    for name, tool in boss.tools().items():
        assert tool.output_schema["type"] == "object"
        assert 0 < len(tool.description) <= 750
        if name != "find_models":
            assert tool.meta["django"]["permissions"]
            assert isinstance(tool.meta["django"]["object_rule"], bool)
    tools = boss.tools()
    assert tools["list_product"].annotations.read_only_hint
    assert tools["delete_product"].annotations.destructive_hint
    assert tools["create_product"].annotations.destructive_hint is False
    assert tools["update_order"].meta["django"] == {"permissions": ["shop.change_order"], "object_rule": True}
    assert tools["list_tag"].meta["django"]["permissions"] == ["shop.view_tag"]


def test_descriptions_name_the_model_and_what_its_admin_says_of_it(boss):
    tools = boss.tools()
    for name, tool in tools.items():
        noun = name.partition("_")[2]
        if noun != "models":
            opts = apps.get_model("shop", noun)._meta
            assert str(opts.verbose_name) in tool.description or str(opts.verbose_name_plural) in tool.description
    assert "orders. Orders as far as the user may see them; a shipped or" in tools["describe_order"].description


async def test_the_systems_own_check_of_tools_finds_nothing(server):
    for tool in await server.list_tools(run_middleware=False):
        assert list(_problems(tool)) == []


def bytes_by_model(who):
    """Return what the tools of each model cost in a list, as it comes over the wire."""
    sizes = {}
    for name, tool in who.tools().items():
        if name != "find_models":
            noun = name.partition("_")[2]
            sizes[noun] = sizes.get(noun, 0) + len(tool.model_dump_json(by_alias=True, exclude_none=True).encode())
    return sizes


def test_a_token_for_reading_costs_3_kb_a_model(caller):
    sizes = bytes_by_model(caller("reader", *FULL, "shop.view_all_orders", token={"access": "read"}))
    assert max(sizes.values()) <= 2800, sizes


def test_a_user_who_may_only_view_costs_3_kb_a_model(caller):
    sizes = bytes_by_model(caller("viewer", *VIEW_ALL))
    assert sum(sizes.values()) / len(sizes) <= 3000, sizes
    # Where there are actions to run there are two tools more.
    assert max(sizes.values()) <= 3600, sizes


def test_a_superuser_costs_8_kb_a_model(boss):
    sizes = bytes_by_model(boss)
    assert max(sizes.values()) <= 7900, sizes


def test_no_tool_says_its_name_twice(boss):
    assert {tool.title for tool in boss.tools().values()} == {None}


def server_of(site, **options):
    mcp = create_server()
    names = register_admin_tools(mcp, site, **options)
    return mcp, names


def test_the_models_of_accounts_and_logs_are_left_out_unless_named(server):
    site = admin.AdminSite()
    for model in (User, Group, Tag):
        site.register(model)
    assert {name.partition("_")[2] for name in server_of(site)[1]} == {"tag", "models"}
    assert "list_group" in server_of(site, include=["auth.group", "shop"])[1]
    assert "list_group" in server_of(site, exclude=[])[1]
    assert "list_tag" not in server_of(site, exclude=["shop.tag"])[1]


def test_a_model_admin_says_what_agents_get(caller):
    class TagAdmin(MCPAdminMixin, admin.ModelAdmin):
        mcp_tools = ("list", "get")

    class CategoryAdmin(MCPAdminMixin, admin.ModelAdmin):
        mcp_expose = True
        mcp_fields = ("name", "slug", "description")
        mcp_readonly = ("slug",)

    site = admin.AdminSite()
    site.register(Tag, TagAdmin)
    site.register(Category, CategoryAdmin)
    mcp, names = server_of(site)
    assert {name for name in names if name.endswith("_tag")} == {"list_tag", "get_tag"}
    boss = Caller(mcp, User.objects.create_superuser("boss"))
    desks = Category.objects.create(name="Desks", slug="desks")
    assert boss.call("get_category", id=desks.pk).keys() == {"id", "label", "name", "slug", "description"}
    assert "slug cannot be written here" in boss.refused("update_category", id=desks.pk, values={"slug": "x"})
    assert "parent cannot be written here" in boss.refused("update_category", id=desks.pk, values={"parent": None})
    mcp, names = server_of(site, direct=False)
    assert not {name for name in names if name.endswith("_tag")}
    models = Caller(mcp, User.objects.create_superuser("chief")).call("find_models")["models"]
    assert [(row["model"], row["tools"]) for row in models] == [("shop.category", "*_category"), ("shop.tag", "")]


def test_bulk_does_only_what_the_tools_made_do(db):
    class TagAdmin(MCPAdminMixin, admin.ModelAdmin):
        mcp_tools = ("list", "update", "bulk")

    class CategoryAdmin(MCPAdminMixin, admin.ModelAdmin):
        mcp_tools = ("list", "bulk")

    site = admin.AdminSite()
    site.register(Tag, TagAdmin)
    site.register(Category, CategoryAdmin)
    mcp, names = server_of(site)
    assert "bulk_category" not in names
    boss, tag = Caller(mcp, User.objects.create_superuser("boss")), Tag.objects.create(name="oak")
    assert boss.tools()["bulk_tag"].input_schema["properties"]["operation"]["enum"] == ["update"]
    assert "use one of: update." in boss.refused("bulk_tag", operation="delete", ids=[tag.pk])
    assert Tag.objects.filter(pk=tag.pk).exists()


class AsksForTheHost(admin.ModelAdmin):
    def has_view_permission(self, request, obj=None):
        return request.get_host() == "shop.example.com" and super().has_view_permission(request, obj)


@override_settings(ALLOWED_HOSTS=["shop.example.com"])
def test_a_rule_that_asks_for_the_host_gets_one_that_django_answers_to():
    site = admin.AdminSite()
    site.register(Tag, AsksForTheHost)
    mcp, _ = server_of(site)
    viewer = Caller(mcp, make_user("viewer", *VIEW_ALL, staff=True))
    assert verbs(viewer, "tag") == READING - {"related"}
    assert "find_models" in viewer.tools()
    assert viewer.call("list_tag") == {"rows": [], "total": 0}


def test_a_hidden_model_is_nowhere():
    class Hidden(MCPAdminMixin, admin.ModelAdmin):
        mcp_expose = False

    site = admin.AdminSite()
    site.register(Tag, Hidden)
    mcp, names = server_of(site)
    assert names == ["find_models"]
    assert Caller(mcp, User.objects.create_superuser("boss")).tools() == {}


def test_models_registered_one_after_the_other_keep_their_names_apart():
    mcp = create_server()
    register_admin_tools(mcp, include=["shop"])
    # A tag of another app, and the shop's own once more as another site has it.
    assert {"list_workshop_tag", "list_shop_tag"} <= set(register_admin_tools(mcp, workshop))
    boss = Caller(mcp, User.objects.create_superuser("boss"))
    tags = {(row["model"], row["tools"]) for row in boss.call("find_models", search="tag")["models"]}
    assert tags == {("shop.tag", "*_tag"), ("shop.tag", "*_shop_tag"), ("workshop.tag", "*_workshop_tag")}
    boss.call("create_shop_tag", values={"name": "eco"})
    assert [row["label"] for row in boss.call("list_tag")["rows"]] == ["eco"]
    assert boss.call("list_workshop_tag")["rows"] == []


def test_a_model_registered_twice_gets_its_tools_once(caplog):
    mcp = create_server()
    register_admin_tools(mcp, include=["shop.tag"])
    with caplog.at_level(logging.WARNING):
        assert register_admin_tools(mcp, include=["shop.tag"]) == []
    assert "list_tag is taken" in caplog.text


def test_a_tool_written_by_hand_wins_its_name(caplog):
    mcp = create_server()

    @mcp.tool
    def list_tag() -> str:
        """List tags by hand."""
        return "by hand"

    with caplog.at_level(logging.WARNING):
        names = register_admin_tools(mcp)
    assert "list_tag" not in names
    assert "get_tag" in names
    assert "list_tag is taken" in caplog.text


def test_a_check_warns_of_tools_over_accounts(monkeypatch):
    site = admin.AdminSite()
    site.register([User, Tag])
    mcp = server_of(site, include=["auth.user", "shop.tag"])[0]
    tools = asyncio.run(mcp.list_tools(run_middleware=False))
    assert {tool.opens for tool in tools if hasattr(tool, "opens")} == {"", "auth.User"}
    monkeypatch.setattr(checks, "all_tools", lambda: tools)
    assert [(warning.id, warning.msg) for warning in checks.check_admin_tools(None)] == [
        ("mcp_server.W003", "The admin's tools open auth.User.")
    ]


def test_a_hundred_models_get_their_tools():
    site = admin.AdminSite()
    for number in range(100):
        meta = type("Meta", (), {"app_label": "workshop", "proxy": True})
        attributes = {"__module__": __name__, "Meta": meta}
        with isolate_apps("tests.mcp_server.derive.admin.workshop"):
            model = type(f"Product{number}", (Product,), attributes)
        model_admin = type(f"Product{number}Admin", (ProductAdmin,), {"__module__": __name__})
        site.register(model, model_admin)
    assert len(server_of(site)[1]) == 1201


def test_a_hidden_tool_is_unknown_whatever_it_is_called_with(caller):
    nobody = caller("nobody", "shop.view_category")
    for arguments in ({}, {"id": "no", "values": 7}, {"colour": "red"}):
        assert nobody.refused("update_supplier", **arguments) == "Unknown tool: 'update_supplier'"
    assert set(ToolCall.objects.filter(tool="update_supplier").values_list("status", flat=True)) == {"denied"}


def test_a_hidden_tool_is_unknown_however_often_it_is_called(caller, settings):
    settings.MCP_RATE_LIMIT_TOOL = "1/day"
    cache.clear()
    nobody = caller("nobody", "shop.view_category")
    assert {nobody.refused("list_supplier") for _ in range(3)} == {"Unknown tool: 'list_supplier'"}
    nobody.user.user_permissions.add(Permission.objects.get(codename="view_supplier"))
    nobody.call("list_supplier")
    assert "Too many calls" in nobody.refused("list_supplier")
