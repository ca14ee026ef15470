"""The back office: who sees which rows, what is frozen, and that stock only moves through the services."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin import site
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from shop.models import Category, Order, OrderLine, Product, StockAdjustment, Supplier, Tag
from tests.factories import make_order, make_product, make_user

pytestmark = pytest.mark.django_db

ORDER_RIGHTS = [
    f"shop.{verb}_{kind}" for verb in ("view", "add", "change", "delete") for kind in ("order", "orderline")
]
ALL = (*ORDER_RIGHTS, "shop.view_all_orders", "shop.view_product")


def sign_in(username: str, *permissions: str, **kind: Any) -> Client:
    client = Client()
    client.force_login(make_user(username, *permissions, staff=True, **kind))
    return client


@pytest.fixture
def boss() -> Client:
    return sign_in("boss", superuser=True)


def said(response: Any) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def act(client: Client, model: str, action: str, *rows: Any, **data: Any) -> Any:
    ticked = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(reverse(f"admin:shop_{model}_changelist"), ticked | data)


def product_data(**changes: Any) -> dict[str, Any]:
    category, _ = Category.objects.get_or_create(slug="desks", defaults={"name": "Desks"})
    data = {"sku": "SKU0001", "name": "Oak desk", "category": category.pk, "price": "10.00", "stock": 4}
    return data | {"reorder_level": 2, "status": "draft", "attributes": "{}"} | changes


def lines_data(*lines: dict[str, Any], initial: int = 0) -> dict[str, Any]:
    data: dict[str, Any] = {"lines-TOTAL_FORMS": len(lines), "lines-INITIAL_FORMS": initial}
    for number, line in enumerate(lines):
        data |= {f"lines-{number}-{key}": value for key, value in line.items()}
    return data


@pytest.mark.parametrize("model", [Category, Supplier, Tag, Product, StockAdjustment, Order])
def test_every_list_and_add_page_opens(boss, model):
    make_order(make_user())
    name = model._meta.model_name
    assert boss.get(reverse(f"admin:shop_{name}_changelist")).status_code == 200
    assert boss.get(reverse(f"admin:shop_{name}_add")).status_code == 200


@pytest.mark.parametrize("model", ["product", "order", "stockadjustment", "category"])
def test_a_list_costs_the_same_number_of_queries_for_any_number_of_rows(
    boss, model, django_assert_max_num_queries, django_assert_num_queries
):
    def fill(first: int, last: int) -> None:
        for number in range(first, last):
            category = Category.objects.create(name=f"Desks {number}", slug=f"desks-{number}")
            supplier = Supplier.objects.create(name=f"Mill {number}", email="mill@example.com")
            make_product(f"SKU{number:04d}", category=category, supplier=supplier)
            make_order(make_user(f"buyer{number}"), (f"SKU{number:04d}", 1))

    url = reverse(f"admin:shop_{model}_changelist")
    fill(0, 3)
    with django_assert_max_num_queries(40) as few:
        boss.get(url)
    fill(3, 20)
    with django_assert_num_queries(len(few)):
        assert b"20 " in boss.get(url).content


def test_the_orders_listed_are_the_users_own_unless_they_may_see_all(boss):
    make_order(make_user("ada"))
    make_order(make_user("grace"))
    url = reverse("admin:shop_order_changelist")
    own = sign_in("clerk", "shop.view_order")
    assert len(boss.get(url).context["cl"].result_list) == 2
    assert len(own.get(url).context["cl"].result_list) == 0
    order = Order.objects.first()
    assert own.get(reverse("admin:shop_order_change", args=[order.pk])).status_code == 302


def test_an_action_does_not_reach_orders_out_of_sight():
    order = make_order(make_user("ada"))
    clerk = sign_in("clerk", *ORDER_RIGHTS)
    act(clerk, "order", "mark_paid", order)
    order.refresh_from_db()
    assert order.status == "placed"


@pytest.mark.parametrize(
    ("status", "can_change"), [("placed", True), ("paid", True), ("shipped", False), ("cancelled", False)]
)
def test_a_shipped_or_cancelled_order_is_frozen(status, can_change):
    client = sign_in("clerk", *ALL)
    order = make_order(make_user("ada"), status=status, note="Ring twice")
    url = reverse("admin:shop_order_change", args=[order.pk])
    assert client.get(url).context["has_change_permission"] is can_change
    line = order.lines.get()
    line_data = {"id": line.pk, "order": order.pk, "quantity": 1}
    response = client.post(url, {"note": "Changed", **lines_data(line_data, initial=1)})
    assert response.status_code == (302 if can_change else 403)
    order.refresh_from_db()
    assert (order.note, order.status) == ("Changed" if can_change else "Ring twice", status)


def test_an_order_entered_by_hand_takes_its_stock_and_todays_price(boss):
    ada = make_user()
    desk, lamp = make_product("SKU0001", stock=5, price=Decimal("7.50")), make_product("SKU0002", stock=5)
    lines = lines_data({"product": desk.pk, "quantity": 2, "unit_price": "0.01"}, {"product": lamp.pk, "quantity": 1})
    response = boss.post(reverse("admin:shop_order_add"), {"owner": ada.pk, "note": "By phone", **lines})
    assert response.status_code == 302
    order = Order.objects.with_totals().get()
    assert (order.owner, order.number, order.total) == (ada, f"ORD-{order.pk:06d}", Decimal("264.00"))
    assert order.lines.get(product=desk).unit_price == Decimal("7.50")
    assert dict(Product.objects.values_list("sku", "stock")) == {"SKU0001": 3, "SKU0002": 4}
    assert StockAdjustment.objects.filter(note=order.number).count() == 2
    [log] = LogEntry.objects.all()
    assert "Added order line" in log.get_change_message()


def test_changed_and_deleted_lines_give_their_stock_back(boss):
    desk, lamp = make_product("SKU0001", stock=5), make_product("SKU0002", stock=5)
    order = make_order(make_user(), ("SKU0001", 3), ("SKU0002", 2))
    first, second = order.lines.all()
    lines = lines_data(
        {"id": first.pk, "order": order.pk, "quantity": 1},
        {"id": second.pk, "order": order.pk, "quantity": 2, "DELETE": "on"},
        initial=2,
    )
    assert boss.post(reverse("admin:shop_order_change", args=[order.pk]), lines).status_code == 302
    assert list(order.lines.values_list("product__sku", "quantity")) == [("SKU0001", 1)]
    desk.refresh_from_db()
    lamp.refresh_from_db()
    assert (desk.stock, lamp.stock) == (4, 5)


def test_the_product_of_a_line_cannot_be_exchanged(boss):
    make_product("SKU0001", price=Decimal("1.00"))
    dear = make_product("SKU0002", price=Decimal("900.00"))
    order = make_order(make_user(), ("SKU0001", 1))
    line = {"id": order.lines.get().pk, "order": order.pk, "quantity": 1, "product": dear.pk}
    boss.post(reverse("admin:shop_order_change", args=[order.pk]), lines_data(line, initial=1))
    assert order.lines.get().product.sku == "SKU0001"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([{"quantity": 6}], "Only 5 of SKU0001 are in stock and 6 were asked for"),
        ([{"quantity": 0}], "greater than or equal to 1"),
        ([{"quantity": 1}, {"quantity": 1}], "duplicate"),
        ([], "at least 1"),
    ],
)
def test_bad_lines_are_refused_beside_the_field_and_nothing_is_written(boss, lines, message):
    desk = make_product("SKU0001", stock=5)
    data = lines_data(*({"product": desk.pk} | line for line in lines))
    response = boss.post(reverse("admin:shop_order_add"), {"owner": make_user().pk, **data})
    assert response.status_code == 200
    assert message in response.content.decode()
    assert not Order.objects.exists()
    assert Product.objects.get().stock == 5


def test_a_clerk_without_the_right_to_all_orders_places_their_own():
    desk = make_product("SKU0001")
    clerk = sign_in("clerk", *ORDER_RIGHTS, "shop.view_product")
    data = {"owner": make_user("ada").pk, **lines_data({"product": desk.pk, "quantity": 1})}
    assert clerk.post(reverse("admin:shop_order_add"), data).status_code == 302
    assert Order.objects.get().owner.username == "clerk"


def test_only_a_cancelled_order_is_deleted(boss):
    ada = make_user()
    kept, gone = make_order(ada), make_order(ada, status="cancelled")
    assert boss.post(reverse("admin:shop_order_delete", args=[kept.pk]), {"post": "yes"}).status_code == 403
    act(boss, "order", "delete_selected", kept, gone, post="yes")
    assert Order.objects.count() == 2
    act(boss, "order", "delete_selected", gone, post="yes")
    assert list(Order.objects.all()) == [kept]
    assert OrderLine.objects.count() == 1


def test_order_actions_do_what_they_can_and_say_what_they_could_not(boss):
    ada = make_user()
    make_product("SKU0001", stock=9)
    placed, shipped = make_order(ada, ("SKU0001", 2)), make_order(ada, ("SKU0001", 2), status="shipped")
    response = act(boss, "order", "mark_paid", placed, shipped)
    assert said(response) == [
        f"{shipped.number} cannot be changed so: it is shipped. It must be placed.",
        f"Marked as paid: {placed.number}.",
    ]
    act(boss, "order", "cancel_orders", placed, shipped)
    assert dict(Order.objects.values_list("number", "status")) == {
        placed.number: "cancelled",
        shipped.number: "shipped",
    }
    assert Product.objects.get().stock == 7


def test_a_viewer_is_offered_no_changing_action():
    make_product()
    viewer = sign_in("viewer", "shop.view_product")
    page = viewer.get(reverse("admin:shop_product_changelist")).content.decode()
    assert "export_csv" in page
    assert "mark_discontinued" not in page
    assert "change_price" not in page


def test_a_new_products_stock_is_recorded_and_an_old_ones_stock_is_read_only(boss):
    tag = Tag.objects.create(name="eco")
    boss.post(reverse("admin:shop_product_add"), product_data(tags=[tag.pk]))
    product = Product.objects.get()
    assert (product.stock, list(product.tags.all())) == (4, [tag])
    assert list(product.adjustments.values_list("delta", "adjusted_by__username")) == [(4, "boss")]
    changed, url = product_data(stock=99, price="11.00"), reverse("admin:shop_product_change", args=[product.pk])
    assert "stock" not in boss.get(url).context["adminform"].form.fields
    assert boss.post(url, changed).status_code == 302
    product.refresh_from_db()
    assert (product.stock, product.price) == (4, Decimal("11.00"))


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"status": "active"}, "launched_on", "needs a launch date"),
        ({"status": "discontinued"}, "reorder_level", "set this to 0"),
        ({"sku": "sku 1"}, "sku", "capital letters"),
        ({"price": "0"}, "price", "0.01"),
        ({"attributes": "[1]"}, "attributes", "JSON object"),
        ({"datasheet": SimpleUploadedFile("run.exe", b"MZ")}, "datasheet", "exe"),
        ({"datasheet": SimpleUploadedFile("big.txt", b"x" * (2 * 1024 * 1024 + 1))}, "datasheet", "2 MB"),
    ],
)
def test_a_bad_product_is_refused_beside_the_field(boss, changes, field, message):
    response = boss.post(reverse("admin:shop_product_add"), product_data(**changes))
    assert message in str(response.context["adminform"].form.errors[field])
    assert not Product.objects.exists()


def test_a_datasheet_is_kept(boss):
    data = product_data(status="active", launched_on="2026-02-01", datasheet=SimpleUploadedFile("desk.txt", b"72 cm"))
    assert boss.post(reverse("admin:shop_product_add"), data).status_code == 302
    product = Product.objects.get()
    assert product.launched_on == date(2026, 2, 1)
    assert product.datasheet.read() == b"72 cm"
    product.datasheet.close()


def test_products_are_marked_as_discontinued_with_a_message(boss):
    desk, old = make_product("SKU0001"), make_product("SKU0002", status="discontinued")
    response = act(boss, "product", "mark_discontinued", desk, old)
    assert said(response) == ["Marked as discontinued: SKU0001.", "1 already discontinued: nothing to do."]
    desk.refresh_from_db()
    assert (desk.status, desk.reorder_level) == ("discontinued", 0)


def test_a_price_change_asks_first_and_is_all_or_nothing(boss):
    desk = make_product("SKU0001", price=Decimal("10.05"))
    dear = make_product("SKU0002", price=Decimal("99999999.00"))
    page = act(boss, "product", "change_price", desk, dear)
    assert "SKU0001 Oak desk: 10.05" in page.content.decode()
    refused = act(boss, "product", "change_price", desk, dear, apply="1", percent="10")
    assert "SKU0002 would cost" in refused.content.decode()
    assert "not 0" in act(boss, "product", "change_price", desk, apply="1", percent="0").content.decode()
    assert Product.objects.get(sku="SKU0001").price == Decimal("10.05")
    done = act(boss, "product", "change_price", desk, apply="1", percent="10")
    assert said(done) == ["Changed 1 prices by 10 %."]
    assert Product.objects.get(sku="SKU0001").price == Decimal("11.06")


def test_the_export_is_a_file_without_formulas(boss):
    desk = make_product("SKU0001", name='=HYPERLINK("evil")')
    response = act(boss, "product", "export_csv", desk)
    assert response["Content-Disposition"] == 'attachment; filename="products.csv"'
    header, row = response.content.decode().splitlines()
    assert header.startswith("id,sku,name")
    assert "'=HYPERLINK" in row


def test_an_adjustment_goes_through_the_service_and_is_never_rewritten(boss):
    desk = make_product("SKU0001", stock=5)
    url = reverse("admin:shop_stockadjustment_add")
    assert boss.post(url, {"product": desk.pk, "delta": -2, "reason": "damage", "note": ""}).status_code == 302
    made = StockAdjustment.objects.get()
    assert (made.delta, made.adjusted_by.username, Product.objects.get().stock) == (-2, "boss", 3)
    change = reverse("admin:shop_stockadjustment_change", args=[made.pk])
    assert boss.post(change, {"delta": 5}).status_code == 403
    assert boss.post(reverse("admin:shop_stockadjustment_delete", args=[made.pk]), {"post": "yes"}).status_code == 403
    assert LogEntry.objects.get().object_id == str(made.pk)


@pytest.mark.parametrize(("delta", "message"), [(0, "not 0"), (-6, "from -5 to 999995"), (999_999, "cannot change by")])
def test_a_bad_adjustment_is_refused_beside_the_field(boss, delta, message):
    desk = make_product("SKU0001", stock=5)
    data = {"product": desk.pk, "delta": delta, "reason": "correction"}
    response = boss.post(reverse("admin:shop_stockadjustment_add"), data)
    assert message in str(response.context["adminform"].form.errors["delta"])
    assert not StockAdjustment.objects.exists()


def test_a_category_in_use_is_not_deleted_and_stands_below_no_descendant(boss):
    desks = make_product().category
    page = boss.post(reverse("admin:shop_category_delete", args=[desks.pk]), {"post": "yes"})
    assert "would require deleting the following protected related objects" in page.content.decode()
    below = Category.objects.create(name="Standing", slug="standing", parent=desks)
    data = {"name": "Desks", "slug": "desks", "parent": below.pk}
    response = boss.post(reverse("admin:shop_category_change", args=[desks.pk]), data)
    assert "below itself" in str(response.context["adminform"].form.errors["parent"])


def test_a_note_edited_while_the_order_was_being_paid_does_not_undo_the_payment(rf):
    order = make_order(make_user())
    request = rf.post("/")
    request.user = make_user("boss", superuser=True)
    orders = site.get_model_admin(Order)
    form = orders.get_form(request, order)({"note": "New"}, instance=order)
    edited = form.save(commit=False)
    Order.objects.filter(pk=order.pk).update(status="paid")
    orders.save_model(request, edited, form, change=True)
    order.refresh_from_db()
    assert (order.note, order.status) == ("New", "paid")


def test_nobody_without_permission_gets_in():
    make_product()
    nobody = sign_in("nobody")
    assert nobody.get(reverse("admin:shop_product_changelist")).status_code == 403
    assert nobody.post(reverse("admin:shop_product_add"), product_data(sku="SKU0009")).status_code == 403
    assert Product.objects.count() == 1
