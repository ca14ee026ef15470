"""Orders and stock: what is written, what is refused, and what two callers at once may do."""

import threading
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import Sum

from shop import errors
from shop.models import Order, OrderLine, Product, StockAdjustment
from shop.services import (
    adjust_stock,
    cancel_order,
    create_product,
    mark_order_paid,
    place_order,
    set_order_quantities,
    ship_order,
)
from tests.factories import make_order, make_product, make_user

pytestmark = pytest.mark.django_db


def stock_of(sku: str) -> int:
    return Product.objects.get(sku=sku).stock


def test_an_order_takes_its_stock_and_keeps_the_price():
    ada = make_user()
    make_product("SKU0001", price=Decimal("12.50"), stock=4)
    make_product("SKU0002", price=Decimal("3.00"), stock=9)
    order = place_order(user=ada, items=[("SKU0001", 4), ("SKU0002", 2)], note="Ring twice")
    assert (order.owner, order.status, order.note) == (ada, "placed", "Ring twice")
    assert order.number == f"ORD-{order.pk:06d}"
    assert list(order.lines.values_list("product__sku", "quantity", "unit_price")) == [
        ("SKU0001", 4, Decimal("12.50")),
        ("SKU0002", 2, Decimal("3.00")),
    ]
    assert (stock_of("SKU0001"), stock_of("SKU0002")) == (0, 7)
    assert set(StockAdjustment.objects.values_list("product__sku", "delta", "reason", "note", "adjusted_by")) == {
        ("SKU0001", -4, "sale", order.number, ada.pk),
        ("SKU0002", -2, "sale", order.number, ada.pk),
    }


def test_a_sku_given_twice_is_summed_up_whatever_its_case():
    make_product("SKU0001", stock=5)
    order = place_order(user=make_user(), items=[("SKU0001", 2), (" sku0001 ", 3)])
    assert list(order.lines.values_list("quantity", flat=True)) == [5]
    assert stock_of("SKU0001") == 0


@pytest.mark.parametrize(
    ("items", "error", "field", "said"),
    [
        ([], errors.EmptyOrder, "items", "at least one item"),
        ([("SKU0001", 0)], errors.InvalidQuantity, "quantity", "whole number from 1"),
        ([("SKU0001", -1)], errors.InvalidQuantity, "quantity", "SKU0001"),
        ([("SKU0001", 1.5)], errors.InvalidQuantity, "quantity", "whole number"),
        ([("SKU0001", True)], errors.InvalidQuantity, "quantity", "whole number"),
        ([("SKU0001", 10**30)], errors.InvalidQuantity, "quantity", "1000000"),
        ([("SKU0001", 1), ("NOPE", 1)], errors.UnknownSku, "sku", '"NOPE"'),
        ([("SKU0001", 1), ("A\x00B", 1)], errors.UnknownSku, "sku", '"AB"'),
        ([("SKU0001", 6)], errors.InsufficientStock, "quantity", "Only 5 of SKU0001 are in stock and 6 were asked"),
        ([("SKU0001", 3), ("SKU0001", 3)], errors.InsufficientStock, "quantity", "6 were asked"),
        ([("SKU0001", 1), ("OLD", 1)], errors.ProductNotForSale, "sku", "status is discontinued"),
        ([(f"X{n}", 1) for n in range(101)], errors.TooManyItems, "items", "at most 100"),
    ],
)
def test_a_bad_order_is_refused_with_a_reason_and_writes_nothing(items, error, field, said):
    make_product("SKU0001", stock=5)
    make_product("OLD", status="discontinued")
    with pytest.raises(error) as refusal:
        place_order(user=make_user(), items=items)
    assert said in str(refusal.value)
    assert refusal.value.field == field
    assert stock_of("SKU0001") == 5
    assert not Order.objects.exists()
    assert not OrderLine.objects.exists()
    assert not StockAdjustment.objects.exists()


@pytest.mark.parametrize("note", ["x" * 501, "a\x00b", None])
def test_a_bad_note_is_refused(note):
    make_product("SKU0001")
    with pytest.raises(errors.InvalidNote, match="at most 500"):
        place_order(user=make_user(), items=[("SKU0001", 1)], note=note)


@pytest.mark.parametrize("status", ["placed", "paid"])
def test_cancelling_puts_the_stock_back(status):
    ada = make_user()
    make_product("SKU0001", stock=5)
    order = make_order(ada, ("SKU0001", 3), status=status)
    cancelled = cancel_order(user=ada, order=order)
    assert (cancelled.status, cancelled.cancelled_at is not None) == ("cancelled", True)
    assert stock_of("SKU0001") == 5
    assert StockAdjustment.objects.filter(reason="cancellation", delta=3, note=order.number, adjusted_by=ada).exists()


