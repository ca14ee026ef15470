"""The shop's pages, through a real client, by four people."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client

from mcp_server.derive.views import register_view_tools
from shop.models import Order, OrderLine, Product
from tests.factories import make_product, make_user
from tests.mcp_server.derive.callers import Caller, text_of

PERMISSIONS = {"shop:cancel_order": ["shop.view_order"]}
# tool, its arguments, and the same as HTTP: path, and what is posted.
PAGES: list[tuple[str, dict[str, Any], str, dict[str, Any] | None]] = [
    ("read_home", {}, "/", None),
    ("read_home", {"q": "oak", "page": 1}, "/?q=oak&page=1", None),
    ("read_home", {"page": 9}, "/?page=9", None),
    ("read_product", {"sku": "SKU0043"}, "/products/SKU0043/", None),
    ("read_product", {"sku": "SKU9"}, "/products/SKU9/", None),
    ("read_stock_level", {"sku": "SKU0043"}, "/products/SKU0043/stock/", None),
    ("read_orders", {}, "/orders/", None),
    ("read_order", {"number": "ORD-000001"}, "/orders/ORD-000001/", None),
    ("read_order", {"number": "ORD-000002"}, "/orders/ORD-000002/", None),
    ("read_restock", {}, "/restock/", None),
    ("read_reorder_list", {}, "/reorder/", None),
    ("read_datasheet", {"name": "desk.txt"}, "/media/datasheets/desk.txt", None),
    ("submit_restock", {"sku": "SKU0043", "quantity": 5}, "/restock/", {"sku": "SKU0043", "quantity": 5}),
    ("submit_restock", {"sku": "SKU9", "quantity": 0}, "/restock/", {"sku": "SKU9", "quantity": 0}),
    ("submit_cancel_order", {"number": "ORD-000001"}, "/orders/ORD-000001/cancel/", {}),
    ("submit_cancel_order", {"number": "ORD-000002"}, "/orders/ORD-000002/cancel/", {}),
]
PEOPLE = {
    "superuser": lambda: make_user("boss", superuser=True),
    "staff": lambda: make_user("clerk", "shop.add_stockadjustment", "shop.view_product", "shop.view_order", staff=True),
    "viewer": lambda: make_user("viewer", "shop.view_product", "shop.view_order"),
    "nobody": lambda: make_user("nobody"),
}

# What the pages come to, so that a change which refuses everything does not pass unseen.
EXPECTED = {
    "superuser": {200, 302, 404},
    "staff": {200, 302, 404},
    "viewer": {200, 302, 403, 404},
    "nobody": {200, 403, 404},
}


@pytest.fixture
def rows(db: None) -> None:
    product = make_product(pk=1)
    path = Path(settings.MEDIA_ROOT, "datasheets", "desk.txt")
    path.parent.mkdir(exist_ok=True)
    path.write_text("width,140")
    Product.objects.filter(pk=product.pk).update(datasheet="datasheets/desk.txt")
    order_with_key(2, make_user("owner"))


def order_with_key(key: int, owner: Any) -> None:
    order = Order.objects.create(pk=key, owner=owner)
    OrderLine.objects.create(order=order, product_id=1, quantity=1, unit_price="249.00")


def over_http(user: Any, path: str, posted: dict[str, Any] | None) -> tuple[int, str]:
    client = Client(HTTP_HOST="localhost:8001", raise_request_exception=False)
    client.force_login(user)
    with transaction.atomic():
        response = client.get(path) if posted is None else client.post(path, posted)
        if response.streaming:
            b"".join(response.streaming_content)
        transaction.set_rollback(True)
    refused = response.status_code == 403 or "/login/" in response.get("Location", "")
    return (403, "") if refused else (response.status_code, response.get("Location", ""))


def over_mcp(caller: Caller, tool: str, arguments: dict[str, Any]) -> tuple[int, str]:
    with transaction.atomic():
        result = caller.call(tool, **arguments)
        transaction.set_rollback(True)
    if text_of(result).startswith("Unknown tool"):
        return 403, ""
    return result.meta["http_status"], (result.structured_content or {}).get("location") or ""


@pytest.mark.parametrize("person", PEOPLE)
def test_both_ways_end_the_same(mcp, rows, person):
    register_view_tools(mcp, permissions=PERMISSIONS, query={"shop:home": ["q"]})
    user = PEOPLE[person]()
    order_with_key(1, user)
    caller, statuses = Caller(mcp, user), set()
    for tool, arguments, path, posted in PAGES:
        expected = over_http(user, path, posted)
        if tool == "submit_cancel_order" and person == "nobody":
            # The page asks for a login alone; the tool for the permission that the registration names.
            assert expected[0] in (302, 404)
            expected = (403, "")
        assert (tool, arguments, over_mcp(caller, tool, arguments)) == (tool, arguments, expected)
        statuses.add(expected[0])
    assert statuses == EXPECTED[person]


def test_people_see_the_pages_that_are_for_them(mcp, rows):
    assert set(register_view_tools(mcp, permissions=PERMISSIONS)) == {tool for tool, *_ in PAGES}
    seen = {person: set(Caller(mcp, make()).tools()) for person, make in PEOPLE.items()}
    everybody = {"read_home", "read_product", "read_stock_level", "read_orders", "read_order"}
    assert seen["nobody"] == everybody
    assert seen["viewer"] == everybody | {"read_datasheet", "submit_cancel_order"}
    assert seen["staff"] == seen["superuser"] == {tool for tool, *_ in PAGES}


def test_a_form_that_asks_for_a_login_alone_needs_a_permission_of_its_own(mcp):
    assert "submit_cancel_order" not in register_view_tools(mcp)


def test_only_what_is_included_and_not_excluded_becomes_a_tool(mcp):
    names = register_view_tools(mcp, include=["shop:order*", "shop:home"], exclude=["shop:orders"])
    assert names == ["read_home", "read_order"]


def test_pages_come_as_text_and_rows(mcp, rows):
    register_view_tools(mcp, fields={"shop:home": ["sku", "price", "category.name"]})
    boss = Caller(mcp, make_user("boss", superuser=True))
    answer = boss.call("read_home")
    assert "SKU0043 | Oak desk | Desks | 249.00 | 10" in text_of(answer)
    assert "Admin" not in text_of(answer)
    assert answer.structured_content == {
        "results": [
            {
                "id": 1,
                "label": "SKU0043 Oak desk",
                "url": "/products/SKU0043/",
                "sku": "SKU0043",
                "price": "249.00",
                "category.name": "Desks",
            }
        ],
        "page": 1,
        "pages": 1,
        "count": 1,
    }
    assert boss.call("read_stock_level", sku="SKU0043").structured_content["stock"] == 10
    [file] = boss.call("read_datasheet", name="desk.txt").content
    assert file.resource.mime_type == "text/plain"


def test_a_form_is_submitted_and_refused_by_field(mcp, rows):
    register_view_tools(mcp, permissions=PERMISSIONS)
    boss = Caller(mcp, make_user("boss", superuser=True))
    order_with_key(1, boss.user)
    assert text_of(boss.call("submit_restock", sku="SKU0043", quantity=5)) == "SKU0043 now has 15 in stock."
    refused = boss.call("submit_restock", sku="SKU9", quantity=5)
    assert refused.is_error
    assert text_of(refused).startswith('sku: There is no product with the SKU "SKU9".')
    refused = boss.call("submit_restock", quantity=0)
    assert refused.meta["errors"].keys() == {"sku", "quantity"}
    assert text_of(boss.call("submit_cancel_order", number="ORD-000001")) == "ORD-000001 is cancelled."
    again = boss.call("submit_cancel_order", number="ORD-000001")
    assert again.is_error
    assert "cannot be cancelled" in text_of(again)


def test_a_read_token_submits_nothing(mcp, rows):
    register_view_tools(mcp, permissions=PERMISSIONS)
    tools = Caller(mcp, make_user("boss", superuser=True), access="read").tools()
    assert "read_orders" in tools
    assert not any(name.startswith("submit_") for name in tools)
