"""Ways for a tool to say no; the text reaches the caller, so it says what to do."""

import logging
import math
from collections.abc import Mapping, Sequence

from fastmcp.exceptions import ToolError


class Refusal(ToolError):
    """What all of these are: a mistake of the caller's, which is no error in the server's log."""

    def __init__(self, text: str) -> None:
        super().__init__(text, log_level=logging.INFO)


class BadRequest(Refusal):
    """The call makes no sense as it is."""


class Invalid(Refusal):
    """Arguments are wrong: `Invalid(sku="There is no such SKU.")`, or a mapping of names to one or more messages."""

    def __init__(self, errors: Mapping[str, str | Sequence[str]] | str = "", **fields: str) -> None:
        if isinstance(errors, str):
            named: Mapping[str, str | Sequence[str]] = fields
        else:
            named, errors = {**errors, **fields}, ""
        parts = [f"{name}: {text if isinstance(text, str) else ' '.join(text)}" for name, text in named.items()]
        super().__init__(" ".join(filter(None, [errors, *parts])) or "The arguments are wrong.")


class NotAuthenticated(Refusal):
    def __init__(self, text: str = "This needs a user. Send an MCP token.") -> None:
        super().__init__(text)


class PermissionDenied(Refusal):
    def __init__(self, text: str = "Your user may not do this.") -> None:
        super().__init__(text)


class NotFound(Refusal):
    def __init__(self, text: str = "Nothing was found. Look the row up with a list tool first.") -> None:
        super().__init__(text)


class RateLimited(Refusal):
    """Too many calls; `retry_after` is in seconds."""

    def __init__(self, retry_after: float, text: str = "Too many calls.") -> None:
        self.retry_after = max(1, math.ceil(retry_after))
        super().__init__(f"{text} Try again in {self.retry_after} seconds.")
