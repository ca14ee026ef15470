"""When a new token expires."""

from datetime import datetime, timedelta

from django.utils import timezone

from tokens.conf import setting

MAX_DAYS = 36_500


def expiry_in(days: int) -> datetime:
    return timezone.now() + timedelta(days=days)


def default_expiry() -> datetime | None:
    """Return the end of MCP_TOKEN_DEFAULT_EXPIRY_DAYS from now, or None when that is 0."""
    days = setting("MCP_TOKEN_DEFAULT_EXPIRY_DAYS")
    return expiry_in(days) if days else None
