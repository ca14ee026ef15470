"""How rate limits are written: "100/minute" for all calls, "place_order=5/hour" for those of one tool."""

import re
from collections.abc import Iterator

from django.core.exceptions import ValidationError

RATE = re.compile(r"(?:(?P<tool>[A-Za-z0-9_-]{1,64})=)?(?P<rate>[1-9]\d{0,8}/(?:second|minute|hour|day))")
OVERALL = ""


def parse_rates(text: str) -> Iterator[tuple[str, str]]:
    """Yield the tool, or OVERALL, and the rate of each part of a comma-separated list; raises ValidationError."""
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = RATE.fullmatch(part)
        if match is None:
            raise ValidationError(
                "“%(part)s” is no rate. Write 100/minute for all calls or place_order=5/hour for one tool; "
                "the units are second, minute, hour and day.",
                params={"part": part[:60]},
            )
        yield match["tool"] or OVERALL, match["rate"]


def validate_rates(text: str) -> None:
    list(parse_rates(text))


def rate_error(text: str) -> ValidationError | None:
    """Return what is wrong with a list of rates, if anything is."""
    try:
        validate_rates(text)
    except ValidationError as error:
        return error
    return None
