"""Tools from a model alone, through a real client."""

import json
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.test.utils import isolate_apps
from fastmcp import FastMCP
from mcp import MCPError

from mcp_server.derive.models import register_model_tools
from shop.models import Category, Order, Product, Tag
from tests.everything.models import Gadget, Label, Maker
from tests.factories import make_order, make_product, make_user
from tests.mcp_server.derive.callers import Caller, text_of

# A key that no sequence hands out here.
FIRST = 1000
ALL = ["list", "retrieve", "create", "update", "delete"]
VALUES = [
    ("name", "Lamp"),
    ("email", "ada@example.com"),
    ("address", "10.0.0.1"),
    ("serial", str(uuid.UUID(int=5))),
    ("in_use", False),
    ("approved", None),
    ("approved", True),
    ("count", -3),
    ("views", 9_000_000_000),
    ("weight", 1.5),
    ("price", "12.50"),
    ("runtime", "P1DT2H3M4S"),
    ("made_on", "2026-02-28"),
    ("seen_at", "2026-03-01T10:00:00Z"),
    ("opens_at", "08:30:00"),
    ("grade", 2),
    ("extra", {"deep": [1, {"er": None}]}),
    ("extra", "text"),
    ("maker", str(uuid.UUID(int=7))),
    ("maker", None),
    ("parent", FIRST),
    ("labels", [1, 2]),
    ("labels", []),
]


@pytest.fixture
def boss(mcp: FastMCP[Any]) -> Caller:
    return Caller(mcp, make_user("boss", superuser=True))


def test_reading_is_all_there_is_unless_writing_is_asked_for(boss):
    assert register_model_tools(boss.server, Product) == ["product_list", "product_retrieve"]
    assert all(tool.annotations.read_only_hint for tool in boss.tools().values())


@pytest.mark.parametrize(("field", "value"), VALUES)
def test_a_value_is_written_and_read_back(boss, field, value):
    Maker.objects.create(pk=uuid.UUID(int=7), name="Nordwood Mills")
    Label.objects.bulk_create([Label(pk=1, name="birch"), Label(pk=2, name="oak")])
    Gadget.objects.create(pk=FIRST, name="First")
    register_model_tools(boss.server, Gadget, ALL)
    made = boss.call("gadget_create", **({"name": "Lamp"} | {field: value}))
    assert made.structured_content[field] == value, text_of(made)
    assert boss.call("gadget_update", id=FIRST, **{field: value}).structured_content[field] == value
    assert boss.call("gadget_retrieve", id=FIRST).structured_content[field] == value


def test_fields_left_out_stay_or_take_their_default(boss):
    register_model_tools(boss.server, Gadget, ALL)
    made = boss.call("gadget_create", name="Lamp", count=4).structured_content
    assert (made["in_use"], made["grade"]) == (True, 1)
    changed = boss.call("gadget_update", id=made["id"], name="Light").structured_content
    assert changed == made | {"name": "Light"}


def test_names_that_sound_secret_are_left_out_unless_asked_for(boss):
    register_model_tools(boss.server, User)
    register_model_tools(boss.server, Gadget, fields=["name", "secret"], prefix="bare")
    tools = boss.tools()
    assert "password" not in json.dumps(tools["user_list"].model_dump(mode="json"))
    assert set(tools["bare_retrieve"].output_schema["properties"]) == {"id", "name", "secret"}


def test_rows_are_filtered_searched_sorted_and_paged(boss):
    register_model_tools(boss.server, Product, search=["name", "category__name"])
    lamps = Category.objects.create(name="Lamps", slug="lamps")
    tags = [Tag.objects.create(name=name) for name in ("eco", "new")]
    make_product("A1", price=10).tags.set(tags)
    make_product("B2", price=20, name="Clip", category=lamps, status="draft")
    make_product("C3", price=30)

    def found(**arguments: Any) -> list[str]:
        return [row["sku"] for row in boss.call("product_list", **arguments).structured_content["results"]]

    assert found() == ["A1", "B2", "C3"]
    assert found(category=lamps.pk) == found(status="draft") == found(search="lamp") == found(sku="B2") == ["B2"]
    assert found(tags=[tag.pk for tag in tags]) == ["A1"]
    assert found(ordering=["-price"], limit=2) == ["C3", "B2"]
    page = boss.call("product_list", ordering=["-price"], limit=2).structured_content
    assert (page["count"], page["next_offset"]) == (3, 2)
    assert boss.call("product_list", offset=2).structured_content["next_offset"] is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"limit": 101}, "limit: Input should be less than or equal to 100."),
        ({"ordering": ["owner__password"]}, "ordering: 'owner__password' is not one of: "),
        ({"owner__password": "x"}, "owner__password is not an argument of this tool"),
        ({"status": "gone"}, "status: Input should be 'placed', 'paid', 'shipped' or 'cancelled'."),
    ],
)
def test_a_bad_question_is_refused_by_name(boss, arguments, told):
    register_model_tools(boss.server, Order)
    assert text_of(boss.call("order_list", **arguments)).startswith(told)


def test_the_number_of_queries_does_not_grow_with_the_rows(boss, django_assert_max_num_queries):
    register_model_tools(boss.server, Product)
    for number in range(30):
        make_product(f"SKU{number}").tags.add(Tag.objects.get_or_create(name="eco")[0])
    boss.call("product_list", limit=1)
    with django_assert_max_num_queries(8):
        assert len(boss.call("product_list", limit=30).structured_content["results"]) == 30


