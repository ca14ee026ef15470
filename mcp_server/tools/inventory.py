"""Tools of the stock: change it with a reason, read its history, see what to order again."""

from typing import Annotated, Any

from django.contrib.auth.models import User
from django.db.models import F
from fastmcp import FastMCP
from pydantic import Field
from typing_extensions import TypedDict

from mcp_server.classes.schema import Text
from mcp_server.context import CurrentUser
from mcp_server.orm import orm_tool
from mcp_server.permissions import READ_ONLY, UPDATE, requires
from mcp_server.tools.arguments import Day, Limit, ManualReason, Note, Offset, Reason, Sku, optional
from mcp_server.tools.catalogue import categories_within, find_product
from mcp_server.tools.paging import Page, between, page_of
from shop import services
from shop.errors import ShopError
from shop.models import MAX_STOCK, Product, StockAdjustment

# Done twice it counts twice.
ADJUST = UPDATE.model_copy(update={"idempotent_hint": False})
ADJUSTMENT = ("product__sku", "product__name", "delta", "reason", "note", "adjusted_by__username", "created_at")
LOW = ("sku", "name", "status", "stock", "reorder_level", "supplier__name", "supplier__lead_time_days")


class AdjustmentRow(TypedDict):
    sku: str
    name: str
    delta: Annotated[int, Field(description="Pieces added, or taken away when negative.")]
    reason: str
    note: str
    adjusted_by: Annotated[str, Field(description="Username.")]
    created_at: Annotated[str, Field(description="ISO 8601 with zone.")]


class AdjustmentPage(Page):
    adjustments: list[AdjustmentRow]


class StockChange(AdjustmentRow):
    stock: Annotated[int, Field(description="Pieces in stock now.")]


class LowStockRow(TypedDict):
    sku: str
    name: str
    status: str
    stock: int
    reorder_level: int
    short_by: Annotated[int, Field(description="Pieces missing to rise above the reorder level.")]
    supplier: str | None
    lead_time_days: Annotated[int | None, Field(description="Days the supplier needs to deliver.")]


class LowStockPage(Page):
    products: list[LowStockRow]


def register_inventory_tools(mcp: FastMCP[Any]) -> None:
    @mcp.tool(tags={"inventory"}, annotations=ADJUST, meta=requires("shop.add_stockadjustment"))
    @orm_tool(user_errors=(ShopError,))
    def adjust_stock(
        sku: Annotated[Sku, Field(description="SKU such as SKU0043.")],
        delta: Annotated[
            int, Field(ge=-MAX_STOCK, le=MAX_STOCK, description="Pieces to add, negative to take away; not 0.")
        ],
        reason: Annotated[ManualReason, Field(description="Why the stock changes.")],
        note: Annotated[Note, Field(description="What happened, at most 500 characters.")] = "",
        user: User = CurrentUser(),
    ) -> StockChange:
        """Change the stock of a product by a number of pieces, record who and why, and return the new stock.

        The stock can never fall below 0. For deliveries, damage and corrections after a count only: place_order and
        cancel_order move the stock of sales themselves. To set a counted stock, read it with get_product and give the
        difference. Calling again changes the stock again. The record cannot be deleted: correct it with an opposite
        adjustment. The history is in list_stock_adjustments.
        """
        made = services.adjust_stock(user=user, sku=sku, delta=delta, reason=reason, note=note)
        product = made.product
        values = (product.sku, product.name, made.delta, made.reason, made.note, user.username, made.created_at)
        return {**_adjustment(values), "stock": product.stock}

    @mcp.tool(tags={"inventory"}, annotations=READ_ONLY, meta=requires("shop.view_stockadjustment"))
    @orm_tool(user_errors=(ShopError,))
    def list_stock_adjustments(
        limit: Limit = 20,
        offset: Offset = 0,
        sku: Annotated[Sku | None, optional("Only this product's, SKU such as SKU0043.")] = None,
        reason: Annotated[Reason | None, optional("Only adjustments for this reason.")] = None,
        made_from: Annotated[Day | None, optional("First day, YYYY-MM-DD.")] = None,
        made_to: Annotated[Day | None, optional("Last day, YYYY-MM-DD.")] = None,
    ) -> AdjustmentPage:
        """List changes of stock, newest first, one page at a time: product, pieces, reason, who and when.

        Sales and cancellations name the order in their note. Times are ISO 8601 with zone. All filters hold together.
        While `more` is true, call again with offset = next_offset. The stock of today is in get_product.
        """
        made = StockAdjustment.objects.filter(**between("created_at", made_from=made_from, made_to=made_to))
        if sku is not None:
            made = made.filter(product=find_product(sku))
        if reason is not None:
            made = made.filter(reason=reason)
        rows, page = page_of(made.order_by("-created_at", "-id").values_list(*ADJUSTMENT), limit, offset)
        return {"adjustments": [_adjustment(row) for row in rows], **page}

    @mcp.tool(tags={"inventory"}, annotations=READ_ONLY, meta=requires("shop.view_product"))
    @orm_tool(user_errors=(ShopError,))
    def low_stock_report(
        limit: Limit = 20,
        offset: Offset = 0,
        category: Annotated[Text, Field(description="Slug or name of a category; those below it count too.")] = "",
    ) -> LowStockPage:
        """Report the products to order again, the most urgent first, with supplier and lead time.

        They are at or below their reorder level and not discontinued; those that miss most pieces come first. While
        `more` is true, call again with offset = next_offset. When the goods arrive, record them with adjust_stock and
        the reason delivery. The reorder level is changed by update_product.
        """
        low = Product.objects.low_on_stock()
        if category:
            low = low.filter(category__in=categories_within(category))
        rows, page = page_of(low.order_by(F("stock") - F("reorder_level"), "sku").values_list(*LOW), limit, offset)
        return {"products": [_low(row) for row in rows], **page}


def _adjustment(values: tuple[Any, ...]) -> AdjustmentRow:
    sku, name, delta, reason, note, adjusted_by, created_at = values
    return {
        "sku": sku,
        "name": name,
        "delta": delta,
        "reason": reason,
        "note": note,
        "adjusted_by": adjusted_by,
        "created_at": created_at.isoformat(),
    }


def _low(values: tuple[Any, ...]) -> LowStockRow:
    sku, name, status, stock, reorder_level, supplier, lead_time_days = values
    return {
        "sku": sku,
        "name": name,
        "status": status,
        "stock": stock,
        "reorder_level": reorder_level,
        "short_by": reorder_level - stock + 1,
        "supplier": supplier,
        "lead_time_days": lead_time_days,
    }
