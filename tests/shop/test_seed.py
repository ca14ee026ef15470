"""The demo rows: plausible, the same every time, and never made twice."""

from io import StringIO

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.db.models import F, Sum
from django.db.models.functions import Coalesce

from shop.models import Category, Order, OrderLine, Product, StockAdjustment, Supplier, Tag

pytestmark = pytest.mark.django_db


def seed(**options: int) -> str:
    out = StringIO()
    call_command("seed_shop", stdout=out, **options)
    return out.getvalue()


def rows() -> list[int]:
    kinds = [Category, Supplier, Tag, Product, Order, OrderLine, StockAdjustment, User, Group]
    return [kind.objects.count() for kind in kinds]


def test_the_shop_is_filled_and_a_second_run_changes_nothing():
    assert "Made 2 groups, 4 users" in seed()
    assert (Product.objects.count(), Order.objects.count()) == (200, 60)
    before = rows(), list(Product.objects.values())
    assert seed() == "Nothing to do: the shop is seeded already.\n"
    assert (rows(), list(Product.objects.values())) == before


def test_asking_for_more_adds_only_the_difference():
    seed(products=20, orders=5)
    first = list(Product.objects.values_list("sku", "name", "price", "stock"))
    assert "10 products" in seed(products=30, orders=6)
    assert list(Product.objects.values_list("sku", "name", "price", "stock"))[:20] == first
    assert Order.objects.count() == 6


def test_every_row_is_valid_and_names_repeat_nowhere():
    seed()
    for kind in (Category, Supplier, Tag, Product, Order, OrderLine, StockAdjustment):
        for row in kind.objects.all():
            row.full_clean()
    assert len(set(Product.objects.values_list("name", flat=True))) == 200
    assert all(order.number == Order.number_for(order.pk) for order in Order.objects.all())


def test_the_history_adds_up_to_the_stock_also_when_orders_come_later():
    seed(products=60, orders=10)
    seed(products=60, orders=30)
    moved = Product.objects.annotate(moved=Coalesce(Sum("adjustments__delta"), 0))
    assert not moved.exclude(stock=F("moved")).exists()


def test_the_demo_user_manages_the_shop_and_has_no_password():
    seed(products=1, orders=0)
    demo = User.objects.get(username="demo")
    assert (demo.is_staff, demo.is_superuser, demo.has_usable_password()) == (True, False, False)
    assert demo.has_perms(["shop.change_order", "shop.view_all_orders", "shop.add_stockadjustment"])
    mara = User.objects.get(username="mara")
    assert mara.has_perm("shop.view_product")
    assert not mara.has_perm("shop.view_all_orders")
    assert not mara.has_perm("shop.change_product")


def test_a_bad_number_is_refused():
    with pytest.raises(CommandError, match="from 0 to 1000000"):
        seed(products=-1)
