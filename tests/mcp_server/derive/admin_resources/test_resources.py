"""Rows and files as resources: the get tool's answer under the get tool's rules."""

import base64
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.core.files.base import ContentFile
from django.db import connection
from django.http import HttpRequest

from mcp_server.derive.admin import MCPAdminMixin, register_admin_tools
from mcp_server.derive.admin.resources import stored_key
from mcp_server.server import create_server
from shop.models import Category, Product, Supplier, Tag
from tests.everything.models import Gadget, Maker
from tests.factories import make_order, make_product, make_user
from tests.mcp_server.derive.admin.conftest import FULL, MODELS, VIEW_ALL
from tests.mcp_server.derive.admin_resources.conftest import Person

ROWS = {f"django://shop.{model}/{{pk}}" for model in MODELS if model != "orderline"}
FILE = "django://shop.product/{pk}/datasheet"


def not_found(error: Any, uri: str) -> bool:
    return (error.error.code, error.error.message, error.error.data) == (
        -32602,
        f"Resource not found: {uri!r}",
        {"uri": uri},
    )


def with_datasheet(data: bytes = b"%PDF-1.7", name: str = "desk.pdf") -> Product:
    product = make_product()
    product.datasheet.save(name, ContentFile(data))
    return product


def test_every_model_has_a_template_and_every_file_field_one(boss: Person) -> None:
    templates = boss.templates()
    assert templates.keys() == ROWS | {FILE}
    assert templates["django://shop.order/{pk}"].meta["django"] == {
        "permissions": ["shop.view_order"],
        "object_rule": True,
    }
    assert all(template.description for template in templates.values())


def test_a_row_reads_as_its_get_tool_answers(boss: Person) -> None:
    order = make_order(make_user("bob"), note="Ring twice")
    content = boss.read(f"django://shop.order/{order.pk}")
    assert content.mime_type == "application/json"
    assert json.loads(content.text) == boss.call("get_order", id=order.pk)
    supplier = Supplier.objects.create(name="Oak & Sons", email="oak@example.com")
    assert json.loads(boss.read(f"django://shop.supplier/{supplier.pk}").text)["name"] == "Oak & Sons"


def test_a_file_is_a_blob_with_its_type(boss: Person) -> None:
    product = with_datasheet()
    content = boss.read(f"django://shop.product/{product.pk}/datasheet")
    assert content.mime_type == "application/pdf"
    assert base64.b64decode(content.blob) == b"%PDF-1.7"


def test_a_file_of_text_is_a_blob_too(boss: Person) -> None:
    product = with_datasheet(b"width;height", "sizes.csv")
    content = boss.read(f"django://shop.product/{product.pk}/datasheet")
    assert (content.mime_type, base64.b64decode(content.blob)) == ("text/csv", b"width;height")


@pytest.mark.parametrize("name", ["desk.csv.gz", "desk", "desk.unknown"])
def test_a_file_whose_name_says_little_is_only_bytes(boss: Person, name: str) -> None:
    product = with_datasheet(b"120 x 60", name)
    assert boss.read(f"django://shop.product/{product.pk}/datasheet").mime_type == "application/octet-stream"


def test_a_file_or_row_above_the_cap_is_refused_with_its_size(boss: Person, settings: Any) -> None:
    product = with_datasheet(b"x" * 300)
    settings.MCP_MAX_RESULT_BYTES = 199
    error = boss.unreadable(f"django://shop.product/{product.pk}/datasheet")
    assert "300 bytes, and at most 199" in str(error)
    assert "at most 199" in str(boss.unreadable(f"django://shop.product/{product.pk}"))
    settings.MCP_MAX_RESULT_BYTES = 300
    assert boss.read(f"django://shop.product/{product.pk}/datasheet").blob