def test_a_rule_of_the_model_is_told_by_field(boss):
    register_model_tools(boss.server, Product, ALL)
    product = make_product()
    refused = boss.call("product_update", id=product.pk, launched_on=None)
    assert text_of(refused) == "launched_on: An active product needs a launch date (YYYY-MM-DD)."
    assert "Select a valid choice" in text_of(boss.call("product_update", id=product.pk, category=99))
    assert "sku is required." in text_of(boss.call("product_create", name="x"))
    assert Product.objects.get().launched_on


def test_a_row_in_use_is_not_deleted(boss):
    register_model_tools(boss.server, Category, ALL)
    category = make_product().category
    assert text_of(boss.call("category_delete", id=category.pk)) == "Desks cannot be deleted: products refer to it."
    empty = Category.objects.create(name="Lamps", slug="lamps")
    assert text_of(boss.call("category_delete", id=empty.pk)) == "Deleted."
    assert list(Category.objects.all()) == [category]


def test_django_permissions_decide_who_may_do_what(mcp):
    register_model_tools(mcp, Tag, ALL)
    assert Caller(mcp, make_user()).tools() == {}
    viewer = Caller(mcp, make_user("viewer", "shop.view_tag"))
    assert set(viewer.tools()) == {"tag_list", "tag_retrieve"}
    assert text_of(viewer.call("tag_create", name="eco")) == "Unknown tool: 'tag_create'"
    keeper = Caller(mcp, make_user("keeper", "shop.view_tag", "shop.add_tag"))
    assert set(keeper.tools()) == {"tag_list", "tag_retrieve", "tag_create"}
    assert keeper.tools()["tag_create"].meta["django"]["permissions"] == ["shop.add_tag"]


def test_rows_and_rights_may_be_said_by_functions(mcp):
    register_model_tools(
        mcp,
        Order,
        [*ALL[:2], "update"],
        fields=["number", "owner", "note"],
        queryset=lambda user: Order.objects.filter(owner_id=user.pk),
        permission=lambda user, action: user.get_username() != "mallory",
    )
    ada, grace = make_user(), make_user("grace")
    own, other = make_order(ada), make_order(grace)
    caller = Caller(mcp, ada)
    assert [row["id"] for row in caller.call("order_list").structured_content["results"]] == [own.pk]
    told = f"There is no order {other.pk}. Look it up with order_list."
    assert text_of(caller.call("order_retrieve", id=other.pk)) == told
    assert text_of(caller.call("order_update", id=other.pk, note="Mine")) == told
    assert Caller(mcp, make_user("mallory")).tools() == {}
    # Giving it away would put it out of sight: nothing is written.
    assert caller.call("order_update", id=own.pk, owner=grace.pk).is_error
    own.refresh_from_db()
    assert own.owner_id == ada.pk


def test_one_row_is_a_resource_too(mcp):
    register_model_tools(mcp, Product, as_resource=True)
    product = make_product()
    viewer = Caller(mcp, make_user("viewer", "shop.view_product"))
    assert json.loads(viewer.read(f"model://shop.product/{product.pk}"))["price"] == "249.00"
    for address in ("999", "abc"):
        with pytest.raises(MCPError, match=r"There is no product|must be an integer"):
            viewer.read(f"model://shop.product/{address}")
    with pytest.raises(MCPError, match="not found"):
        Caller(mcp, make_user()).read(f"model://shop.product/{product.pk}")


def test_a_token_without_the_tool_does_not_read_the_resource(mcp):
    register_model_tools(mcp, Product, as_resource=True)
    product, boss = make_product(), make_user("boss", superuser=True)
    uri = f"model://shop.product/{product.pk}"
    assert Caller(mcp, boss, allowed_tools=["product_retrieve"]).read(uri)
    with pytest.raises(MCPError, match="not found"):
        Caller(mcp, boss, allowed_tools=["product_list"]).read(uri)


def test_a_registration_that_makes_no_sense_is_refused(mcp):
    with pytest.raises(ImproperlyConfigured, match="Unknown action 'destroy'"):
        register_model_tools(mcp, Product, ["destroy"])
    with pytest.raises(ImproperlyConfigured, match="no field named 'colour'"):
        register_model_tools(mcp, Product, fields=["colour"])
    with pytest.raises(ImproperlyConfigured, match="is no field of the model itself"):
        register_model_tools(mcp, Product, fields=["order_lines"])


@isolate_apps("tests.everything")
def test_rows_with_a_composite_key_are_only_listed_and_added(mcp):
    class Seat(models.Model):
        pk = models.CompositePrimaryKey("row", "number")
        row = models.IntegerField()
        number = models.IntegerField()

        class Meta:
            app_label = "everything"

        def __str__(self) -> str:
            return f"{self.row}-{self.number}"

    for registered in ({}, {"actions": ["update"]}, {"actions": ["list"], "as_resource": True}):
        with pytest.raises(ImproperlyConfigured, match="Seat has a composite key: only list and create"):
            register_model_tools(mcp, Seat, **registered)
    assert register_model_tools(mcp, Seat, ["list", "create"]) == ["seat_list", "seat_create"]
