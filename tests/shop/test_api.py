"""The API: who may call what, what comes back, and what is refused how."""

from datetime import date
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from rest_framework.test import APIClient

from shop.api import ShopView
from shop.errors import EmptyOrder
from shop.models import Category, Order, Product, StockAdjustment, Supplier, Tag
from tests.factories import make_order, make_product, make_user

pytestmark = pytest.mark.django_db


def caller(username: str = "ada", *permissions: str, **kind: Any) -> APIClient:
    client = APIClient(raise_request_exception=True)
    client.force_authenticate(make_user(username, *permissions, **kind))
    return client


@pytest.fixture
def boss() -> APIClient:
    return caller("boss", superuser=True)


KINDS = ["categories", "suppliers", "tags", "products", "orders", "stock-adjustments", "stock-report"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_list_opens_for_a_superuser_and_for_nobody_without_permission(boss, kind):
    make_order(make_user("grace"))
    url = f"/api/{kind}/"
    assert boss.get(url).status_code == 200
    assert caller("nobody").get(url).status_code == 403
    assert APIClient().get(url).status_code == 403


def test_a_viewer_reads_and_writes_nothing():
    viewer, product = caller("viewer", "shop.view_product"), make_product()
    url = f"/api/products/{product.pk}/"
    assert viewer.get(url).status_code == 200
    assert viewer.patch(url, {"price": "1.00"}).status_code == 403
    assert viewer.delete(url).status_code == 403
    assert viewer.post(f"{url}adjust_stock/", {"delta": 1, "reason": "delivery"}).status_code == 403
    assert Product.objects.get().price == product.price


def test_a_product_makes_the_round_trip(boss):
    category = Category.objects.create(name="Desks", slug="desks")
    supplier = Supplier.objects.create(name="Nordwood Mills", email="orders@nordwood.example")
    tags = [Tag.objects.create(name=name).pk for name in ("eco", "new")]
    data = {
        "sku": "SKU0100", "name": "Oak desk", "description": "Solid.", "category": category.pk, "tags": tags,
        "supplier": str(supplier.pk), "price": "249.90", "stock": 6, "reorder_level": 2, "status": "active",
        "attributes": {"width_cm": 140}, "launched_on": "2026-02-01",
    }  # fmt: skip
    made = boss.post("/api/products/", data, format="json")
    assert made.status_code == 201
    read = boss.get(f"/api/products/{made.data['id']}/").json()
    assert {key: read[key] for key in data} == data
    assert (read["low_stock"], read["datasheet"]) == (False, None)
    assert StockAdjustment.objects.get().delta == 6


def test_a_file_is_uploaded_read_and_taken_away(boss):
    product = make_product()
    url = f"/api/products/{product.pk}/"
    file = SimpleUploadedFile("desk.csv", b"width,140\n")
    address = boss.patch(url, {"datasheet": file}, format="multipart").data["datasheet"]
    reader = caller("reader", "shop.view_product")
    reader.force_login(reader.handler._force_user)
    download = reader.get(address)
    assert b"".join(download.streaming_content) == b"width,140\n"
    assert download["Content-Disposition"].startswith("attachment")
    refused = boss.patch(url, {"datasheet": SimpleUploadedFile("x.html", b"<script>")}, format="multipart")
    assert refused.status_code == 400
    assert "html" in refused.data["datasheet"][0]
    assert boss.patch(url, {"datasheet": None}, format="json").data["datasheet"] is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"status": "active", "launched_on": None}, "launched_on"),
        ({"price": "0.00"}, "price"),
        ({"price": "1e400"}, "price"),
        ({"sku": "sku 1"}, "sku"),
        ({"status": "gone"}, "status"),
        ({"attributes": [1]}, "attributes"),
        ({"supplier": "not-a-uuid"}, "supplier"),
        ({"category": 0}, "category"),
        ({"tags": [0]}, "tags"),
        ({"stock": 99}, "stock"),
        ({"name": "a\x00b"}, "name"),
    ],
)
def test_a_bad_product_is_refused_by_field(boss, change, field):
    product = make_product()
    response = boss.patch(f"/api/products/{product.pk}/", change, format="json")
    assert (response.status_code, list(response.data)) == (400, [field])
    assert Product.objects.filter(pk=product.pk, stock=10, status="active").exists()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["A1", "B2", "C3"]),
        ("min_price=20", ["B2", "C3"]),
        ("max_price=20&min_price=10", ["A1", "B2"]),
        ("in_stock=true", ["A1", "C3"]),
        ("in_stock=false", ["B2"]),
        ("status=draft", ["C3"]),
        ("search=lamp", ["B2"]),
        ("ordering=-price", ["C3", "B2", "A1"]),
        ("ordering=-price&limit=1&offset=1", ["B2"]),
        ("launched_after=2026-01-02", ["B2"]),
    ],
)
def test_products_are_filtered_searched_sorted_and_paged(boss, query, found):
    make_product("A1", price=Decimal(10), launched_on=date(2026, 1, 1))
    make_product("B2", name="Clip lamp", price=Decimal(20), stock=0, launched_on=date(2026, 3, 1))
    make_product("C3", price=Decimal(30), status="draft", launched_on=None)
    response = boss.get(f"/api/products/?{query}")
    assert [row["sku"] for row in response.data["results"]] == found