@pytest.mark.parametrize(
    "pk", ["0", "99999999999999999999", "SKU0043", "-1", "%00", "..x", "a%2Fb", "1%20OR%201=1", "x" * 300]
)
def test_what_is_no_row_is_not_found_and_leaves_no_trace_in_the_log(
    boss: Person, pk: str, caplog: pytest.LogCaptureFixture
) -> None:
    make_product()
    with caplog.at_level("INFO"):
        for uri in (f"django://shop.product/{pk}", f"django://shop.product/{pk}/datasheet"):
            assert not_found(boss.unreadable(uri), uri)
    assert "Traceback" not in caplog.text
    assert not [record for record in caplog.records if record.exc_info]


def test_a_product_without_a_file_and_a_file_that_is_gone_are_not_found(boss: Person) -> None:
    without = make_product("SKU0001")
    uri = f"django://shop.product/{without.pk}/datasheet"
    assert not_found(boss.unreadable(uri), uri)
    gone = with_datasheet()
    Path(gone.datasheet.path).unlink()
    uri = f"django://shop.product/{gone.pk}/datasheet"
    assert not_found(boss.unreadable(uri), uri)


def test_rows_out_of_scope_are_not_found(person: Callable[..., Person]) -> None:
    theirs, clerk = make_order(make_user("bob")), person("clerk", *FULL)
    own = make_order(clerk.user)
    uri = f"django://shop.order/{theirs.pk}"
    assert not_found(clerk.unreadable(uri), uri)
    assert json.loads(clerk.read(f"django://shop.order/{own.pk}").text)["number"] == own.number


def test_a_row_its_admin_refuses_is_not_found(db: None) -> None:
    class TagAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
        def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
            return obj is None or obj.name != "secret project"

        def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
            return False

    reader = reader_of(Tag, TagAdmin)
    hidden, open_ = Tag.objects.create(name="secret project"), Tag.objects.create(name="oak")
    uri = f"django://shop.tag/{hidden.pk}"
    assert not_found(reader.unreadable(uri), uri)
    assert reader.read(f"django://shop.tag/{open_.pk}").text
    assert reader.completed("django://shop.tag/{pk}", "pk", "") == [str(open_.pk)]
    assert "You see no tag" in reader.unprompted("delete_selected_tag", rows=f"{open_.pk}, {hidden.pk}")
    assert "oak" in reader.prompt("delete_selected_tag", rows=str(open_.pk))


def reader_of(model: Any, model_admin: Any, username: str = "ada") -> Person:
    site = admin.AdminSite()
    site.register(model, model_admin)
    mcp = create_server()
    register_admin_tools(mcp, site)
    return Person(mcp, make_user(username, superuser=True))


@pytest.mark.parametrize(
    ("permissions", "kind", "seen"),
    [(["shop.view_tag"], {}, {"django://shop.tag/{pk}"}), (FULL, {"staff": False}, set()), ([], {}, set())],
)
def test_who_may_not_look_finds_nothing(
    person: Callable[..., Person], permissions: Any, kind: dict[str, bool], seen: set[str]
) -> None:
    product = with_datasheet()
    nobody = person("nobody", *permissions, **kind)
    assert nobody.templates().keys() == seen
    for uri in (f"django://shop.product/{product.pk}", f"django://shop.product/{product.pk}/datasheet"):
        assert not_found(nobody.unreadable(uri), uri)


def test_a_token_for_reading_reads_and_one_cut_to_other_tools_does_not(person: Callable[..., Person]) -> None:
    product = make_product()
    uri = f"django://shop.product/{product.pk}"
    assert person("reader", *FULL, token={"access": "read"}).read(uri).text
    narrow = person("narrow", *FULL, token={"allowed_tools": ["list_product", "get_tag"]})
    assert narrow.templates().keys() == {"django://shop.tag/{pk}"}
    assert not_found(narrow.unreadable(uri), uri)


