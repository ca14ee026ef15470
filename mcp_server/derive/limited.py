"""What a limited token may do with tools whose rule is code: nothing that needs no permission."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tokens.models import MCPToken
from tokens.narrowing import NarrowedUser


def lets_in(rule: Callable[[Any], bool], user: Any, *, read_only: bool) -> bool:
    """Ask the rule; for a limited token that would write, ask too whether permissions have to do with it.

    A rule that also lets in the same user without any permission looks at something else, such as the login alone:
    a limited token has no more than its permissions, so it stays outside.
    """
    if not rule(user):
        return False
    return read_only or not is_limited(user) or not rule(powerless(user))


def is_limited(user: Any) -> bool:
    """Tell whether the caller's token has chosen permissions only."""
    return isinstance(user, NarrowedUser) and user._narrowing.access == MCPToken.AccessLevel.LIMITED


def powerless(user: Any) -> Any:
    """Return the narrowed user as one that holds no permission at all."""
    twin = copy.copy(user)
    twin.__dict__["_narrowing"] = replace(user._narrowing, permissions=frozenset())
    return twin
