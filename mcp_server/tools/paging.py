"""One way to page: limit, offset and a hint whether there is more, at the cost of one row and no second query."""

from typing import Annotated, Any, NotRequired, TypeVar

from django.db.models import QuerySet
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
