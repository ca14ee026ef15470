"""The questions asked of products and orders: totals, scope, low stock."""

from decimal import Decimal
from typing import Any, Self

from django.contrib.auth.models import AnonymousUser, User
from django.db import models
from django.db.models import DecimalField, F, OuterRef, Q, Subquery, Sum, Value
from django.db.models.functions import Coalesce


class _EurosField(DecimalField):  # type: ignore[type-arg]
    """A computed amount: SQLite reckons in floats, so what comes back is rounded to cents."""

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Decimal | None:
        return None if value is None else Decimal(value).quantize(Decimal("0.01"))


MONEY = _EurosField(max_digits=16, decimal_places=2)


class ProductQuerySet(models.QuerySet[Any]):
    def low_on_stock(self) -> Self:
        """Return what should be ordered again: at or below the reorder level and not discontinued."""
        return self.filter(stock__lte=F("reorder_level")).exclude(status="discontinued")

    def with_low_stock(self) -> Self:
        """Annotate `low_stock`, the same rule as a column."""
        low = Q(stock__lte=F("reorder_level")) & ~Q(status="discontinued")
        return self.annotate(low_stock=models.ExpressionWrapper(low, output_field=models.BooleanField()))

    def with_stock_value(self) -> Self:
        return self.annotate(stock_value=models.ExpressionWrapper(F("stock") * F("price"), output_field=MONEY))


class OrderQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Return the user's own orders, or all of them for holders of shop.view_all_orders."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if user.has_perm("shop.view_all_orders"):
            return self.all()
        return self.filter(owner_id=user.pk)

    def with_totals(self) -> Self:
        """Annotate `total` (euros) and `units`; by subquery, so that no other join multiplies them."""
        lines = (
            self.model._meta.get_field("lines").related_model._default_manager.filter(order=OuterRef("pk")).order_by()
        )
        summed = lines.values("order").annotate(
            sum=Sum(F("quantity") * F("unit_price"), output_field=MONEY), units=Sum("quantity")
        )
        return self.annotate(
            total=Coalesce(Subquery(summed.values("sum")), Value(Decimal("0.00")), output_field=MONEY),
            units=Coalesce(Subquery(summed.values("units")), 0),
        )

    def for_reading(self) -> Self:
        """Bring along what is shown of an order, in a constant number of queries."""
        return self.with_totals().select_related("owner").prefetch_related("lines__product")
