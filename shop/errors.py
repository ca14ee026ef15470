"""Every way the shop says no: the field that was wrong and a sentence that says what to do."""

from collections.abc import Iterable
from decimal import Decimal
from typing import ClassVar


class ShopError(ValueError):
    """A refusal by the shop: `field` names the argument that was wrong, the text says what to do."""

    field: ClassVar[str] = ""


class UnknownSku(ShopError):
    field = "sku"

    def __init__(self, *skus: str) -> None:
        named = ", ".join(f'"{sku[:40]}"' for sku in skus[:5])
        super().__init__(f"There is no product with the SKU {named}. Look the SKU up in the list of products.")


class EmptyOrder(ShopError):
    field = "items"

    def __init__(self) -> None:
        super().__init__("An order needs at least one item. Give a SKU and a quantity of 1 or more.")


class TooManyItems(ShopError):
    field = "items"

    def __init__(self, limit: int) -> None:
        super().__init__(f"An order takes at most {limit} items. Place several orders.")


class InvalidQuantity(ShopError):
    field = "quantity"

    def __init__(self, sku: str, limit: int) -> None:
        super().__init__(f"The quantity of {sku[:40]} must be a whole number from 1 to {limit}.")


class InsufficientStock(ShopError):
    field = "quantity"

    def __init__(self, sku: str, *, available: int, asked: int) -> None:
        super().__init__(
            f"Only {available} of {sku} are in stock and {asked} were asked for. Ask for {available} or fewer."
        )
        self.sku, self.available, self.asked = sku, available, asked


class ProductNotForSale(ShopError):
    field = "sku"

    def __init__(self, sku: str, status: str) -> None:
        super().__init__(
            f"{sku} is not for sale: its status is {status}. Only products with the status active can be ordered."
        )


class OrderNotCancellable(ShopError):
    field = "order"

    def __init__(self, number: str, status: str) -> None:
        super().__init__(
            f"{number} cannot be cancelled: it is {status}. Only orders that are placed or paid can be cancelled."
        )


class OrderFrozen(ShopError):
    field = "order"

    def __init__(self, number: str, status: str, *, allowed: Iterable[str]) -> None:
        super().__init__(f"{number} cannot be changed so: it is {status}. It must be {' or '.join(allowed)}.")


class NotYourOrder(ShopError):
    field = "order"

    def __init__(self) -> None:
        super().__init__(
            "Only the order's owner, or someone who may see and change the orders of everyone, can do this."
        )


class InvalidDelta(ShopError):
    field = "delta"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The delta must be a whole number from -{limit} to {limit}, and not 0.")


class StockOutOfRange(ShopError):
    field = "delta"

    def __init__(self, sku: str, *, stock: int, delta: int, limit: int) -> None:
        allowed = f"from {-stock} to {limit - stock}" if stock else f"from 1 to {limit}"
        super().__init__(f"{sku} has {stock} in stock, so it cannot change by {delta}. Give a delta {allowed}.")


class InvalidReason(ShopError):
    field = "reason"

    def __init__(self, reason: str, *, allowed: Iterable[str]) -> None:
        super().__init__(f'"{reason[:40]}" is no reason for an adjustment. Use one of: {", ".join(allowed)}.')


class InvalidNote(ShopError):
    field = "note"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The note must be text of at most {limit} characters, without NUL characters.")


class InvalidPercent(ShopError):
    field = "percent"

    def __init__(self) -> None:
        super().__init__("The percentage must be a number from -90 to 500, and not 0.")


class PriceOutOfRange(ShopError):
    field = "percent"

    def __init__(self, sku: str, price: Decimal) -> None:
        super().__init__(f"{sku} would cost {price}, but prices go from 0.01 to 99999999.99. Use another percentage.")
