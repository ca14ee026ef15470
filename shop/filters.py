"""What the API's lists can be narrowed to."""

from typing import Any

import django_filters
from django.db.models import QuerySet

from shop.models import Order, Product, StockAdjustment


class ProductFilter(django_filters.FilterSet):
    min_price = django_filters.NumberFilter(field_name="price", lookup_expr="gte", min_value=0)
    max_price = django_filters.NumberFilter(field_name="price", lookup_expr="lte", min_value=0)
    in_stock = django_filters.BooleanFilter(method="filter_in_stock", label="Whether any unit is in stock")
    launched_after = django_filters.DateFilter(field_name="launched_on", lookup_expr="gte")

    class Meta:
        model = Product
        fields = ["category", "supplier", "tags", "status"]

    def filter_in_stock(self, queryset: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        return queryset.filter(stock__gt=0) if value else queryset.filter(stock=0)


class OrderFilter(django_filters.FilterSet):
    placed = django_filters.IsoDateTimeFromToRangeFilter(field_name="placed_at")

    class Meta:
        model = Order
        fields = ["status"]


class StockAdjustmentFilter(django_filters.FilterSet):
    sku = django_filters.CharFilter(field_name="product__sku", lookup_expr="iexact")

    class Meta:
        model = StockAdjustment
        fields = ["product", "reason"]
