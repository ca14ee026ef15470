"""One way to page, with a hint whether there is more at the cost of one row; and to choose days."""

from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, NotRequired, TypeVar

from django.db.models import QuerySet
from django.utils.timezone import make_aware
from fastmcp.exceptions import ToolError
from pydantic import Field

# pydantic takes typing's own TypedDict only from Python 3.12 on.
from typing_extensions import TypedDict

Row = TypeVar("Row")


class Page(TypedDict):
    more: Annotated[bool, Field(description="Whether there are rows after these.")]
    next_offset: NotRequired[Annotated[int, Field(description="The offset to ask for next; only when there is more.")]]


def page_of(rows: "QuerySet[Any, Row]", limit: int, offset: int) -> tuple[list[Row], Page]:
    """Return the rows of one page, and what is said about the next."""
    found = list(rows[offset : offset + limit + 1])
    if len(found) <= limit:
        return found, {"more": False}
    return found[:limit], {"more": True, "next_offset": offset + limit}


def between(column: str, **days: date | None) -> dict[str, datetime]:
    """Return the filter of a time column for a first and a last day, both included, given by their arguments' names."""
    (first_name, first), (last_name, last) = days.items()
    if first is not None and last is not None and first > last:
        raise ToolError(f"{first_name}: It must not be after {last_name}, which is {last}.")
    # Bounds, not __date: an index on the column serves them.
    bounds = {f"{column}__gte": first, f"{column}__lt": last and last + timedelta(days=1)}
    return {name: make_aware(datetime.combine(day, time.min)) for name, day in bounds.items() if day is not None}
