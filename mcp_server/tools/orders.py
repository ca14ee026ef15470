"""Tools of the orders: what the caller may see of them, placing and cancelling."""

from typing import Annotated, Any

from django.contrib.auth.models import User
from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from pydantic import Field
from typing_extensions import TypedDict

from mcp_server.context import CurrentUser
from mcp_server.orm import orm_tool
from mcp_server.permissions import CREATE, READ_ONLY, UPDATE, requires
from mcp_server.tools.arguments import Day, Limit, Note, Offset, OrderNumber, OrderStatus, Sku, optional
from mcp_server.tools.paging import Page, between, page_of
from shop import services
from shop.errors import ShopError
from shop.models import MAX_STOCK, Order

ROW = ("number", "owner__username", "status", "placed_at", "units", "total")


class OrderItem(TypedDict):
    sku: Annotated[Sku, Field(description="SKU such as SKU0043.")]
    quantity: Annotated[int, Field(ge=1, le=MAX_STOCK, description="Pieces, 1 or more.")]


class OrderRow(TypedDict):
    number: Annotated[str, Field(description="Such as ORD-000123.")]
    owner: Annotated[str, Field(description="Username of who placed it.")]
    status: str
    placed_at: Annotated[str, Field(description="ISO 8601 with zone.")]
    units: Annotated[int, Field(description="Pieces of all lines.")]
    total: Annotated[str, Field(description='Euros, such as "498.00".')]


class OrderPage(Page):
    orders: list[OrderRow]


class OrderLineDetail(TypedDict):
    sku: str
    name: str
    quantity: int
    unit_price: Annotated[str, Field(description="Euros, as it was when ordered.")]
    total: Annotated[str, Field(description="Euros.")]


class OrderDetail(OrderRow):
    can_be_cancelled: bool
    cancelled_at: Annotated[str | None, Field(description="ISO 8601 with zone.")]
    note: str
    lines: list[OrderLineDetail]


def register_order_tools(mcp: FastMCP[Any]) -> None:
    @mcp.tool(tags={"orders"}, annotations=READ_ONLY, meta=requires("shop.view_order"))
    @orm_tool(user_errors=(ShopError,))
    def list_orders(
        limit: Limit = 20,
        offset: Offset = 0,
        status: Annotated[OrderStatus | None, optional("Only orders with this status.")] = None,
        placed_from: Annotated[Day | None, optional("First day of placing, YYYY-MM-DD.")] = None,
        placed_to: Annotated[Day | None, optional("Last day of placing, YYYY-MM-DD.")] = None,
        user: User = CurrentUser(),
    ) -> OrderPage:
        """List the orders you may see, newest first, one page at a time, with status, units and total.

        You see your own orders, or those of everyone if you hold that right. Totals are decimal strings in euros,
        times ISO 8601 with zone. All filters hold together. While `more` is true, call again with
        offset = next_offset. For the lines of an order use get_order_status.
        """
        placed = between("placed_at", placed_from=placed_from, placed_to=placed_to)
        orders = Order.objects.visible_to(user).filter(**placed).with_totals().order_by("-placed_at", "-id")
        if status is not None:
            orders = orders.filter(status=status)
        rows, page = page_of(orders.values_list(*ROW), limit, offset)
        return {"orders": [_row(row) for row in rows], **page}

    @mcp.tool(tags={"orders"}, annotations=READ_ONLY, meta=requires("shop.view_order"))
    @orm_tool(user_errors=(ShopError,))
    def get_order_status(
        order: Annotated[OrderNumber, Field(description="Order number such as ORD-000123.")],
        user: User = CurrentUser(),
    ) -> OrderDetail:
        """Return the status of one order with its lines, prices, total and whether it can still be cancelled.

        The status goes placed, paid, shipped; or cancelled. Money is a decimal string in euros, times are ISO 8601
        with zone. Find order numbers with list_orders; the order of somebody else is unknown unless you may see all.
        """
        return order_detail(_find_order(user, order))

    @mcp.tool(tags={"orders"}, annotations=CREATE, meta=requires("shop.add_order"))
    @orm_tool(user_errors=(ShopError,))
    def place_order(
        items: Annotated[
            list[OrderItem], Field(min_length=1, max_length=services.MAX_ITEMS, description="What to order, 1 to 100.")
        ],
        note: Annotated[Note, Field(description="Remark for the shop, at most 500 characters.")] = "",
        user: User = CurrentUser(),
    ) -> OrderDetail:
        """Place an order in your own name and return it; its pieces leave the stock at once.

        All items are ordered or none: one that is unknown, not active or short in stock refuses the whole order and
        says which. A SKU given twice is added up. Prices are today's. Calling again places a second order, so look
        with list_orders first when you are not sure. Find SKUs with search_products; undo with cancel_order.
        """
        placed = services.place_order(user=user, items=[(item["sku"], item["quantity"]) for item in items], note=note)
        return order_detail(Order.objects.for_reading().get(pk=placed.pk))

    @mcp.tool(tags={"orders"}, annotations=UPDATE, meta=requires("shop.change_order"))
    @orm_tool(user_errors=(ShopError,))
    def cancel_order(
        order: Annotated[OrderNumber, Field(description="Number of the order to cancel, such as ORD-000123.")],
        user: User = CurrentUser(),
    ) -> OrderDetail:
        """Cancel an order that is placed or paid, put its pieces back into stock, and return it.

        This cannot be undone: place a new order instead. Shipped and cancelled orders are refused. You can cancel your
        own orders, or those of everyone if you hold that right. Check first with get_order_status.
        """
        cancelled = services.cancel_order(user=user, order=_find_order(user, order))
        return order_detail(Order.objects.for_reading().get(pk=cancelled.pk))


def order_detail(order: Any) -> OrderDetail:
    """Return all that is told of an order which was fetched `for_reading`."""
    return {
        **_row((order.number, order.owner.username, order.status, order.placed_at, order.units, order.total)),
        "can_be_cancelled": order.is_open,
        "cancelled_at": order.cancelled_at.isoformat() if order.cancelled_at else None,
        "note": order.note,
        "lines": [
            {
                "sku": line.product.sku,
                "name": line.product.name,
                "quantity": line.quantity,
                "unit_price": str(line.unit_price),
                "total": str(line.total),
            }
            for line in order.lines.all()
        ],
    }


def _row(values: tuple[Any, ...]) -> OrderRow:
    number, owner, status, placed_at, units, total = values
    return {
        "number": number,
        "owner": owner,
        "status": status,
        "placed_at": placed_at.isoformat(),
        "units": units,
        "total": str(total),
    }


def _find_order(user: User, number: str) -> Order:
    order: Order | None = Order.objects.visible_to(user).for_reading().filter(number=number).first()
    if order is None:
        raise ToolError(f'order: There is no order "{number}" that you may see. Look its number up with list_orders.')
    return order
