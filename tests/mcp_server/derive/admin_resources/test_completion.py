"""completion/complete: ids and foreign keys, for callers who may see the rows."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.http import HttpRequest
from mcp_types import PromptReference, ResourceTemplateReference

from mcp_server.derive.admin import register_admin_tools
from mcp_server.server import create_server
from shop.models import Category, Product, Tag
from tests.factories import make_order, make_product, make_user
from tests.mcp_server.derive.admin.conftest import FULL
from tests.mcp_server.derive.admin_resources.conftest import Person

PRODUCT = "django://shop.product/{pk}"


def test_ids_of_a_resource_are_found_by_the_texts_of_its_rows(boss: Person) -> None:
    desk = make_product("SKU0001", name="Oak desk")
    lamp = make_product("SKU0002", name="Floor lamp")
    assert boss.completed(PRODUCT, "pk", "lamp") == [str(lamp.pk)]
    assert boss.completed(PRODUCT, "pk", "") == [str(desk.pk), str(lamp.pk)]
    assert boss.completed(f"{PRODUCT}/datasheet", "pk", "SKU0001") == [str(desk.pk)]
    assert boss.completed(PRODUCT, "pk", str(desk.pk))[0] == str(desk.pk)


def test_rows_of_a_prompt_are_completed_one_after_the_other(boss: Person) -> None:
    make_product("SKU0001", name="Oak desk")
    make_product("SKU0002", name="Floor lamp")
    assert boss.completed("mark_discontinued_product", "rows", "lamp") == ["SKU0002"]
    assert boss.completed("mark_discontinued_product", "rows", "SKU0001, la") == ["SKU0001, SKU0002"]
    assert boss.completed("mark_discontinued_product", "details", "10") == []


@pytest.mark.parametrize("argument", ["category", "values.category", "filters.category"])
def test_foreign_keys_of_a_tool_are_completed_as_the_admin_would(boss: Person, argument: str) -> None:
    Category.objects.create(name="Desks", slug="desks")
    Category.objects.create(name="Lamps", slug="lamps")
    assert boss.completed("create_product", argument, "des") == ["Desks"]
    assert boss.completed("update_product", argument, "") == ["Desks", "Lamps"]


def test_the_row_of_a_tool_is_completed(boss: Person) -> None:
    make_product("SKU0001")
    for argument in ("id", "sku"):
        assert boss.completed("get_product", argument, "oak") == ["SKU0001"]
    make_user("bob")
    assert boss.completed("create_order", "owner", "bob") == ["bob"]


def test_limit_choices_to_and_the_admins_own_autocomplete_hold(db: None) -> None:
    class CategoryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
        search_fields = ("name",)
        autocomplete_fields = ("parent",)

        def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> Any:
            found, duplicates = super().get_search_results(request, queryset, search_term)
            # The admin's page would not offer it either.
            return (found.exclude(name="Archive") if "field_name" in request.GET else found), duplicates

    site, mcp = admin.AdminSite(), create_server()
    site.register(Category, CategoryAdmin)
    register_admin_tools(mcp, site)
    Category.objects.create(name="Archive", slug="archive")
    Category.objects.create(name="Art", slug="art")
    boss = Person(mcp, make_user("boss", superuser=True))
    assert boss.completed("create_category", "parent", "ar") == ["Art"]


def test_at_most_a_hundred_values_and_a_word_that_there_are_more(boss: Person) -> None:
    desks = Category.objects.create(name="Desks", slug="desks")
    Product.objects.bulk_create(
        Product(sku=f"SKU{number:04d}", name="Oak desk", category=desks, price=1) for number in range(130)
    )
    Category.objects.bulk_create(Category(name=f"C{number:03d}", slug=f"c{number}") for number in range(130))

    async def ask(client: Any) -> Any:
        ids = await client.complete(ResourceTemplateReference(uri=PRODUCT), {"name": "pk", "value": "oak"})
        keys = await client.complete(PromptReference(name="create_product"), {"name": "category", "value": "C"})
        return ids, keys

    for completion in boss.ask(ask):
        assert len(completion.values) == 100
        assert completion.has_more is True


def test_rows_out_of_scope_are_not_completed(person: Callable[..., Person]) -> None:
    theirs, clerk = make_order(make_user("bob")), person("clerk", *FULL)
    own = make_order(clerk.user)
    assert clerk.completed("django://shop.order/{pk}", "pk", "") == [str(own.pk)]
    assert clerk.completed("django://shop.order/{pk}", "pk", str(theirs.pk)) == []
    assert clerk.completed("django://shop.order/{pk}", "pk", "ORD") == [str(own.pk)]
    assert clerk.completed("mark_paid_order", "rows", "ORD") == [own.number]
    # Not the users either: a clerk may not see them.
    assert clerk.completed("list_order", "filters.owner", "bob") == []


def test_who_may_not_use_it_is_told_nothing_and_no_error(person: Callable[..., Person]) -> None:
    make_product()
    nobody, outside = person("nobody", "shop.view_tag"), person("outside", *FULL, staff=False)
    reader = person("reader", *FULL, token={"access": "read"})
    narrow = person("narrow", *FULL, token={"allowed_tools": ["get_tag"]})
    for who in (nobody, outside, narrow):
        assert who.completed(PRODUCT, "pk", "") == []
        assert who.completed("mark_discontinued_product", "rows", "") == []
        assert who.completed("create_product", "category", "") == []
    assert reader.completed("create_product", "category", "") == []
    assert reader.completed(PRODUCT, "pk", "") != []


@pytest.mark.parametrize("tool", ["list_product", "autocomplete_product"])
def test_a_token_is_told_the_rows_of_a_model_if_it_may_list_them(person: Callable[..., Person], tool: str) -> None:
    make_product("SKU0001")
    some = ["get_product", "update_product", "action_product"]
    asked = [(PRODUCT, "pk", "oak"), ("mark_discontinued_product", "rows", ""), ("update_product", "category", "des")]
    few = person("few", *FULL, token={"allowed_tools": some})
    assert [few.completed(*question) for question in asked] == [[], [], []]
    more = person("more", *FULL, token={"allowed_tools": [*some, tool]})
    assert all(more.completed(*question) for question in asked)


@pytest.mark.parametrize(
    ("of", "argument", "value"),
    [
        ("no_such_prompt", "rows", ""),
        ("nobody://here/{pk}", "pk", ""),
        (PRODUCT, "datasheet", ""),
        (PRODUCT, "pk", "\x00"),
        (PRODUCT, "pk", "x" * 5000),
        ("create_product", "no_such_field", "x"),
        ("create_product", "category", "\x00"),
        ("create_product", "name", "x"),
    ],
)
def test_what_is_unknown_is_completed_with_nothing(boss: Person, of: str, argument: str, value: str) -> None:
    make_product()
    assert boss.completed(of, argument, value) == []


def test_an_admin_that_fails_is_logged_and_completes_nothing(db: None, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(admin.ModelAdmin):  # type: ignore[type-arg]
        search_fields = ("name",)

        def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> Any:
            raise RuntimeError("the secret ingredient is salt")

    site, mcp = admin.AdminSite(), create_server()
    site.register(Tag, Broken)
    register_admin_tools(mcp, site)
    boss = Person(mcp, make_user("boss", superuser=True))
    with caplog.at_level(logging.ERROR):
        assert boss.completed("django://shop.tag/{pk}", "pk", "oak") == []
    assert "salt" in caplog.text


def test_rows_nobody_declared_a_search_for_are_found_by_their_label(db: None) -> None:
    site, mcp = admin.AdminSite(), create_server()
    site.register(Tag)
    register_admin_tools(mcp, site)
    oak = Tag.objects.create(name="Solid oak")
    Tag.objects.create(name="Steel")
    boss = Person(mcp, make_user("boss", superuser=True))
    assert boss.completed("django://shop.tag/{pk}", "pk", "OAK") == [str(oak.pk)]