@pytest.mark.parametrize("status", ["shipped", "cancelled"])
def test_a_shipped_or_cancelled_order_is_not_cancelled(status):
    ada = make_user()
    make_product("SKU0001", stock=5)
    order = make_order(ada, ("SKU0001", 3), status=status)
    with pytest.raises(errors.OrderNotCancellable, match=f"{order.number} cannot be cancelled: it is {status}"):
        cancel_order(user=ada, order=order)
    assert stock_of("SKU0001") == 2


@pytest.mark.parametrize(
    ("permissions", "allowed"),
    [
        ((), False),
        (("shop.change_order",), False),
        (("shop.view_all_orders",), False),
        (("shop.change_order", "shop.view_all_orders"), True),
    ],
)
def test_another_users_order_is_cancelled_only_by_who_is_in_charge_of_all(permissions, allowed):
    order = make_order(make_user("ada"))
    other = make_user("grace", *permissions)
    if allowed:
        assert cancel_order(user=other, order=order).status == "cancelled"
    else:
        with pytest.raises(errors.NotYourOrder):
            cancel_order(user=other, order=order)
        assert Order.objects.get().status == "placed"


def test_an_order_is_paid_then_shipped_and_in_no_other_order():
    ada = make_user()
    order = make_order(ada)
    with pytest.raises(errors.OrderFrozen, match="It must be paid"):
        ship_order(user=ada, order=order)
    mark_order_paid(user=ada, order=order)
    with pytest.raises(errors.OrderFrozen, match="It must be placed"):
        mark_order_paid(user=ada, order=order)
    assert ship_order(user=ada, order=order).status == "shipped"


def test_changed_quantities_move_the_difference_only():
    ada = make_user()
    for sku in ("SKU0001", "SKU0002", "SKU0003"):
        make_product(sku, stock=5)
    order = make_order(ada, ("SKU0001", 3), ("SKU0002", 2))
    set_order_quantities(user=ada, order=order, quantities={"SKU0001": 5, "SKU0002": 0, "SKU0003": 1})
    assert [stock_of(sku) for sku in ("SKU0001", "SKU0002", "SKU0003")] == [0, 5, 4]
    assert dict(order.lines.values_list("product__sku", "quantity")) == {"SKU0001": 5, "SKU0003": 1}


def test_quantities_beyond_the_stock_change_nothing():
    ada = make_user()
    make_product("SKU0001", stock=5)
    make_product("SKU0002", stock=5)
    order = make_order(ada, ("SKU0001", 3))
    with pytest.raises(errors.InsufficientStock, match="Only 2 of SKU0001 are in stock and 3 were asked"):
        set_order_quantities(user=ada, order=order, quantities={"SKU0002": 1, "SKU0001": 6})
    assert (stock_of("SKU0001"), stock_of("SKU0002")) == (2, 5)


@pytest.mark.parametrize("status", ["shipped", "cancelled"])
def test_the_lines_of_a_closed_order_stay(status):
    ada = make_user()
    order = make_order(ada, status=status)
    with pytest.raises(errors.OrderFrozen):
        set_order_quantities(user=ada, order=order, quantities={"SKU0043": 2})


def test_an_adjustment_changes_the_stock_and_says_who_and_why():
    ada = make_user()
    make_product("SKU0001", stock=5)
    adjustment = adjust_stock(user=ada, sku="sku0001", delta=-5, reason="damage", note="Water")
    assert (adjustment.product.sku, adjustment.delta, adjustment.reason) == ("SKU0001", -5, "damage")
    assert (adjustment.note, adjustment.adjusted_by) == ("Water", ada)
    assert adjustment.pk
    assert stock_of("SKU0001") == 0


@pytest.mark.parametrize(
    ("change", "error", "field", "said"),
    [
        ({"delta": 0}, errors.InvalidDelta, "delta", "not 0"),
        ({"delta": 2.0}, errors.InvalidDelta, "delta", "whole number"),
        ({"delta": 10**9}, errors.InvalidDelta, "delta", "1000000"),
        ({"delta": -6}, errors.StockOutOfRange, "delta", "from -5 to 999995"),
        ({"delta": 1_000_000}, errors.StockOutOfRange, "delta", "from -5 to 999995"),
        ({"reason": "theft"}, errors.InvalidReason, "reason", "delivery, sale, cancellation, correction, damage"),
        ({"sku": "NOPE"}, errors.UnknownSku, "sku", '"NOPE"'),
        ({"note": "x" * 501}, errors.InvalidNote, "note", "at most 500"),
    ],
)
def test_a_bad_adjustment_is_refused_and_writes_nothing(change, error, field, said):
    make_product("SKU0001", stock=5)
    given = {"sku": "SKU0001", "delta": 1, "reason": "delivery"} | change
    with pytest.raises(error) as refusal:
        adjust_stock(user=make_user(), **given)
    assert said in str(refusal.value)
    assert refusal.value.field == field
    assert stock_of("SKU0001") == 5
    assert not StockAdjustment.objects.exists()


