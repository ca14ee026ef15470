"""What HTTP answers, MCP answers: every operation of the shop's API, asked both ways by four people."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from rest_framework.test import APIClient

from mcp_server.derive.drf import register_api_tools
from shop.models import Category, Order, OrderLine, Product, StockAdjustment, Supplier, Tag
from tests.factories import count_on, make_product, make_user
from tests.mcp_server.derive.callers import Caller, text_of

# Made anew by each way of asking.
FRESH = {"created_at", "updated_at", "placed_at", "cancelled_at", "number"}
SUPPLIER = "5b0e2a3c-3a52-4b8e-9d5c-0d0f8a1c2b3d"

# tool, its arguments, and the same as HTTP: method, path, body.
READS: list[tuple[str, dict[str, Any], str, str, Any]] = [
    ("category_list", {}, "get", "categories/", None),
    ("category_list", {"search": "desk", "ordering": ["-name"]}, "get", "categories/?search=desk&ordering=-name", None),
    ("category_retrieve", {"id": 1}, "get", "categories/1/", None),
    ("category_retrieve", {"id": 99}, "get", "categories/99/", None),
    ("supplier_list", {"limit": 1}, "get", "suppliers/?limit=1", None),
    ("supplier_retrieve", {"id": SUPPLIER}, "get", f"suppliers/{SUPPLIER}/", None),
    ("supplier_retrieve", {"id": "abc"}, "get", "suppliers/abc/", None),
    ("tag_list", {}, "get", "tags/", None),
    ("tag_retrieve", {"id": 1}, "get", "tags/1/", None),
    ("product_list", {}, "get", "products/", None),
    ("product_list", {"limit": 1, "offset": 1}, "get", "products/?limit=1&offset=1", None),
    ("product_list", {"in_stock": False}, "get", "products/?in_stock=false", None),
    ("product_list", {"min_price": 5.5, "status": "active"}, "get", "products/?min_price=5.5&status=active", None),
    ("product_list", {"tags": [1, 2]}, "get", "products/?tags=1&tags=2", None),
    ("product_list", {"supplier": SUPPLIER}, "get", f"products/?supplier={SUPPLIER}", None),
    ("product_list", {"supplier": "abc", "category": 77}, "get", "products/?supplier=abc&category=77", None),
    ("product_list", {"ordering": ["-price", "sku"]}, "get", "products/?ordering=-price,sku", None),
    ("product_list", {"launched_after": "2026-13-01"}, "get", "products/?launched_after=2026-13-01", None),
    ("product_retrieve", {"id": 1}, "get", "products/1/", None),
    ("product_low_stock", {"search": "lamp"}, "get", "products/low_stock/?search=lamp", None),
    ("stockadjustment_list", {"sku": "SKU0001"}, "get", "stock-adjustments/?sku=SKU0001", None),
    ("stockadjustment_retrieve", {"id": 1}, "get", "stock-adjustments/1/", None),
    ("order_list", {}, "get", "orders/", None),
    ("order_list", {"placed_after": "2020-01-01T00:00:00Z"}, "get", "orders/?placed_after=2020-01-01T00:00:00Z", None),
    ("order_retrieve", {"id": 1}, "get", "orders/1/", None),
    ("order_retrieve", {"id": 2}, "get", "orders/2/", None),
    ("stock_report_get", {}, "get", "stock-report/", None),
    ("stock_report_get", {"category": "desks"}, "get", "stock-report/?category=desks", None),
]
PRODUCT = {"sku": "SKU9", "name": "Stool", "category": 1, "price": "9.50", "launched_on": "2026-01-02", "tags": [1]}
LINES = [{"sku": "SKU0001", "quantity": 2}]
WRITES: list[tuple[str, dict[str, Any], str, str, Any]] = [
    ("category_create", {"name": "Lamps", "slug": "lamps"}, "post", "categories/", {"name": "Lamps", "slug": "lamps"}),
    ("category_create", {"name": ""}, "post", "categories/", {"name": ""}),
    ("category_update", {"id": 1, "description": "Flat"}, "patch", "categories/1/", {"description": "Flat"}),
    ("category_update", {"id": 1, "parent": 1}, "patch", "categories/1/", {"parent": 1}),
    ("category_destroy", {"id": 1}, "delete", "categories/1/", None),
    ("supplier_create", {"name": "Elm", "email": "x"}, "post", "suppliers/", {"name": "Elm", "email": "x"}),
    ("supplier_update", {"id": SUPPLIER, "email": "a@b.co"}, "patch", f"suppliers/{SUPPLIER}/", {"email": "a@b.co"}),
    ("supplier_destroy", {"id": SUPPLIER}, "delete", f"suppliers/{SUPPLIER}/", None),
    ("tag_create", {"name": "oak"}, "post", "tags/", {"name": "oak"}),
    ("tag_update", {"id": 1, "name": "new"}, "patch", "tags/1/", {"name": "new"}),
    ("tag_destroy", {"id": 1}, "delete", "tags/1/", None),
    ("product_create", PRODUCT, "post", "products/", PRODUCT),
    ("product_create", PRODUCT | {"price": "-1"}, "post", "products/", PRODUCT | {"price": "-1"}),
    ("product_update", {"id": 1, "price": "12.00"}, "patch", "products/1/", {"price": "12.00"}),
    ("product_update", {"id": 1, "stock": 99}, "patch", "products/1/", {"stock": 99}),
    ("product_update", {"id": 1, "supplier": None, "tags": []}, "patch", "products/1/", {"supplier": None, "tags": []}),
    ("product_destroy", {"id": 1}, "delete", "products/1/", None),
    ("product_destroy", {"id": 2}, "delete", "products/2/", None),
    ("product_adjust_stock", {"id": 1, "delta": -2, "reason": "damage"}, "post", "products/1/adjust_stock/",
     {"delta": -2, "reason": "damage"}),
    ("product_adjust_stock", {"id": 1, "delta": 0, "reason": "rain"}, "post", "products/1/adjust_stock/",
     {"delta": 0, "reason": "rain"}),
    ("stockadjustment_create", {"product": 2, "delta": 5, "reason": "delivery"}, "post", "stock-adjustments/",
     {"product": 2, "delta": 5, "reason": "delivery"}),
    ("order_create", {"lines": LINES, "note": "Ring"}, "post", "orders/", {"lines": LINES, "note": "Ring"}),
    ("order_create", {"lines": [{"sku": "SKU0001", "quantity": 0}]}, "post", "orders/",
     {"lines": [{"sku": "SKU0001", "quantity": 0}]}),
    ("order_cancel", {"id": 1}, "post", "orders/1/cancel/", None),
    ("order_cancel", {"id": 2}, "post", "orders/2/cancel/", None),
]  # fmt: skip
OPERATIONS = READS + WRITES
VIEWS = [f"shop.view_{model}" for model in ("category", "supplier", "tag", "product", "stockadjustment", "order")]
STAFF = [
    *VIEWS,
    "shop.add_order",
    "shop.change_order",
    "shop.add_stockadjustment",
    "shop.change_product",
    "shop.add_tag",
]


@pytest.fixture
def rows(db: None) -> None:
    """A catalogue, and an order of somebody else; keys are given, so that both ways of asking name the same rows."""
    Tag.objects.bulk_create([Tag(pk=1, name="eco"), Tag(pk=2, name="sale")])
    category = Category.objects.create(pk=1, name="Desks", slug="desks")
    supplier = Supplier.objects.create(pk=SUPPLIER, name="Nordwood Mills", email="orders@nordwood.example")
    desk = make_product("SKU0001", pk=1, category=category, supplier=supplier, stock=50)
    desk.tags.set([1])
    make_product("SKU0002", pk=2, name="Clip lamp", category=category, stock=0, price="5.00")
    owner = make_user("owner")
    StockAdjustment.objects.create(pk=1, product=desk, delta=1, reason="delivery", adjusted_by=owner)
    order_with_key(2, owner)
    count_on(Tag, Category, Product, StockAdjustment, Order, OrderLine)


def order_with_key(key: int, owner: Any) -> None:
    order = Order.objects.create(pk=key, owner=owner)
    OrderLine.objects.create(pk=key, order=order, product_id=1, quantity=1, unit_price="249.00")


PEOPLE: dict[str, Callable[[], Any]] = {
    "superuser": lambda: make_user("boss", superuser=True),
    "staff": lambda: make_user("clerk", *STAFF, staff=True),
    "viewer": lambda: make_user("viewer", *VIEWS),
    "nobody": lambda: make_user("nobody"),
}


# What the operations come to, so that a change which refuses everything does not pass unseen.
EXPECTED = {
    "superuser": {200, 201, 204, 400, 404, 409},
    "staff": {200, 201, 400, 403, 404},
    "viewer": {200, 400, 403, 404},
    "nobody": {403},
}


def over_http(user: Any, method: str, path: str, body: Any) -> tuple[int, Any]:
    # The host a client of the MCP server on stdio is taken to have called.
    client = APIClient(HTTP_HOST="localhost:8001", raise_request_exception=False)
    client.force_login(user)
    with transaction.atomic():
        response = getattr(client, method)(f"/api/{path}", body, format="json" if body is not None else None)
        transaction.set_rollback(True)
    return response.status_code, response.json() if response.content else None


def over_mcp(caller: Caller, tool: str, arguments: dict[str, Any]) -> tuple[int, Any]:
    with transaction.atomic():
        result = caller.call(tool, **arguments)
        transaction.set_rollback(True)
    if result.is_error and text_of(result) == f"Unknown tool: '{tool}'":
        return 403, {"detail": "You do not have permission to perform this action."}
    status = result.meta["http_status"]
    if result.is_error:
        return status, result.meta["errors"]
    body = result.structured_content
    return status, body["result"] if body and result.meta.get("fastmcp") else body


def comparable(body: Any, *, made: bool) -> Any:
    if isinstance(body, list):
        return [comparable(part, made=made) for part in body]
    if not isinstance(body, dict):
        return body
    fresh = FRESH | {"id"} if made else FRESH
    return {name: comparable(part, made=made) for name, part in body.items() if name not in fresh}


@pytest.mark.parametrize("person", PEOPLE)
def test_both_ways_answer_the_same(mcp, rows, person):
    register_api_tools(mcp)
    user = PEOPLE[person]()
    if person in ("superuser", "staff"):
        order_with_key(1, user)
    caller = Caller(mcp, user)
    statuses = set()
    for tool, arguments, method, path, body in OPERATIONS:
        status, answer = over_http(user, method, path, body)
        told, result = over_mcp(caller, tool, arguments)
        made = status == 201
        assert (tool, arguments, told) == (tool, arguments, status)
        assert comparable(result, made=made) == comparable(answer, made=made), (tool, arguments)
        statuses.add(status)
    assert statuses == EXPECTED[person]


def test_every_tool_is_among_the_operations(mcp, db):
    assert set(register_api_tools(mcp)) == {tool for tool, *_ in OPERATIONS}


def test_people_see_the_tools_that_http_lets_them_use(mcp, rows):
    register_api_tools(mcp)
    seen = {person: set(Caller(mcp, make()).tools()) for person, make in PEOPLE.items()}
    assert seen["nobody"] == set()
    assert seen["viewer"] == {tool for tool, *_ in READS} | {"order_cancel"}
    assert seen["viewer"] < seen["staff"] < seen["superuser"] == {tool for tool, *_ in OPERATIONS}