def test_products_and_orders_cost_the_same_number_of_queries_for_any_number_of_rows(boss, django_assert_num_queries):
    ada = make_user()

    def fill(first: int, last: int) -> None:
        for number in range(first, last):
            make_product(f"SKU{number:04d}").tags.add(Tag.objects.get_or_create(name="eco")[0])
            make_order(ada, (f"SKU{number:04d}", 1))

    fill(0, 2)
    for kind, queries in [("products", 3), ("orders", 4)]:
        with django_assert_num_queries(queries):
            assert boss.get(f"/api/{kind}/").data["count"] == 2
    fill(2, 12)
    for kind, queries in [("products", 3), ("orders", 4)]:
        with django_assert_num_queries(queries):
            assert boss.get(f"/api/{kind}/").data["count"] == 12


def test_stock_is_adjusted_and_low_stock_listed(boss):
    product = make_product(stock=10, reorder_level=5)
    url = f"/api/products/{product.pk}/adjust_stock/"
    made = boss.post(url, {"delta": -6, "reason": "damage"}, format="json")
    assert (made.status_code, made.data["delta"], made.data["adjusted_by"]) == (201, -6, "boss")
    assert [row["sku"] for row in boss.get("/api/products/low_stock/").data["results"]] == ["SKU0043"]
    refused = boss.post(url, {"delta": -5, "reason": "damage"}, format="json")
    assert (refused.status_code, list(refused.data)) == (400, ["delta"])
    assert boss.post(url, {"delta": 0, "reason": "theft"}, format="json").data.keys() >= {"reason"}
    assert Product.objects.get().stock == 4


def test_adjustments_are_made_and_read_but_never_rewritten(boss):
    product = make_product()
    made = boss.post("/api/stock-adjustments/", {"product": product.pk, "delta": 3, "reason": "delivery"})
    assert (made.status_code, made.data["sku"]) == (201, "SKU0043")
    url = f"/api/stock-adjustments/{made.data['id']}/"
    assert boss.get(url).data["delta"] == 3
    assert [boss.put(url, {}).status_code, boss.patch(url, {}).status_code, boss.delete(url).status_code] == [405] * 3


def test_an_order_is_placed_and_cancelled_by_its_owner():
    make_product("SKU0001", stock=5, price=Decimal("2.50"))
    ada = caller("ada", "shop.add_order", "shop.view_order")
    lines = [{"sku": "SKU0001", "quantity": 2}, {"sku": "SKU0001", "quantity": 1}]
    made = ada.post("/api/orders/", {"lines": lines, "note": "Ring"}, format="json")
    assert made.status_code == 201
    assert (made.data["owner"], made.data["total"], made.data["status"]) == ("ada", "7.50", "placed")
    assert [(line["quantity"], line["unit_price"]) for line in made.data["lines"]] == [(3, "2.50")]
    url = f"/api/orders/{made.data['id']}/"
    assert ada.post(f"{url}cancel/").data["status"] == "cancelled"
    again = ada.post(f"{url}cancel/")
    assert (again.status_code, list(again.data)) == (400, ["order"])
    assert Product.objects.get().stock == 5


def test_an_order_is_neither_edited_nor_deleted(boss):
    url = f"/api/orders/{make_order(make_user()).pk}/"
    assert [boss.put(url, {}).status_code, boss.patch(url, {}).status_code, boss.delete(url).status_code] == [405] * 3