def test_what_a_model_admin_hides_from_agents_is_no_resource(db: None) -> None:
    class ListedOnly(MCPAdminMixin, admin.ModelAdmin):  # type: ignore[type-arg]
        mcp_tools = ("list",)

    class WithoutFile(MCPAdminMixin, admin.ModelAdmin):  # type: ignore[type-arg]
        fields = ("name", "secret", "manual")
        mcp_fields = ("name", "secret")

    assert reader_of(Category, ListedOnly, "eve").templates() == {}
    gadget = Gadget.objects.create(name="Drill", secret="swordfish")
    reader = reader_of(Gadget, WithoutFile)
    assert reader.templates().keys() == {"django://everything.gadget/{pk}"}
    told = reader.read(f"django://everything.gadget/{gadget.pk}").text
    assert "Drill" in told
    assert "swordfish" not in told


def test_a_file_the_form_does_not_show_is_not_found(db: None) -> None:
    class NoManual(admin.ModelAdmin):  # type: ignore[type-arg]
        fields = ("name",)

    gadget = Gadget.objects.create(name="Drill")
    gadget.manual.save("drill.txt", ContentFile(b"Turn clockwise."))
    reader = reader_of(Gadget, NoManual)
    uri = f"django://everything.gadget/{gadget.pk}/manual"
    assert not_found(reader.unreadable(uri), uri)


def test_a_template_that_is_taken_is_left_out_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    mcp = create_server()
    register_admin_tools(mcp, include=["shop.tag"])
    register_admin_tools(mcp, include=["shop.tag"])
    assert "django://shop.tag/{pk} is taken" in caplog.text


def test_a_model_of_two_sites_has_the_rows_of_both(db: None) -> None:
    class NameOnly(admin.ModelAdmin):  # type: ignore[type-arg]
        fields = ("name",)

    class WithFile(admin.ModelAdmin):  # type: ignore[type-arg]
        fields = ("name", "manual")

    class Closed(admin.AdminSite):
        def has_permission(self, request: HttpRequest) -> bool:
            return False

    closed, desk, mcp = Closed(name="closed"), admin.AdminSite(name="desk"), create_server()
    for site in (closed, desk):
        site.register(Gadget, NameOnly if site is closed else WithFile)
        register_admin_tools(mcp, site)
    gadget = Gadget.objects.create(name="Drill")
    gadget.manual.save("drill.txt", ContentFile(b"Turn clockwise."))
    boss = Person(mcp, make_user("ada", superuser=True))
    own = "django://desk.everything.gadget/{pk}"
    assert boss.templates().keys() == {own, f"{own}/manual"}
    assert "Drill" in boss.read(own.format(pk=gadget.pk)).text
    assert boss.read(f"{own}/manual".format(pk=gadget.pk)).blob
    assert boss.completed(own, "pk", "") == [str(gadget.pk)]


def test_keys_are_compared_as_the_database_is_given_them(db: None) -> None:
    maker = Maker.objects.create(name="Oak & Sons")
    text = str(maker.pk)
    assert stored_key(Maker, text) == (text.replace("-", "") if connection.vendor == "sqlite" else text)
    assert uuid.UUID(stored_key(Maker, text)) == maker.pk
    assert stored_key(Product, "012") == "12"


def test_a_project_that_fails_tells_the_client_nothing(db: None) -> None:
    class Broken(admin.ModelAdmin):  # type: ignore[type-arg]
        readonly_fields = ("broken",)

        def broken(self, tag: Tag) -> str:
            raise RuntimeError("the secret ingredient is salt")

    tag = Tag.objects.create(name="oak")
    error = reader_of(Tag, Broken).unreadable(f"django://shop.tag/{tag.pk}")
    assert "correlation id" in str(error)
    assert "salt" not in str(error)


def test_the_list_of_templates_costs_no_query_a_model(
    person: Callable[..., Person], django_assert_max_num_queries: Any
) -> None:
    viewer = person("viewer", *VIEW_ALL)
    viewer.templates()
    with django_assert_max_num_queries(4):
        viewer.templates()
