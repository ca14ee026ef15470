"""What the shop knows: the catalogue, the stock's history and the orders."""

import uuid
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import FileExtensionValidator, MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models, transaction
from django.urls import reverse
from django.utils import timezone

from shop.querysets import OrderQuerySet, ProductQuerySet

MAX_STOCK = 1_000_000
MAX_DATASHEET_BYTES = 2 * 1024 * 1024
SKU_PATTERN = r"^[A-Z0-9-]+\Z"


def validate_datasheet_size(file: Any) -> None:
    if file.size > MAX_DATASHEET_BYTES:
        raise ValidationError("The file is larger than 2 MB. Upload a smaller one.", code="file_too_large")


def validate_object(value: Any) -> None:
    if not isinstance(value, dict):
        raise ValidationError('Give a JSON object, for example {"colour": "oak"}.', code="not_an_object")


class Category(models.Model):
    name = models.CharField(max_length=80, unique=True)
    slug = models.SlugField(max_length=80, unique=True, help_text="Short name used in addresses, made from the name.")
    description = models.TextField(blank=True, max_length=2000)
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="children")

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        above, seen = self.parent, set()
        while above is not None and above.pk not in seen:
            if above.pk == self.pk:
                raise ValidationError({"parent": "A category cannot stand below itself. Choose another parent."})
            seen.add(above.pk)
            above = above.parent


class Supplier(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120, unique=True)
    email = models.EmailField()
    website = models.URLField(blank=True)
    lead_time_days = models.PositiveSmallIntegerField(
        "lead time", default=7, validators=[MaxValueValidator(365)], help_text="Days from order to delivery, 0 to 365."
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Tag(models.Model):
    name = models.CharField(max_length=40, unique=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Product(models.Model):
    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        ACTIVE = "active", "Active"
        DISCONTINUED = "discontinued", "Discontinued"

    sku = models.CharField(
        "SKU",
        max_length=20,
        unique=True,
        validators=[RegexValidator(SKU_PATTERN, "Use capital letters, digits and hyphens only, for example SKU0043.")],
        help_text="Stock keeping unit: capital letters, digits and hyphens, for example SKU0043.",
    )
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True, max_length=4000)
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="products")
    supplier = models.ForeignKey(Supplier, on_delete=models.SET_NULL, null=True, blank=True, related_name="products")
    tags = models.ManyToManyField(Tag, blank=True, related_name="products")
    price = models.DecimalField(
        max_digits=10, decimal_places=2, validators=[MinValueValidator(Decimal("0.01"))], help_text="In euros."
    )
    stock = models.PositiveIntegerField(
        default=0,
        validators=[MaxValueValidator(MAX_STOCK)],
        help_text="Units on the shelf; changed by adjustments only.",
    )
    reorder_level = models.PositiveIntegerField(
        default=5, validators=[MaxValueValidator(MAX_STOCK)], help_text="Order more when the stock is at or below this."
    )
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.DRAFT, db_index=True)
    attributes = models.JSONField(default=dict, blank=True, validators=[validate_object])
    launched_on = models.DateField(null=True, blank=True, help_text="Required for an active product.")
    datasheet = models.FileField(
        upload_to="datasheets/",
        blank=True,
        validators=[FileExtensionValidator(["pdf", "txt", "csv"]), validate_datasheet_size],
        help_text="A pdf, txt or csv file of at most 2 MB.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ProductQuerySet.as_manager()

    class Meta:
        ordering = ["sku"]
        constraints = [
            models.CheckConstraint(condition=models.Q(price__gte=Decimal("0.01")), name="product_price_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.sku} {self.name}"

    def save(self, *, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        # Someone who edits a price must not write back the stock they read before a sale: only a save which
        # names the stock, as the services' do under a lock, changes it.
        if update_fields is None and not self._state.adding and not kwargs.get("force_insert"):
            loaded = {field.attname for field in self._meta.concrete_fields} - self.get_deferred_fields()
            update_fields = loaded - {"id", "stock", "created_at"}
        super().save(update_fields=update_fields, **kwargs)

    def get_absolute_url(self) -> str:
        return reverse("shop:product", kwargs={"sku": self.sku})

    def clean(self) -> None:
        if self.status == self.Status.ACTIVE and self.launched_on is None:
            raise ValidationError({"launched_on": "An active product needs a launch date (YYYY-MM-DD)."})

    @property
    def is_low_on_stock(self) -> bool:
        return self.status != self.Status.DISCONTINUED and self.stock <= self.reorder_level


class StockAdjustment(models.Model):
    class Reason(models.TextChoices):
        DELIVERY = "delivery", "Delivery"
        SALE = "sale", "Sale"
        CANCELLATION = "cancellation", "Cancellation"
        CORRECTION = "correction", "Correction"
        DAMAGE = "damage", "Damage"

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="adjustments")
    delta = models.IntegerField(help_text="Units added (positive) or taken away (negative); never 0.")
    reason = models.CharField(max_length=12, choices=Reason.choices)
    note = models.CharField(max_length=500, blank=True)
    adjusted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="stock_adjustments"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [models.CheckConstraint(condition=~models.Q(delta=0), name="adjustment_is_not_zero")]

    def __str__(self) -> str:
        return f"{self.delta:+d} {self.product.sku} ({self.reason})"


class Order(models.Model):
    class Status(models.TextChoices):
        PLACED = "placed", "Placed"
        PAID = "paid", "Paid"
        SHIPPED = "shipped", "Shipped"
        CANCELLED = "cancelled", "Cancelled"

    number = models.CharField(max_length=36, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="orders")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PLACED, db_index=True)
    note = models.CharField(max_length=500, blank=True)
    placed_at = models.DateTimeField(default=timezone.now, editable=False)
    cancelled_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = OrderQuerySet.as_manager()

    class Meta:
        ordering = ["-placed_at", "-id"]
        indexes = [models.Index(fields=["owner", "-placed_at"]), models.Index(fields=["-placed_at", "-id"])]
        permissions = [("view_all_orders", "Can see the orders of everyone")]

    def __str__(self) -> str:
        return self.number

    def save(self, **kwargs: Any) -> None:
        if self.number:
            super().save(**kwargs)
            return
        # The number comes from the primary key, so that two orders placed at once never get the same one.
        with transaction.atomic():
            self.number = str(uuid.uuid4())
            super().save(**kwargs)
            self.number = self.number_for(self.pk)
            super().save(update_fields=["number"])

    def get_absolute_url(self) -> str:
        return reverse("shop:order", kwargs={"number": self.number})

    @staticmethod
    def number_for(pk: int) -> str:
        return f"ORD-{pk:06d}"

    @property
    def is_open(self) -> bool:
        """Tell whether the order can still be changed: not once it is shipped or cancelled."""
        return self.status in (self.Status.PLACED, self.Status.PAID)


class OrderLine(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="order_lines")
    quantity = models.PositiveIntegerField(validators=[MinValueValidator(1), MaxValueValidator(MAX_STOCK)])
    unit_price = models.DecimalField(max_digits=10, decimal_places=2, help_text="In euros, as it was when ordered.")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["order", "product"], name="one_line_per_product"),
            models.CheckConstraint(condition=models.Q(quantity__gte=1), name="line_quantity_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.product.sku}"

    @property
    def total(self) -> Decimal:
        return self.quantity * self.unit_price
