"""The secret itself: how it is made, and the digest that is all the database knows of it."""

import hashlib
import re
import secrets

from django.views.decorators.debug import sensitive_variables

PREFIX = "mcp_"
LENGTH = 64
PATTERN = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{{LENGTH - len(PREFIX)}}}")


def make_secret() -> str:
    """Return a new plain token: the prefix and 360 random bits."""
    return PREFIX + secrets.token_urlsafe(45)


@sensitive_variables("raw")
def digest_of(raw: str) -> str:
    """Return the SHA-256 of a plain token in hex; so much randomness needs no slow hash."""
    return hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()


class Secret:
    """A plain token which does not show itself where its holder is printed."""

    __slots__ = ("plain",)

    def __init__(self, plain: str) -> None:
        self.plain = plain

    def __repr__(self) -> str:
        return "********"
