"""The types of arguments that several tools share; refusals say what is allowed."""

import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler, StringConstraints
from pydantic_core import CoreSchema, PydanticCustomError

from mcp_server.classes.schema import Text, without_nul
from shop.models import MAX_STOCK, Order, Product, StockAdjustment

MAX_PAGE = 100
MAX_ATTRIBUTES = 4000
MAX_OFFSET = 1_000_000


@dataclass(frozen=True, eq=False)
class ShownAs:
    """Shows clients this JSON schema in place of pydantic's, with the argument's own description."""

    schema: dict[str, Any]

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        own = handler(core)
        return self.schema | {name: own[name] for name in ("description",) if name in own}


def optional(description: str) -> Any:
    """Describe an argument typed `X | None`: clients see X alone, and null means the same as leaving it out."""
    return Field(description=description, json_schema_extra=_hide_null)


def _hide_null(schema: dict[str, Any]) -> None:
    [known, _null] = schema.pop("anyOf")
    schema.update(known)


def _storable(attributes: dict[str, Any]) -> dict[str, Any]:
    try:
        text = json.dumps(attributes, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (ValueError, RecursionError):
        text = ""
    if not text or len(text) > MAX_ATTRIBUTES or "\\u0000" in text:
        raise PydanticCustomError("attributes", f"Give a JSON object of at most {MAX_ATTRIBUTES} characters")
    return attributes


def _day(value: Any) -> date:
    try:
        day = date.fromisoformat(value)
    except (TypeError, ValueError):
        day = date.min
    # Further away, a time zone's offset would leave the calendar.
    if not 1900 <= day.year < 3000:
        raise PydanticCustomError("day", "Write the date as YYYY-MM-DD, for example 2026-03-31")
    return day


Sku = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_upper=True, min_length=1, max_length=20),
    AfterValidator(without_nul),
]
OrderNumber = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_upper=True, min_length=1, max_length=36),
    AfterValidator(without_nul),
]
Day = Annotated[date, BeforeValidator(_day), ShownAs({"type": "string", "format": "date"})]
# Numbers are taken too, but clients are told to send strings: floats would round.
Euros = Annotated[
    Decimal,
    Field(ge=0, max_digits=10, decimal_places=2),
    ShownAs({"type": "string", "pattern": r"^\d{1,8}(\.\d{1,2})?$"}),
]
Units = Annotated[int, Field(ge=0, le=MAX_STOCK)]
ProductStatus = Annotated[Product.Status, ShownAs({"type": "string", "enum": Product.Status.values})]
OrderStatus = Annotated[Order.Status, ShownAs({"type": "string", "enum": Order.Status.values})]
Reason = Annotated[StockAdjustment.Reason, ShownAs({"type": "string", "enum": StockAdjustment.Reason.values})]
Attributes = Annotated[dict[str, Any], AfterValidator(_storable)]
TagNames = Annotated[list[Text], Field(max_length=20)]
# Sales and cancellations are written by orders alone.
ManualReason = Literal["delivery", "correction", "damage"]
Note = Annotated[Text, Field(max_length=500)]
Limit = Annotated[int, Field(ge=1, le=MAX_PAGE, description=f"Rows to return, 1 to {MAX_PAGE}.")]
Offset = Annotated[int, Field(ge=0, le=MAX_OFFSET, description="Rows to skip: next_offset of the page before.")]
