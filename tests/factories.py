"""Plain functions that make what many tests need: a user, a product, an order."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import Permission, User
from django.core.management.color import no_style
from django.db import connection, models
from django.utils.timezone import now

from shop.models import Category, Order, Product
from shop.services import place_order


def make_user(
    username: str = "ada",
    *permissions: str,
    superuser: bool = False,
    staff: bool = False,
    active: bool = True,
    password: str | None = None,
) -> User:
    """Make a user who holds the permissions named like "shop.view_product"."""
    user = User.objects.create_user(
        username,
        f"{username}@example.com",
        password,
        is_staff=staff or superuser,
        is_superuser=superuser,
        is_active=active,
    )
    for name in permissions:
        app_label, codename = name.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app_label, codename=codename))
    return user


def make_product(sku: str = "SKU0043", **fields: Any) -> Product:
    """Make an active product with 10 in stock at 249.00, in the category Desks unless told otherwise."""
    if "category" not in fields:
        fields["category"], _ = Category.objects.get_or_create(slug="desks", defaults={"name": "Desks"})
    defaults = {"name": "Oak desk", "price": Decimal("249.00"), "stock": 10, "status": "active"}
    defaults["launched_on"] = now().date()
    return Product.objects.create(sku=sku, **(defaults | fields))


def make_order(owner: User, *items: tuple[str, int], status: str = "placed", note: str = "") -> Order:
    """Place an order of (sku, quantity) pairs (default: one SKU0043, made if need be) and give it the status."""
    if not items and not Product.objects.filter(sku="SKU0043").exists():
        make_product()
    wanted: Iterable[tuple[str, int]] = items or [("SKU0043", 1)]
    order = place_order(user=owner, items=wanted, note=note)
    if status != "placed":
        order.status = status
        order.cancelled_at = now() if status == "cancelled" else None
        order.save()
    return order


def count_on(*made: type[models.Model]) -> None:
    """After rows were made with keys of their own: let PostgreSQL count on from them, not from its last."""
    with connection.cursor() as cursor:
        for sql in connection.ops.sequence_reset_sql(no_style(), made):
            cursor.execute(sql)
