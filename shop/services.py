"""What happens in the shop: the only code that writes orders and stock.

Every function is one transaction, so nothing is ever half-written. Rows are locked before they are read, the
order first and then its products by primary key, so that two callers never wait for each other in a circle.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from shop import errors
from shop.models import MAX_STOCK, Order, OrderLine, Product, StockAdjustment

MAX_ITEMS = 100
MAX_NOTE = 500


@transaction.atomic
def place_order(*, user: User, items: Iterable[tuple[str, int]], note: str = "") -> Order:
    """Place an order of (sku, quantity) pairs for the user and take its stock; a SKU given twice is summed up.

    Raises EmptyOrder, TooManyItems, InvalidQuantity, UnknownSku, ProductNotForSale, InsufficientStock, InvalidNote.
    """
    wanted = _merge(items)
    order = Order(owner=user, note=_checked_note(note))
    products = _lock_products(list(wanted))
    for product in products:
        check_available(product, asked=wanted[product.sku])
    order.save()
    OrderLine.objects.bulk_create(
        OrderLine(order=order, product=product, quantity=wanted[product.sku], unit_price=product.price)
        for product in products
    )
    _move_stock(user, [(product, -wanted[product.sku]) for product in products], "sale", order.number)
    return order


@transaction.atomic
def cancel_order(*, user: User, order: Order) -> Order:
    """Cancel an order that is placed or paid and put its units back into stock.

    Raises NotYourOrder, OrderNotCancellable.
    """
    locked = _lock_order(user, order)
    if not locked.is_open:
        raise errors.OrderNotCancellable(locked.number, locked.status)
    locked.status, locked.cancelled_at = Order.Status.CANCELLED, timezone.now()
    locked.save(update_fields=["status", "cancelled_at"])
    quantities = dict(locked.lines.values_list("product_id", "quantity"))
    products = Product.objects.select_for_update().filter(pk__in=quantities).order_by("pk")
    moves = [(product, quantities[product.pk]) for product in products]
    _move_stock(user, moves, StockAdjustment.Reason.CANCELLATION, locked.number)
    return locked


@transaction.atomic
def mark_order_paid(*, user: User, order: Order) -> Order:
    """Mark a placed order as paid. Raises NotYourOrder, OrderFrozen."""
    return _advance(user, order, before=[Order.Status.PLACED], after=Order.Status.PAID)


@transaction.atomic
def ship_order(*, user: User, order: Order) -> Order:
    """Mark a paid order as shipped; nothing changes it after that. Raises NotYourOrder, OrderFrozen."""
    return _advance(user, order, before=[Order.Status.PAID], after=Order.Status.SHIPPED)


@transaction.atomic
def set_order_quantities(*, user: User, order: Order, quantities: dict[str, int]) -> Order:
    """Set how many of each SKU an open order has (0 takes the line away), and move the difference in stock.

    SKUs which are not named stay as they are. A new line gets today's price, an old one keeps its own.
    Raises NotYourOrder, OrderFrozen, UnknownSku, ProductNotForSale, InsufficientStock.
    """
    locked = _lock_order(user, order)
    if not locked.is_open:
        raise errors.OrderFrozen(locked.number, locked.status, allowed=[Order.Status.PLACED, Order.Status.PAID])
    products = _lock_products(list(quantities))
    lines = {line.product_id: line for line in locked.lines.filter(product__in=products)}
    moves = []
    for product in products:
        line = lines.get(product.pk)
        before, after = line.quantity if line else 0, quantities[product.sku]
        if after > before:
            check_available(product, asked=after - before)
        _write_line(locked, product, line, after)
        moves.append((product, before - after))
    _move_stock(user, moves, StockAdjustment.Reason.CORRECTION, locked.number)
    return locked


@transaction.atomic
def adjust_stock(*, user: User, sku: str, delta: int, reason: str, note: str = "") -> StockAdjustment:
    """Change the stock of a product by delta units and record who did it and why.

    Raises InvalidDelta, InvalidReason, InvalidNote, UnknownSku, StockOutOfRange.
    """
    if not _is_whole(delta) or not 0 < abs(delta) <= MAX_STOCK:
        raise errors.InvalidDelta(MAX_STOCK)
    if reason not in StockAdjustment.Reason.values:
        raise errors.InvalidReason(str(reason), allowed=StockAdjustment.Reason.values)
    note = _checked_note(note)
    [product] = _lock_products([_normal(sku)])
    [adjustment] = _move_stock(user, [(product, delta)], reason, note)
    return adjustment


@transaction.atomic
def create_product(*, user: User, product: Product) -> Product:
    """Save a new, already validated product; its stock is recorded as a first delivery."""
    opening, product.stock = product.stock, 0
    product.save(force_insert=True)
    if opening:
        _move_stock(user, [(product, opening)], StockAdjustment.Reason.DELIVERY, "Opening stock")
    return product


@transaction.atomic
def change_prices(*, product_ids: Iterable[int], percent: Decimal) -> list[Product]:
    """Raise (or lower) the prices of the products by percent, rounded to cents: all of them or none.

    Raises InvalidPercent, PriceOutOfRange.
    """
    if not percent.is_finite() or not -90 <= percent <= 500 or percent == 0:
        raise errors.InvalidPercent
    products = list(Product.objects.select_for_update().filter(pk__in=list(product_ids)).order_by("pk"))
    for product in products:
        product.price = (product.price * (100 + percent) / 100).quantize(Decimal("0.01"), ROUND_HALF_UP)
        if not Decimal("0.01") <= product.price <= Decimal("99999999.99"):
            raise errors.PriceOutOfRange(product.sku, product.price)
        product.save(update_fields=["price", "updated_at"])
    return products


@transaction.atomic
def discontinue(*, product_ids: Iterable[int]) -> list[Product]:
    """Take the products out of the range, with nothing to order again; return those which were not out already."""
    going = Product.objects.exclude(status=Product.Status.DISCONTINUED).filter(pk__in=list(product_ids))
    products = list(going.select_for_update().order_by("pk"))
    for product in products:
        product.status, product.reorder_level = Product.Status.DISCONTINUED, 0
        product.save(update_fields=["status", "reorder_level", "updated_at"])
    return products


def manages_all(user: User) -> bool:
    return user.has_perms(["shop.change_order", "shop.view_all_orders"])


def may_manage(user: User, order: Order) -> bool:
    """Tell whether the user may change this order: as its owner, or as someone in charge of all orders."""
    return order.owner_id == user.pk or manages_all(user)


def check_available(product: Product, *, asked: int) -> None:
    """Raise ProductNotForSale or InsufficientStock unless that many can be ordered now."""
    if product.status != Product.Status.ACTIVE:
        raise errors.ProductNotForSale(product.sku, product.status)
    if product.stock < asked:
        raise errors.InsufficientStock(product.sku, available=product.stock, asked=asked)


def _advance(user: User, order: Order, *, before: Sequence[str], after: str) -> Order:
    locked = _lock_order(user, order)
    if locked.status not in before:
        raise errors.OrderFrozen(locked.number, locked.status, allowed=before)
    locked.status = after
    locked.save(update_fields=["status"])
    return locked


def _lock_order(user: User, order: Order) -> Order:
    locked: Order = Order.objects.select_for_update().get(pk=order.pk)
    if not may_manage(user, locked):
        raise errors.NotYourOrder
    return locked


def _lock_products(skus: list[str]) -> list[Product]:
    # NUL characters would reach the database driver as an error of its own; no SKU has one.
    askable = [sku for sku in skus if "\x00" not in sku]
    products = list(Product.objects.select_for_update().filter(sku__in=askable).order_by("pk"))
    if unknown := sorted(set(skus) - {product.sku for product in products}):
        raise errors.UnknownSku(*(sku.replace("\x00", "") for sku in unknown))
    return products


def _write_line(order: Order, product: Product, line: OrderLine | None, quantity: int) -> None:
    if line is None:
        if quantity:
            OrderLine.objects.create(order=order, product=product, quantity=quantity, unit_price=product.price)
    elif quantity:
        line.quantity = quantity
        line.save(update_fields=["quantity"])
    else:
        line.delete()


def _move_stock(user: User, moves: list[tuple[Product, int]], reason: str, note: str) -> list[StockAdjustment]:
    """Change the stock of locked products and write the history of it."""
    adjustments = []
    for product, delta in moves:
        if not 0 <= product.stock + delta <= MAX_STOCK:
            raise errors.StockOutOfRange(product.sku, stock=product.stock, delta=delta, limit=MAX_STOCK)
        if delta:
            product.stock += delta
            product.save(update_fields=["stock", "updated_at"])
            adjustments.append(
                StockAdjustment(product=product, delta=delta, reason=reason, note=note, adjusted_by=user)
            )
    return StockAdjustment.objects.bulk_create(adjustments)


def _merge(items: Iterable[tuple[str, int]]) -> Counter[str]:
    wanted: Counter[str] = Counter()
    for sku, quantity in items:
        if not _is_whole(quantity) or not 1 <= quantity <= MAX_STOCK:
            raise errors.InvalidQuantity(str(sku), MAX_STOCK)
        wanted[_normal(sku)] += quantity
    if not wanted:
        raise errors.EmptyOrder
    if len(wanted) > MAX_ITEMS:
        raise errors.TooManyItems(MAX_ITEMS)
    return wanted


def _normal(sku: Any) -> str:
    return str(sku).strip().upper()


def _is_whole(number: Any) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)


def _checked_note(note: str) -> str:
    if not isinstance(note, str) or len(note) > MAX_NOTE or "\x00" in note:
        raise errors.InvalidNote(MAX_NOTE)
    return note
