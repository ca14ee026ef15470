"""The shop's back office."""

from decimal import Decimal
from typing import Any, cast

from django.contrib import admin
from django.db.models import Count, F, QuerySet
from django.http import HttpRequest

from shop import services
from shop.admin_actions import cancel_orders, change_price, export_csv, mark_discontinued, mark_paid, mark_shipped
from shop.forms import OrderLineForm, OrderLineFormSet, ProductForm, StockAdjustmentForm, SupplierForm
from shop.models import Category, Order, OrderLine, Product, StockAdjustment, Supplier, Tag


class CountsProducts(admin.ModelAdmin):  # type: ignore[type-arg]
    """A list with how many products belong to each row."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: Any = super().get_queryset(request)
        return cast(QuerySet[Any], rows.annotate(product_count=Count("products", distinct=True)))

    @admin.display(description="products", ordering="product_count")
    def product_count(self, row: Any) -> int:
        return int(row.product_count)


@admin.register(Category)
class CategoryAdmin(CountsProducts):
    list_display = ["name", "parent", "product_count"]
    list_select_related = ["parent"]
    search_fields = ["name", "slug"]
    autocomplete_fields = ["parent"]
    prepopulated_fields = {"slug": ["name"]}


@admin.register(Supplier)
class SupplierAdmin(CountsProducts):
    form = SupplierForm
    list_display = ["name", "email", "lead_time_days", "product_count"]
    list_filter = ["lead_time_days"]
    search_fields = ["name", "email"]


@admin.register(Tag)
class TagAdmin(CountsProducts):
    list_display = ["name", "product_count"]
    search_fields = ["name"]


class StockLevelFilter(admin.SimpleListFilter):
    title = "stock level"
    parameter_name = "level"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("out", "Out of stock"), ("low", "At or below the reorder level"), ("fine", "Enough")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "out":
                return queryset.filter(stock=0)
            case "low":
                return queryset.filter(stock__lte=F("reorder_level"))
            case "fine":
                return queryset.filter(stock__gt=F("reorder_level"))
        return queryset


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = ProductForm
    list_display = ["sku", "name", "category", "supplier", "price", "stock", "stock_value", "low_stock", "status"]
    list_filter = ["status", StockLevelFilter, "category", "supplier", "tags"]
    list_select_related = ["category", "supplier"]
    list_per_page = 50
    search_fields = ["sku", "name", "description"]
    date_hierarchy = "launched_on"
    autocomplete_fields = ["category", "supplier", "tags"]
    readonly_fields = ["stock_value", "created_at", "updated_at"]
    fieldsets = [
        (None, {"fields": ["sku", "name", "description", "category", "supplier", "tags"]}),
        ("Sale", {"fields": ["status", "launched_on", "price"]}),
        ("Stock", {"fields": ["stock", "reorder_level", "stock_value"]}),
        ("Details", {"fields": ["attributes", "datasheet", "created_at", "updated_at"], "classes": ["collapse"]}),
    ]
    actions = [mark_discontinued, change_price, export_csv]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        products: Any = super().get_queryset(request)
        return cast(QuerySet[Any], products.with_stock_value().with_low_stock())

    def get_readonly_fields(self, request: HttpRequest, obj: Product | None = None) -> list[str]:
        # The stock of a product that exists changes by adjustments, which say who and why.
        return [*self.readonly_fields, *(["stock"] if obj else [])]

    def save_model(self, request: Any, obj: Product, form: Any, change: bool) -> None:
        if change:
            obj.save()
        else:
            services.create_product(user=request.user, product=obj)

    @admin.display(description="stock value", ordering="stock_value")
    def stock_value(self, product: Any) -> Decimal | None:
        return getattr(product, "stock_value", None)

    @admin.display(description="low?", boolean=True, ordering="low_stock")
    def low_stock(self, product: Any) -> bool:
        return bool(product.low_stock)


@admin.register(StockAdjustment)
class StockAdjustmentAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The history of the stock: added to, never rewritten."""

    form = StockAdjustmentForm
    list_display = ["created_at", "product", "delta", "reason", "adjusted_by", "note"]
    list_filter = ["reason", ("adjusted_by", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["product", "adjusted_by"]
    search_fields = ["product__sku", "product__name", "note"]
    date_hierarchy = "created_at"
    autocomplete_fields = ["product"]
    fields = ["product", "delta", "reason", "note", "adjusted_by", "created_at"]
    readonly_fields = ["adjusted_by", "created_at"]
    actions = [export_csv]

    def has_change_permission(self, request: HttpRequest, obj: StockAdjustment | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: StockAdjustment | None = None) -> bool:
        return False

    def save_model(self, request: Any, obj: StockAdjustment, form: Any, change: bool) -> None:
        made = services.adjust_stock(
            user=request.user, sku=obj.product.sku, delta=obj.delta, reason=obj.reason, note=obj.note
        )
        obj.pk = made.pk
        obj.refresh_from_db()


class OrderLineInline(admin.TabularInline):  # type: ignore[type-arg]
    model = OrderLine
    form = OrderLineForm
    formset = OrderLineFormSet
    fields = ["product", "quantity", "unit_price", "line_total"]
    readonly_fields = ["unit_price", "line_total"]
    autocomplete_fields = ["product"]
    extra = 0
    min_num = 1
    max_num = services.MAX_ITEMS

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("product")

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        return super().get_formset(request, obj, validate_min=True, **kwargs)

    @admin.display(description="total")
    def line_total(self, line: OrderLine) -> Decimal | None:
        return line.total if line.pk else None


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Orders as far as the user may see them; a shipped or cancelled one is only looked at."""

    list_display = ["number", "owner", "status", "units", "total", "placed_at"]
    list_filter = ["status", "placed_at", ("owner", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["owner"]
    search_fields = ["number", "note", "owner__username", "lines__product__sku"]
    date_hierarchy = "placed_at"
    autocomplete_fields = ["owner"]
    fields = ["number", "owner", "status", "note", "total", "placed_at", "cancelled_at"]
    readonly_fields = ["number", "status", "total", "placed_at", "cancelled_at"]
    inlines = [OrderLineInline]
    actions = [mark_paid, mark_shipped, cancel_orders, export_csv]

    def get_queryset(self, request: Any) -> QuerySet[Any]:
        orders: Any = super().get_queryset(request)
        return cast(QuerySet[Any], orders.visible_to(request.user).with_totals())

    def get_readonly_fields(self, request: Any, obj: Order | None = None) -> list[str]:
        # Only who is in charge of all orders places one for somebody else, and an order never changes hands.
        may_choose = obj is None and services.manages_all(request.user)
        return [*self.readonly_fields, *([] if may_choose else ["owner"])]

    def has_change_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.is_open)

    def has_delete_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:
        # A cancelled order gave its stock back; any other takes it along, so it is cancelled first.
        deletable = obj is None or obj.status == Order.Status.CANCELLED
        return super().has_delete_permission(request, obj) and deletable

    def save_model(self, request: Any, obj: Order, form: Any, change: bool) -> None:
        if change:
            # Not the status: somebody may have marked the order as paid since it was read.
            obj.save(update_fields=[name for name in form.changed_data if name in form.cleaned_data])
            return
        if obj.owner_id is None:
            obj.owner = request.user
        obj.save()

    def save_formset(self, request: Any, form: Any, formset: Any, change: bool) -> None:
        # Fills the lists the log is written from; the service writes the lines, their prices and the stock.
        formset.save(commit=False)
        if not formset.has_changed():
            return
        order = form.instance
        services.set_order_quantities(user=request.user, order=order, quantities=formset.quantities())
        lines = {line.product_id: line for line in order.lines.all()}
        for new in formset.new_objects:
            new.pk, new.unit_price = lines[new.product_id].pk, lines[new.product_id].unit_price

    @admin.display(description="total", ordering="total")
    def total(self, order: Any) -> Decimal | None:
        return getattr(order, "total", None)

    @admin.display(description="units", ordering="units")
    def units(self, order: Any) -> int:
        return int(order.units)
