"""What a ModelAdmin's permission methods leave unsaid: which pages there are, and what a limited token writes."""

import copy
import logging
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.urls import NoReverseMatch, Resolver404, resolve, reverse

from mcp_server.derive.limited import is_limited, lets_in

logger = logging.getLogger(__name__)

WRITES = ("add", "change", "delete")


def guard(admin: Any, user: Any) -> None:
    """Let this copy of a ModelAdmin refuse what has no page, and a limited token what asks no permission."""
    for verb in WRITES:
        name = f"has_{verb}_permission"
        own = getattr(admin, name)
        setattr(admin, name, _with_page(admin, verb, by_permissions(own, user) if is_limited(user) else own))


def _with_page(admin: Any, verb: str, own: Callable[..., Any]) -> Callable[..., bool]:
    # Asked when the permission is: when the server starts, the URLs may not be there yet.
    def has_permission(request: Any, *row: Any, **named: Any) -> bool:
        return has_page(admin.admin_site, admin.opts, verb) and bool(own(request, *row, **named))

    return has_permission


def by_permissions(own: Callable[..., Any], user: Any) -> Callable[..., bool]:
    """Wrap a permission method: what it would also grant without any permission, a limited token does not write."""

    def has_permission(request: Any, *row: Any, **named: Any) -> bool:
        return lets_in(lambda asking: bool(own(_as(asking, request), *row, **named)), user, read_only=False)

    return has_permission


def _as(user: Any, request: Any) -> Any:
    twin = copy.copy(request)
    twin.user = user
    return twin


def load_urls(site: Any) -> None:
    """Load the URLconf while it may use the database; some are made of rows."""
    try:
        _is_routed(site, settings.ROOT_URLCONF)
    except Exception:
        # Whoever imports this from a URLconf has none yet; whatever else is wrong, each request will say.
        logger.debug("The URLs cannot be loaded yet", exc_info=True)


def has_page(site: Any, opts: Any, view: str) -> bool:
    """Tell whether the admin has this page for a model: a ModelAdmin may leave some out of its URLs."""
    routed = _is_routed(site, settings.ROOT_URLCONF)
    return not routed or _has_url(f"{site.name}:{opts.app_label}_{opts.model_name}_{view}", settings.ROOT_URLCONF)


@lru_cache
def _is_routed(site: Any, urlconf: str) -> bool:
    # A site that is in no URLconf has no pages at all, and its ModelAdmins are asked alone.
    try:
        found = resolve(reverse(f"{site.name}:index")).func
    except (NoReverseMatch, Resolver404):
        return False
    return getattr(getattr(found, "admin_site", None), "_registry", None) is site._registry


@lru_cache(maxsize=10_000)
def _has_url(name: str, urlconf: str) -> bool:
    for arguments in ([], ["0"]):
        try:
            reverse(name, args=arguments)
        except NoReverseMatch:
            continue
        return True
    return False
