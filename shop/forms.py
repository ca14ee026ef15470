"""The rules people meet in forms: every refusal is said beside the field, before anything is written."""

from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import transaction
from django.forms.formsets import DELETION_FIELD_NAME

from shop import errors
from shop.models import MAX_STOCK, Order, OrderLine, Product, StockAdjustment, Supplier
from shop.services import check_available


class ProductForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Product
        fields = [
            "sku", "name", "description", "category", "supplier", "tags", "price", "stock", "reorder_level", "status",
            "attributes", "launched_on", "datasheet",
        ]  # fmt: skip

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("status") == Product.Status.DISCONTINUED and cleaned.get("reorder_level"):
            self.add_error("reorder_level", "A discontinued product is not ordered again: set this to 0.")
        return cleaned


class SupplierForm(forms.ModelForm):  # type: ignore[type-arg]
    website = forms.URLField(required=False, max_length=200, assume_scheme="https")

    class Meta:
        model = Supplier
        fields = ["name", "email", "website", "lead_time_days"]


class StockAdjustmentForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = StockAdjustment
        fields = ["product", "delta", "reason", "note"]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        product, delta = cleaned.get("product"), cleaned.get("delta")
        if product is None or delta is None:
            return cleaned
        # Locked until the admin's transaction ends, so that what is checked here still holds when it is saved.
        with transaction.atomic():
            stock = Product.objects.select_for_update().get(pk=product.pk).stock
        if not delta:
            self.add_error("delta", str(errors.InvalidDelta(MAX_STOCK)))
        elif not 0 <= stock + delta <= MAX_STOCK:
            self.add_error("delta", str(errors.StockOutOfRange(product.sku, stock=stock, delta=delta, limit=MAX_STOCK)))
        return cleaned


class RestockForm(forms.Form):
    sku = forms.CharField(label="SKU", max_length=20)
    quantity = forms.IntegerField(min_value=1, max_value=MAX_STOCK, help_text="Units delivered.")
    note = forms.CharField(max_length=500, required=False)


class PercentForm(forms.Form):
    percent = forms.DecimalField(
        max_digits=5,
        decimal_places=2,
        validators=[MinValueValidator(-90), MaxValueValidator(500)],
        help_text="10 raises the prices by ten percent, -10 lowers them; from -90 to 500.",
    )

    def clean_percent(self) -> Any:
        if self.cleaned_data["percent"] == 0:
            raise forms.ValidationError(str(errors.InvalidPercent()))
        return self.cleaned_data["percent"]


class OrderLineForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = OrderLine
        fields = ["product", "quantity"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Another product is another line with a price of its own: delete this one and add it.
        if self.instance.pk and "product" in self.fields:
            self.fields["product"].disabled = True


class OrderLineFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]
    """The lines of an order, checked against the stock that is there while they are being saved."""

    def clean(self) -> None:
        super().clean()
        if any(self.errors):
            return
        with transaction.atomic():
            self._check_open()
            if self.has_changed():
                self._check_stock()

    def quantities(self) -> dict[str, int]:
        """Return what was changed: the quantity of each SKU, 0 for a line to be deleted."""
        changed = [form for form in self.forms if form.has_changed() and form.instance.product_id]
        gone = [form for form in changed if form.cleaned_data.get(DELETION_FIELD_NAME)]
        kept = [form for form in changed if form not in gone]
        quantities = {form.instance.product.sku: 0 for form in gone if form.instance.pk}
        return quantities | {form.instance.product.sku: form.cleaned_data["quantity"] for form in kept}

    def _check_open(self) -> None:
        order = Order.objects.select_for_update().filter(pk=self.instance.pk).first()
        if order is not None and not order.is_open:
            raise forms.ValidationError(str(errors.OrderFrozen(order.number, order.status, allowed=["placed", "paid"])))

    def _check_stock(self) -> None:
        wanted = self.quantities()
        products = {p.sku: p for p in Product.objects.select_for_update().filter(sku__in=wanted).order_by("pk")}
        had = dict(OrderLine.objects.filter(order=self.instance.pk).values_list("product__sku", "quantity"))
        for form in self.forms:
            sku = form.instance.product.sku if form.instance.product_id else ""
            more = wanted.get(sku, 0) - had.get(sku, 0)
            if more > 0:
                try:
                    check_available(products[sku], asked=more)
                except errors.ShopError as error:
                    form.add_error("quantity", str(error))
