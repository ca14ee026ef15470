"""The shop's rows as the API reads and writes them."""

from copy import copy
from typing import Any

from django.core.exceptions import ValidationError
from django.urls import reverse
from rest_framework import serializers

from shop import services
from shop.models import MAX_STOCK, Category, Order, OrderLine, Product, StockAdjustment, Supplier, Tag


class CleanedSerializer(serializers.ModelSerializer):
    """A serializer that asks the model's own clean(), so that one rule holds in the admin and the API."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        relations = {field.name for field in self.Meta.model._meta.many_to_many}
        row = copy(self.instance) if self.instance else self.Meta.model()
        for name in attrs.keys() - relations:
            setattr(row, name, attrs[name])
        try:
            row.clean()
        except ValidationError as error:
            raise serializers.ValidationError(serializers.as_serializer_error(error)) from error
        return attrs


class CategorySerializer(CleanedSerializer):
    class Meta:
        model = Category
        fields = ["id", "name", "slug", "description", "parent"]


class SupplierSerializer(CleanedSerializer):
    class Meta:
        model = Supplier
        fields = ["id", "name", "email", "website", "lead_time_days"]


class TagSerializer(CleanedSerializer):
    class Meta:
        model = Tag
        fields = ["id", "name"]


class DatasheetField(serializers.FileField):
    """A file that is read at the page which asks who is there."""

    def to_representation(self, value: Any) -> str | None:
        if not value:
            return None
        url = reverse("shop:datasheet", kwargs={"name": value.name.removeprefix("datasheets/")})
        request = self.context.get("request")
        return str(request.build_absolute_uri(url)) if request else url


class ProductSerializer(CleanedSerializer):
    datasheet = DatasheetField(
        required=False,
        allow_null=True,
        validators=Product._meta.get_field("datasheet").validators,
        help_text="pdf, txt or csv, 2 MB.",
    )
    low_stock = serializers.BooleanField(source="is_low_on_stock", read_only=True)

    class Meta:
        model = Product
        fields = [
            "id", "sku", "name", "description", "category", "supplier", "tags", "price", "stock", "reorder_level",
            "low_stock", "status", "attributes", "launched_on", "datasheet", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = ["created_at", "updated_at"]

    def validate_stock(self, stock: int) -> int:
        if self.instance and stock != self.instance.stock:
            raise serializers.ValidationError("The stock changes by adjustments: POST to adjust_stock instead.")
        return stock

    def create(self, validated_data: dict[str, Any]) -> Product:
        tags = validated_data.pop("tags", [])
        product = services.create_product(user=self.context["request"].user, product=Product(**validated_data))
        product.tags.set(tags)
        return product


class AdjustStockSerializer(serializers.ModelSerializer):
    """Units to add or take away, without the product that the address names."""

    class Meta:
        model = StockAdjustment
        fields = ["delta", "reason", "note"]


class StockAdjustmentSerializer(serializers.ModelSerializer):
    sku = serializers.CharField(source="product.sku", read_only=True)
    adjusted_by = serializers.CharField(source="adjusted_by.username", read_only=True)

    class Meta:
        model = StockAdjustment
        fields = ["id", "product", "sku", "delta", "reason", "note", "adjusted_by", "created_at"]
        read_only_fields = ["created_at"]

    def create(self, validated_data: dict[str, Any]) -> StockAdjustment:
        product = validated_data.pop("product")
        return services.adjust_stock(user=self.context["request"].user, sku=product.sku, **validated_data)


class OrderLineSerializer(serializers.ModelSerializer):
    sku = serializers.CharField(source="product.sku", max_length=20)
    name = serializers.CharField(source="product.name", read_only=True)
    quantity = serializers.IntegerField(min_value=1, max_value=MAX_STOCK)
    total = serializers.DecimalField(max_digits=16, decimal_places=2, read_only=True)

    class Meta:
        model = OrderLine
        fields = ["sku", "name", "quantity", "unit_price", "total"]
        read_only_fields = ["unit_price"]


class OrderSerializer(serializers.ModelSerializer):
    owner = serializers.CharField(source="owner.username", read_only=True)
    lines = OrderLineSerializer(many=True, allow_empty=False, max_length=services.MAX_ITEMS)
    total = serializers.DecimalField(max_digits=16, decimal_places=2, read_only=True)

    class Meta:
        model = Order
        fields = ["id", "number", "owner", "status", "note", "lines", "total", "placed_at", "cancelled_at"]
        read_only_fields = ["number", "status", "placed_at", "cancelled_at"]

    def create(self, validated_data: dict[str, Any]) -> Order:
        items = [(line["product"]["sku"], line["quantity"]) for line in validated_data["lines"]]
        user, note = self.context["request"].user, validated_data.get("note", "")
        order = services.place_order(user=user, items=items, note=note)
        return Order.objects.for_reading().get(pk=order.pk)


class StockReportRowSerializer(serializers.Serializer):
    category = serializers.CharField(source="category__name")
    products = serializers.IntegerField()
    units = serializers.IntegerField()
    value = serializers.DecimalField(max_digits=16, decimal_places=2, help_text="In euros.")
    low = serializers.IntegerField(help_text="Products at or below their reorder level.")
