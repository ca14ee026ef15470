"""Rate limits: the rules of the settings and of tokens, counted in Django's cache by the `limits` library."""

import logging
import math
import time
from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.cache import BaseCache, caches
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from mcp_server.conf import setting
from tokens.models import MCPToken
from tokens.rates import OVERALL, parse_rates

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5
# A limit, and who or what is counted.
Rule = tuple[RateLimitItem, tuple[str, ...]]


class DjangoCacheStorage(Storage):
    """Keeps the counters of `limits` in Django's cache, so that all workers and hosts that share it count together."""

    STORAGE_SCHEME = None

    @property
    def cache(self) -> BaseCache:
        return caches[setting("MCP_RATE_LIMIT_CACHE")]

    @property
    def base_exceptions(self) -> type[Exception]:
        return Exception

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        # The window's end is part of the counter's name: a counter that lost its time to live is not asked again.
        window = f"{key}/{self.cache.get_or_set(key, time.time() + expiry, expiry)}"
        try:
            return self.cache.incr(window, amount)
        except ValueError:
            if self.cache.add(window, amount, expiry + 1):
                return amount
            return self.cache.incr(window, amount)

    def get(self, key: str) -> int:
        return int(self.cache.get(f"{key}/{self.cache.get(key)}", 0))

    def get_expiry(self, key: str) -> float:
        return float(self.cache.get(key, time.time()))

    def check(self) -> bool:
        return self.cache.get_or_set("mcp-rate-limits", 1) is not None

    def reset(self) -> int | None:
        raise NotImplementedError("The cache holds more than counters; limits end by themselves.")

    def clear(self, key: str) -> None:
        self.cache.delete_many([key, f"{key}/{self.cache.get(key)}"])


limiter = FixedWindowRateLimiter(DjangoCacheStorage(wrap_exceptions=True))


def spend(rules: Iterable[Rule]) -> int | None:
    """Count one call against each rule; return the seconds to wait when one of them is used up.

    Whoever cannot be counted is made to wait too: a limit that fails open is none.
    """
    try:
        for item, counted in rules:
            if not limiter.hit(item, *counted):
                reset = limiter.get_window_stats(item, *counted).reset_time
                return max(1, math.ceil(reset - time.time()))
    except StorageError:
        logger.exception("Calls cannot be counted: the cache is away.")
        return RETRY_SECONDS
    return None


def overall_rules(user: AbstractBaseUser | None, token: MCPToken | None) -> list[Rule]:
    """Return the limits on all calls of the user, and of the token."""
    of_token = dict(parse_rates(token.rate_limits)) if token else {}
    rules: list[tuple[str, str, Any]] = []
    if user is not None:
        rules.append((setting("MCP_RATE_LIMIT_USER"), "user", user.pk))
    if token is not None and token.pk is not None:
        rules.append((of_token.get(OVERALL) or setting("MCP_RATE_LIMIT_TOKEN"), "token", token.pk))
    return [(parse(rate), ("mcp", kind, str(key))) for rate, kind, key in rules if rate]


def tool_rules(tool: str, rate: str, user: AbstractBaseUser | None, token: MCPToken | None) -> Iterator[Rule]:
    """Yield the limits on calls of one tool; `rate` is the tool's own."""
    settled = dict(parse_rates(", ".join(setting("MCP_RATE_LIMIT_TOOLS"))))
    of_user = settled.get(tool) or rate or setting("MCP_RATE_LIMIT_TOOL")
    if of_user:
        yield parse(of_user), ("mcp", "tool", tool, "user", str(user.pk if user else None))
    of_token = dict(parse_rates(token.rate_limits)).get(tool) if token else None
    if of_token and token:
        yield parse(of_token), ("mcp", "tool", tool, "token", str(token.pk))