def test_opening_stock_is_a_delivery():
    ada = make_user()
    template = make_product("SKU0001")
    new = Product(sku="SKU0002", name="Pine desk", category=template.category, price=Decimal(99), stock=7)
    create_product(user=ada, product=new)
    assert stock_of("SKU0002") == 7
    assert list(new.adjustments.values_list("delta", "reason")) == [(7, "delivery")]


def test_a_price_change_does_not_write_back_old_stock():
    make_product("SKU0001", stock=5)
    stale = Product.objects.get(sku="SKU0001")
    adjust_stock(user=make_user(), sku="SKU0001", delta=-2, reason="damage")
    stale.price = Decimal("1.00")
    stale.save()
    fresh = Product.objects.get(sku="SKU0001")
    assert (fresh.price, fresh.stock) == (Decimal("1.00"), 3)


def test_totals_come_from_the_database_in_one_query(django_assert_num_queries):
    ada = make_user()
    make_product("SKU0001", price=Decimal("0.10"))
    make_product("SKU0002", price=Decimal("19.99"))
    for _ in range(3):
        make_order(ada, ("SKU0001", 3), ("SKU0002", 1))
    Order.objects.create(owner=ada)
    with django_assert_num_queries(1):
        totals = [(order.total, order.units) for order in Order.objects.with_totals().order_by("pk")]
    assert totals == [(Decimal("20.29"), 4)] * 3 + [(Decimal("0.00"), 0)]
    assert {str(total) for total, _ in totals} == {"20.29", "0.00"}


def test_orders_are_visible_to_their_owner_and_to_holders_of_the_permission():
    ada, grace = make_user("ada"), make_user("grace")
    chief = make_user("chief", "shop.view_all_orders")
    gone = make_user("gone", "shop.view_all_orders", active=False)
    make_order(ada)
    make_order(grace)
    make_order(gone)
    assert [order.owner for order in Order.objects.visible_to(ada)] == [ada]
    assert Order.objects.visible_to(chief).count() == 3
    assert Order.objects.visible_to(gone).count() == 0


def at_once(*calls: Callable[[], object]) -> list[object]:
    """Run the calls on threads that start together; return each one's result or ShopError."""
    start, results = threading.Barrier(len(calls)), []

    def run(call: Callable[[], object]) -> None:
        start.wait(timeout=10)
        try:
            results.append(call())
        except errors.ShopError as error:
            results.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    return results


@pytest.mark.django_db(transaction=True)
def test_two_buyers_of_the_last_item_get_one():
    make_product("SKU0001", stock=1)
    buyers = [make_user("ada"), make_user("grace")]
    results = at_once(*(lambda user=user: place_order(user=user, items=[("SKU0001", 1)]) for user in buyers))
    assert sorted(type(result).__name__ for result in results) == ["InsufficientStock", "Order"]
    assert stock_of("SKU0001") == 0
    assert Order.objects.count() == OrderLine.objects.count() == StockAdjustment.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_order_cancelled_twice_at_once_gives_its_stock_back_once():
    ada = make_user()
    make_product("SKU0001", stock=5)
    order = make_order(ada, ("SKU0001", 3))
    results = at_once(*(lambda: cancel_order(user=ada, order=order) for _ in range(2)))
    assert sorted(type(result).__name__ for result in results) == ["Order", "OrderNotCancellable"]
    assert stock_of("SKU0001") == 5


@pytest.mark.django_db(transaction=True)
def test_many_buyers_in_opposite_order_neither_deadlock_nor_lose_a_unit():
    for sku in ("SKU0001", "SKU0002"):
        make_product(sku, stock=100)
    ada = make_user()
    pairs = [("SKU0001", 1), ("SKU0002", 1)]
    calls = [lambda n=n: place_order(user=ada, items=pairs if n % 2 else pairs[::-1]) for n in range(8)]
    assert {type(result).__name__ for result in at_once(*calls)} == {"Order"}
    assert (stock_of("SKU0001"), stock_of("SKU0002")) == (92, 92)
    assert StockAdjustment.objects.aggregate(moved=Sum("delta"))["moved"] == -16
