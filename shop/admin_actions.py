"""What can be done to the ticked rows of the admin's lists."""

import csv
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from shop import services
from shop.errors import ShopError
from shop.forms import PercentForm
from shop.models import Order


@admin.action(description="Mark as discontinued", permissions=["change"])
def mark_discontinued(model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> None:
    chosen = list(queryset.values_list("pk", flat=True))
    done = services.discontinue(product_ids=chosen)
    if done:
        names = ", ".join(product.sku for product in done)
        model_admin.message_user(request, f"Marked as discontinued: {names}.", messages.SUCCESS)
    if skipped := len(chosen) - len(done):
        model_admin.message_user(request, f"{skipped} already discontinued: nothing to do.", messages.WARNING)


@admin.action(description="Change price by percent…", permissions=["change"])
def change_price(model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
    form = PercentForm(request.POST if "apply" in request.POST else None)
    if form.is_valid():
        percent = form.cleaned_data["percent"]
        try:
            done = services.change_prices(product_ids=queryset.values_list("pk", flat=True), percent=percent)
        except ShopError as error:
            form.add_error("percent", str(error))
        else:
            model_admin.message_user(request, f"Changed {len(done)} prices by {percent} %.", messages.SUCCESS)
            return None
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Change price by percent",
        "opts": model_admin.opts,
        "products": queryset,
        "form": form,
        "checkbox_name": ACTION_CHECKBOX_NAME,
        "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
        "select_across": request.POST.get("select_across", "0"),
    }
    return TemplateResponse(request, "shop/admin/change_price.html", context)


@admin.action(description="Export as CSV", permissions=["view"])
def export_csv(model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
    fields = [field.name for field in model_admin.model._meta.concrete_fields]
    name = model_admin.opts.model_name
    headers = {"Content-Disposition": f'attachment; filename="{name}s.csv"'}
    response = HttpResponse(content_type="text/csv; charset=utf-8", headers=headers)
    writer = csv.writer(response)
    writer.writerow(fields)
    for row in queryset:
        writer.writerow([_cell(getattr(row, field)) for field in fields])
    return response


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    # A spreadsheet would run text that begins like a formula.
    return f"'{text}" if isinstance(value, str) and text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


@admin.action(description="Mark as paid", permissions=["change"])
def mark_paid(model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> None:
    _each_order(model_admin, request, queryset, services.mark_order_paid, "Marked as paid")


@admin.action(description="Mark as shipped", permissions=["change"])
def mark_shipped(model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> None:
    _each_order(model_admin, request, queryset, services.ship_order, "Marked as shipped")


@admin.action(description="Cancel and put back into stock", permissions=["change"])
def cancel_orders(model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> None:
    _each_order(model_admin, request, queryset, services.cancel_order, "Cancelled")


def _each_order(
    model_admin: Any, request: HttpRequest, queryset: QuerySet[Any], service: Callable[..., Order], done: str
) -> None:
    """Do it to every order that allows it; say which did and why the others did not."""
    numbers = []
    for order in queryset.order_by("pk"):
        try:
            numbers.append(service(user=request.user, order=order).number)
        except ShopError as error:
            model_admin.message_user(request, str(error), messages.WARNING)
    if numbers:
        model_admin.message_user(request, f"{done}: {', '.join(numbers)}.", messages.SUCCESS)
