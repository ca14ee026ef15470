"""Builds and stores audit rows, without the secrets that pass through a call."""

import datetime
import decimal
import json
import math
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import takewhile
from typing import Any

from django.contrib.auth import get_user_model
from django.db import IntegrityError, models, transaction

from tokens.conf import setting
from tokens.models import MCPToken, ToolCall
from tokens.secret import PATTERN

REDACTED = "[redacted]"
CUT = "…"
MAX_DEPTH = 8
MAX_STRING = 500
MAX_ERROR = 1000
MARGIN = 200

SECRET_NAME = re.compile(
    r"passw|passphrase|pwd|secret|token|key(?!word|board|note)|credential|authori[sz]ation|bearer|cookie|session"
    r"|cv[vc]|private|encrypted|mnemonic|otp\b|(?<![a-z])(?:t?otp|[hj]otp(?![a-z])|pw(?![a-z])|jwt(?![a-z])|dsn(?![a-z]))"
    # A PIN, and the codes that let somebody in; "pin_count" and "country_code" are neither.
    r"|(?<![a-z])pins?(?:_?(?:code|number|hash|block)s?)?(?![a-z_])|_salt\b|(?:2fa|mfa|wallet)_?seed|seed_?(?:phrase|words)|(?<![a-z_])seed(?![a-z_])"
    r"|(?:recovery|backup|verification|security|access|auth|reset|login|activation|one_?time|emergency|2fa|mfa)_?codes?\b",
    re.IGNORECASE,
)
# Secrets inside free text: our own tokens, bearer headers, credentials in a URL, and name=value or "name": "value".
SECRET_TEXT = [
    (PATTERN, REDACTED),
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1 {REDACTED}"),
    (re.compile(r"(://[^\s/:@]*:)[^\s/@]+@"), rf"\1{REDACTED}@"),
    (
        re.compile(
            r"((?:passw(?:or)?d|passphrase|pwd|secret|token|api[_-]?key|credentials?)[\"']?\s*[:=]\s*)"
            r"(\"[^\"]*\"|'[^']*'|[^\s,;&)}\]]+)",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
]
Text = str | decimal.Decimal | datetime.date | datetime.time | datetime.timedelta | uuid.UUID


def redact(arguments: Any) -> Any:
    """Return a JSON-safe copy of a call's arguments: secrets replaced, long parts and the whole cut short."""
    limit = setting("MCP_AUDIT_ARGUMENT_CHARS")
    try:
        safe = _Copy(limit).of(arguments)
        text = json.dumps(safe, ensure_ascii=False)
    except Exception:  # An object that cannot even be read must not cost the row.
        return {"unreadable": type(arguments).__name__}
    return safe if len(text) <= limit else {"truncated": text[:limit] + CUT}


def redact_text(text: object, limit: int = MAX_ERROR) -> str:
    """Return text a database takes, without secrets and at most so many characters long."""
    whole = str(text)
    # A huge text is cut before it is searched; the margin, which may end in half a secret, is cut after.
    safe = _storable(whole[: limit + MARGIN])
    for pattern, replacement in SECRET_TEXT:
        safe = pattern.sub(replacement, safe)
    if len(whole) > limit + MARGIN:
        safe = safe[:-MARGIN]
    return safe if len(safe) <= limit else safe[: limit - 1] + CUT


def build_tool_call(**fields: Any) -> ToolCall:
    """Return an unsaved audit row of raw values: arguments and error are redacted, all is cut to its column."""
    fields["arguments"] = redact(fields.get("arguments") or {})
    for name in _text_limits().keys() & fields.keys():
        fields[name] = redact_text(fields[name] or "", _text_limits()[name])
    # Only the keys: a row that waits in a batch must not hold a user who is deleted meanwhile.
    for name in {"user", "token"} & fields.keys():
        fields[f"{name}_id"] = getattr(fields.pop(name), "pk", None)
    fields["duration_ms"] = max(0, round(fields.get("duration_ms", 0)))
    return ToolCall(**fields)


@cache
def _text_limits() -> dict[str, int]:
    """Return how long the text of each column may be."""
    kinds = (models.CharField, models.TextField)
    return {f.name: f.max_length or MAX_ERROR for f in ToolCall._meta.concrete_fields if isinstance(f, kinds)}


def record_tool_call_row(**fields: Any) -> ToolCall:
    """Store one audit row now."""
    row = build_tool_call(**fields)
    save_tool_calls([row])
    return row


def save_tool_calls(rows: Sequence[ToolCall]) -> None:
    """Store audit rows in one INSERT; a user or token deleted meanwhile costs the link, not the row."""
    try:
        with transaction.atomic():
            ToolCall.objects.bulk_create(rows)
    except IntegrityError:
        _unlink_deleted(rows)
        ToolCall.objects.bulk_create(rows)


def amend_tool_call(row: ToolCall, *, status: str, error: str) -> None:
    """Say in a row, stored or still waiting, that the call ended otherwise than it seemed."""
    row.status, row.error = status, redact_text(error)
    if row.pk:
        row.save(update_fields=["status", "error"])


def _unlink_deleted(rows: Iterable[ToolCall]) -> None:
    users = _existing(get_user_model(), {row.user_id for row in rows})
    tokens = _existing(MCPToken, {row.token_id for row in rows})
    for row in rows:
        row.pk = None
        row.user_id = row.user_id if row.user_id in users else None
        row.token_id = row.token_id if row.token_id in tokens else None


def _existing(model: type[models.Model], keys: set[Any]) -> set[Any]:
    return set(model._base_manager.filter(pk__in=keys - {None}).values_list("pk", flat=True))


class _Copy:
    """Copies a value until its characters are used up, so that a huge one costs no more than a small one."""

    def __init__(self, characters: int) -> None:
        self.left = characters

    def of(self, value: Any, depth: int = 0) -> Any:
        self.left -= 2
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return _number(value)
        if isinstance(value, Text):
            return self.text(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return f"[{len(value)} bytes]"
        return self.container(value, depth + 1) if depth < MAX_DEPTH else CUT

    def text(self, value: object) -> str:
        safe = redact_text(value, MAX_STRING)
        self.left -= len(safe)
        return safe

    def container(self, value: Any, depth: int) -> Any:
        if isinstance(value, Mapping):
            pairs = self.affordable(value.items())
            return {self.text(key): REDACTED if _is_secret(key, item) else self.of(item, depth) for key, item in pairs}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.of(item, depth) for item in self.affordable(value)]
        return f"[{type(value).__name__}]"

    def affordable(self, items: Iterable[Any]) -> Iterator[Any]:
        return takewhile(lambda _: self.left > 0, items)


def _is_secret(key: object, value: object) -> bool:
    return value is not None and SECRET_NAME.search(str(key)) is not None


def _number(value: float) -> Any:
    # Neither NaN nor an integer of thousands of digits is JSON that every database takes.
    if isinstance(value, int):
        return int(value) if value.bit_length() <= 64 else f"[integer of {value.bit_length()} bits]"
    return float(value) if math.isfinite(value) else str(value)


def _storable(text: str) -> str:
    # PostgreSQL stores neither NUL nor half of a surrogate pair.
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
