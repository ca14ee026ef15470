"""The shop's pages: the catalogue, one's orders, and a few things for the staff."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required, user_passes_test
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import Q, QuerySet
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.generic import DetailView, ListView

from shop import services
from shop.errors import ShopError
from shop.forms import RestockForm
from shop.models import Order, Product


class ProductList(LoginRequiredMixin, ListView):  # type: ignore[type-arg]
    """What is sold, searched by `q`."""

    paginate_by = 20
    template_name = "shop/product_list.html"

    def get_queryset(self) -> QuerySet[Product]:
        products = Product.objects.select_related("category").exclude(status=Product.Status.DRAFT)
        q = self.request.GET.get("q", "").replace("\x00", "").strip()
        found: QuerySet[Product] = products.filter(Q(sku__iexact=q) | Q(name__icontains=q)) if q else products
        return found

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(q=self.request.GET.get("q", ""), **kwargs)


class ProductDetail(LoginRequiredMixin, DetailView):  # type: ignore[type-arg]
    queryset = Product.objects.select_related("category", "supplier").exclude(status=Product.Status.DRAFT)
    slug_field = slug_url_kwarg = "sku"
    template_name = "shop/product_detail.html"


class OrderList(LoginRequiredMixin, ListView):  # type: ignore[type-arg]
    """The orders the user may see: their own, or everyone's for those in charge."""

    paginate_by = 20
    template_name = "shop/order_list.html"

    def get_queryset(self) -> QuerySet[Order]:
        orders: QuerySet[Order] = Order.objects.visible_to(self.request.user).for_reading()
        return orders


class OrderDetail(LoginRequiredMixin, DetailView):  # type: ignore[type-arg]
    slug_field = slug_url_kwarg = "number"
    template_name = "shop/order_detail.html"

    def get_queryset(self) -> QuerySet[Order]:
        orders: QuerySet[Order] = Order.objects.visible_to(self.request.user).for_reading()
        return orders


@login_required
@require_POST
def cancel_order(request: Any, number: str) -> HttpResponse:
    """Cancel an order that is placed or paid."""
    order = get_object_or_404(Order.objects.visible_to(request.user), number=number)
    try:
        services.cancel_order(user=request.user, order=order)
        messages.success(request, f"{order.number} is cancelled.")
    except ShopError as error:
        messages.error(request, str(error))
    return redirect(order)


@login_required
@require_http_methods(["GET", "HEAD"])
def stock_level(request: HttpRequest, sku: str) -> JsonResponse:
    """Tell how many of a product are in stock."""
    product = get_object_or_404(Product.objects.exclude(status=Product.Status.DRAFT), sku=sku)
    return JsonResponse({"sku": sku, "stock": product.stock, "low": product.is_low_on_stock, "status": product.status})


@permission_required("shop.add_stockadjustment", raise_exception=True)
@require_http_methods(["GET", "HEAD", "POST"])
def restock(request: Any) -> HttpResponse:
    """Record a delivery."""
    form = RestockForm(request.POST or None, initial={"sku": request.GET.get("sku", "")})
    if form.is_valid():
        sku, units, note = (form.cleaned_data[name] for name in ("sku", "quantity", "note"))
        try:
            made = services.adjust_stock(user=request.user, sku=sku, delta=units, reason="delivery", note=note)
        except ShopError as error:
            form.add_error({"delta": "quantity"}.get(error.field, error.field), str(error))
        else:
            messages.success(request, f"{made.product.sku} now has {made.product.stock} in stock.")
            return redirect("shop:restock")
    return render(request, "shop/restock.html", {"form": form})


@user_passes_test(lambda user: user.is_active and user.is_staff)
@require_safe
def reorder_list(request: HttpRequest) -> HttpResponse:
    """List what to order again, for the staff."""
    low = Product.objects.low_on_stock().select_related("supplier")
    return render(request, "shop/reorder_list.html", {"products": low})


@permission_required("shop.view_product", raise_exception=True)
@require_safe
def datasheet(request: HttpRequest, name: str) -> FileResponse:
    """Download a datasheet; never shown inside the page, whatever is in it."""
    product = get_object_or_404(Product, datasheet=f"datasheets/{name}")
    return FileResponse(product.datasheet.open("rb"), as_attachment=True, filename=name)
