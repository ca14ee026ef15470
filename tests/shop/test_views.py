"""The pages: who gets in, what they show, what they change."""

from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse

from shop.models import Order, Product
from tests.factories import make_order, make_product, make_user

pytestmark = pytest.mark.django_db


def visitor(username: str = "mara", *permissions: str, **kind: Any) -> Client:
    client = Client()
    client.force_login(make_user(username, *permissions, **kind))
    return client


def page(client: Client, name: str, query: str = "", **arguments: str) -> Any:
    return client.get(reverse(f"shop:{name}", kwargs=arguments) + query)


PAGES = [
    ("home", {}), ("product", {"sku": "SKU0043"}), ("stock_level", {"sku": "SKU0043"}), ("orders", {}),
    ("order", {"number": "ORD-000001"}), ("reorder_list", {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments"), PAGES)
def test_a_stranger_is_sent_to_sign_in(name, arguments):
    response = page(Client(), name, **arguments)
    assert response.status_code == 302
    assert response.url.startswith("/admin/login/?next=")


def test_products_are_searched_and_paged_without_drafts():
    for number in range(25):
        make_product(f"SKU{number:04d}", name=f"Oak desk {number}")
    make_product("DRAFT", name="Oak secret", status="draft")
    mara = visitor()
    assert len(page(mara, "home").context["object_list"]) == 20
    assert len(page(mara, "home", "?page=2").context["object_list"]) == 5
    assert [p.sku for p in page(mara, "home", "?q=desk+24").context["object_list"]] == ["SKU0024"]
    assert [p.sku for p in page(mara, "home", "?q=sku0007").context["object_list"]] == ["SKU0007"]
    assert "Nothing found" in page(mara, "home", "?q=secret").content.decode()
    assert page(mara, "home", "?q=%00").status_code == 200
    assert page(mara, "home", "?page=99").status_code == 404


def test_a_product_is_found_by_its_sku_and_its_text_is_escaped():
    make_product(name="<script>alert(1)</script>")
    mara = visitor()
    text = page(mara, "product", sku="SKU0043").content.decode()
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>" not in text
    assert page(mara, "product", sku="SKU9999").status_code == 404
    assert mara.get("/products/sku0043/").status_code == 404


def test_orders_are_the_visitors_own():
    mine = make_order(make_user("mara"), note="Ring twice")
    other = make_order(make_user("grace"))
    mara = Client()
    mara.force_login(mine.owner)
    assert list(page(mara, "orders").context["object_list"]) == [mine]
    assert "Ring twice" in page(mara, "order", number=mine.number).content.decode()
    assert page(mara, "order", number=other.number).status_code == 404
    assert len(page(visitor("chief", "shop.view_all_orders"), "orders").context["object_list"]) == 2


def test_an_order_is_cancelled_by_post_and_only_by_who_may():
    order = make_order(make_user("mara"))
    mara = Client()
    mara.force_login(order.owner)
    url = reverse("shop:cancel_order", kwargs={"number": order.number})
    assert mara.get(url).status_code == 405
    assert visitor("grace").post(url).status_code == 404
    onlooker = visitor("onlooker", "shop.view_all_orders")
    assert "Only the order" in onlooker.post(url, follow=True).content.decode()
    assert Order.objects.get().status == "placed"
    assert f"{order.number} is cancelled" in mara.post(url, follow=True).content.decode()
    assert "cannot be cancelled" in mara.post(url, follow=True).content.decode()
    assert Order.objects.get().status == "cancelled"


def test_the_stock_level_is_json_and_read_only():
    make_product(stock=3, reorder_level=5)
    mara = visitor()
    url = reverse("shop:stock_level", kwargs={"sku": "SKU0043"})
    assert mara.get(url).json() == {"sku": "SKU0043", "stock": 3, "low": True, "status": "active"}
    assert mara.post(url).status_code == 405


def test_a_delivery_is_recorded_by_who_may():
    make_product(stock=3)
    url = reverse("shop:restock")
    data = {"sku": "SKU0043", "quantity": 4, "note": "Pallet 7"}
    assert visitor("mara").post(url, data).status_code == 403
    assert Client().post(url, data).status_code == 403
    keeper = visitor("keeper", "shop.add_stockadjustment")
    assert "SKU0043 now has 7 in stock" in keeper.post(url, data, follow=True).content.decode()
    adjustment = Product.objects.get().adjustments.get()
    assert (adjustment.delta, adjustment.reason, adjustment.adjusted_by.username) == (4, "delivery", "keeper")
    assert page(keeper, "restock", "?sku=SKU0043").context["form"].initial == {"sku": "SKU0043"}


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"sku": "NOPE"}, "sku", "no product with the SKU"),
        ({"quantity": 0}, "quantity", "greater than or equal to 1"),
        ({"quantity": 1_000_000}, "quantity", "cannot change by"),
        ({"sku": ""}, "sku", "required"),
    ],
)
def test_a_bad_delivery_is_refused_beside_the_field(change, field, message):
    make_product(stock=3)
    keeper = visitor("keeper", "shop.add_stockadjustment")
    response = keeper.post(reverse("shop:restock"), {"sku": "SKU0043", "quantity": 4} | change)
    assert message in str(response.context["form"].errors[field])
    assert Product.objects.get().stock == 3


def test_the_reorder_list_is_for_the_staff():
    make_product("SKU0001", stock=1, reorder_level=5)
    make_product("SKU0002", stock=9, reorder_level=5)
    make_product("SKU0003", stock=0, status="discontinued")
    assert page(visitor("mara"), "reorder_list").status_code == 302
    staff = page(visitor("clerk", staff=True), "reorder_list")
    assert [product.sku for product in staff.context["products"]] == ["SKU0001"]


def test_a_datasheet_is_downloaded_only_by_who_may_view_products():
    product = make_product()
    product.datasheet.save("desk.txt", ContentFile(b"72 cm"))
    url = product.datasheet.url
    assert visitor("mara").get(url).status_code == 403
    assert Client().get(url).status_code == 403
    reader = visitor("reader", "shop.view_product")
    assert b"".join(reader.get(url).streaming_content) == b"72 cm"
    assert reader.get("/media/datasheets/nothing.txt").status_code == 404