@pytest.mark.parametrize(
    "address",
    [
        "products/99999999999999999999/", "products/abc/", "suppliers/abc/", "orders/0/", "products/?search=%00",
        "products/?min_price=abc", "products/?category=99999999999999999999", "products/?ordering=secret",
        "products/?limit=-1&offset=99999999999999999999", "stock-adjustments/?sku=%00", "orders/?placed_after=x",
        "stock-report/?category=%00", "products/?min_price=1e999999",
    ],
)  # fmt: skip
def test_a_strange_address_is_answered_calmly(boss, address):
    assert boss.get(f"/api/{address}").status_code in (200, 400, 404)


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ([], "lines"),
        ([{"sku": "NOPE", "quantity": 1}], "sku"),
        ([{"sku": "SKU0001", "quantity": 6}], "quantity"),
        ([{"sku": "SKU0001", "quantity": 0}], "lines"),
        ([{"sku": "SKU0001"}], "lines"),
        ("SKU0001", "lines"),
    ],
)
def test_a_bad_order_is_refused_by_field_and_writes_nothing(boss, lines, field):
    make_product("SKU0001", stock=5)
    response = boss.post("/api/orders/", {"lines": lines}, format="json")
    assert (response.status_code, list(response.data)) == (400, [field])
    assert not Order.objects.exists()


def test_orders_of_others_are_out_of_sight_and_out_of_reach():
    order = make_order(make_user("grace"))
    ada = caller("ada", "shop.view_order", "shop.change_order")
    assert ada.get("/api/orders/").data["count"] == 0
    assert ada.get(f"/api/orders/{order.pk}/").status_code == 404
    assert ada.post(f"/api/orders/{order.pk}/cancel/").status_code == 404
    onlooker = caller("onlooker", "shop.view_order", "shop.view_all_orders")
    assert onlooker.get("/api/orders/").data["count"] == 1
    assert onlooker.post(f"/api/orders/{order.pk}/cancel/").status_code == 403
    chief = caller("chief", "shop.view_order", "shop.change_order", "shop.view_all_orders")
    assert chief.post(f"/api/orders/{order.pk}/cancel/").status_code == 200


def test_rows_in_use_are_not_deleted(boss):
    order = make_order(make_user())
    product = order.lines.get().product
    for kind, row in [("categories", product.category), ("products", product)]:
        response = boss.delete(f"/api/{kind}/{row.pk}/")
        assert response.status_code == 409
        assert "refer to it" in response.data["detail"]
    assert Product.objects.count() == 1


def test_a_category_cannot_stand_below_itself(boss):
    desks = Category.objects.create(name="Desks", slug="desks")
    below = Category.objects.create(name="Standing", slug="standing", parent=desks)
    response = boss.patch(f"/api/categories/{desks.pk}/", {"parent": below.pk}, format="json")
    assert (response.status_code, list(response.data)) == (400, ["parent"])


def test_what_was_written_before_a_refusal_is_taken_back(rf):
    class Careless(ShopView):
        permission_classes = []

        def post(self, request: Any) -> None:
            Tag.objects.create(name="half-written")
            raise EmptyOrder

    response = Careless.as_view()(rf.post("/"))
    assert (response.status_code, list(response.data)) == (400, ["items"])
    assert not Tag.objects.exists()


def test_a_supplier_goes_and_its_products_stay(boss):
    supplier = Supplier.objects.create(name="Nordwood Mills", email="orders@nordwood.example")
    product = make_product(supplier=supplier)
    assert boss.get(f"/api/suppliers/{supplier.pk}/").data["name"] == "Nordwood Mills"
    assert boss.delete(f"/api/suppliers/{supplier.pk}/").status_code == 204
    product.refresh_from_db()
    assert product.supplier is None


def test_the_report_sums_each_category(boss):
    make_product("SKU0001", stock=3, price=Decimal("1.10"))
    make_product("SKU0002", stock=20, price=Decimal("2.00"))
    lamps = Category.objects.create(name="Lamps", slug="lamps")
    make_product("SKU0003", stock=0, category=lamps, status="discontinued")
    desks = {"category": "Desks", "products": 2, "units": 23, "value": "43.30", "low": 1}
    empty = {"category": "Lamps", "products": 1, "units": 0, "value": "0.00", "low": 0}
    assert boss.get("/api/stock-report/").json() == [desks, empty]
    assert boss.get("/api/stock-report/?category=desks").json() == [desks]


def test_the_schema_is_generated_without_warnings():
    out = StringIO()
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=out)
    assert "/api/products/{id}/adjust_stock/" in out.getvalue()
