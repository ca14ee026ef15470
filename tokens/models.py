"""The token that lets an agent act as a user, and the row that says what it did."""

import re
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from tokens.conf import setting
from tokens.rates import validate_rates
from tokens.secret import Secret, digest_of, make_secret

# What every client takes as the name of a tool or prompt.
TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
SUFFIX_CHARS = 8


def validate_tool_names(value: object) -> None:
    """Refuse anything but a list of tool names."""
    if not isinstance(value, list):
        raise ValidationError("Give a list of tool names, or an empty list for all of them.")
    for name in value:
        if not isinstance(name, str) or not TOOL_NAME.fullmatch(name):
            raise ValidationError("A tool name has 1 to 64 letters, digits, hyphens or underscores.")


class MCPTokenManager(models.Manager["MCPToken"]):
    @sensitive_variables("raw")
    def with_secret(self, raw: str) -> "MCPToken":
        """Return the token of this plain secret with its user, in one query, or raise DoesNotExist."""
        return self.select_related("user").get(digest=digest_of(raw))


class MCPToken(models.Model):
    """Lets whoever holds its secret act as `user`, within what the token allows."""

    class AccessLevel(models.TextChoices):
        FULL = "full", "Full"
        READ = "read", "Read"
        LIMITED = "limited", "Limited"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="mcp_tokens")
    name = models.CharField(max_length=100, help_text="What the token is for, such as “Claude on my laptop”.")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    suffix = models.CharField(max_length=SUFFIX_CHARS, editable=False)
    is_active = models.BooleanField("active", default=True)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: the token never expires.")
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    allowed_tools = models.JSONField(
        default=list, blank=True, validators=[validate_tool_names], help_text="Empty: all the tools the user may use."
    )
    access = models.CharField(
        max_length=10,
        choices=AccessLevel.choices,
        default=AccessLevel.FULL,
        help_text="Full: all the user may do. Read: only what the user may view. Limited: only what is chosen below.",
    )
    groups = models.ManyToManyField(Group, blank=True, related_name="mcp_tokens")
    permissions = models.ManyToManyField(Permission, blank=True, related_name="mcp_tokens")
    rate_limits = models.CharField(
        max_length=200,
        blank=True,
        validators=[validate_rates],
        help_text="Such as “100/minute, place_order=5/hour”. Empty: what the settings say.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = MCPTokenManager()

    class Meta:
        verbose_name = "MCP token"
        verbose_name_plural = "MCP tokens"
        ordering = ["-created_at", "-pk"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Every way to a new row passes here: create(), get_or_create(), bulk_create(), save(), forms.
        if self.__dict__.get("digest") == "":
            self._renew_secret()

    def __str__(self) -> str:
        return self.name

    def __getstate__(self) -> dict[str, Any]:
        # Copies and pickles travel (caches, queues); the plain secret stays with the instance that made it.
        state: dict[str, Any] = super().__getstate__()
        state.pop("_secret", None)
        return state

    @property
    def token(self) -> str | None:
        """The plain secret, on the instance that made it; None on a loaded one and once it is outdated."""
        secret = self.__dict__.get("_secret")
        return secret.plain if secret and digest_of(secret.plain) == self.digest else None

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()

    @property
    def is_valid(self) -> bool:
        return self.is_active and not self.is_expired

    @property
    def status(self) -> str:
        """One word for lists: active, revoked or expired."""
        if not self.is_active:
            return "revoked"
        return "expired" if self.is_expired else "active"

    def can_use_tool(self, name: str) -> bool:
        """Tell whether the token's own list allows this tool; the user's permissions are another matter."""
        # Only the empty list means all: anything else that is not a list of names allows nothing.
        return isinstance(self.allowed_tools, list) and (not self.allowed_tools or name in self.allowed_tools)

    def get_masked_token(self) -> str:
        return "*" * SUFFIX_CHARS + self.suffix

    def record_usage(self) -> None:
        """Note the time of use, at most once in MCP_USAGE_WRITE_SECONDS, with one UPDATE that sends no signal."""
        now = timezone.now()
        stale = now - timedelta(seconds=setting("MCP_USAGE_WRITE_SECONDS"))
        if self.last_used_at is not None and self.last_used_at > stale:
            return
        # Many processes see the same stale row; the condition lets one of them write.
        due = Q(last_used_at=None) | Q(last_used_at__lte=stale)
        MCPToken.objects.filter(due, pk=self.pk).update(last_used_at=now)
        self.last_used_at = now

    @sensitive_variables("plain")
    def rotate(self) -> str:
        """Replace the secret, keep the row, and return the new plain token."""
        plain = self._renew_secret()
        self.save(update_fields=["digest", "suffix", "updated_at"])
        return plain

    def revoke(self) -> None:
        """Switch the token off; the row stays for the audit."""
        self.is_active = False
        self.save(update_fields=["is_active", "updated_at"])

    @sensitive_variables("plain")
    def _renew_secret(self) -> str:
        plain = make_secret()
        self._secret = Secret(plain)
        self.digest, self.suffix = digest_of(plain), plain[-SUFFIX_CHARS:]
        return plain


class ToolCall(models.Model):
    """One call of a tool: who, what, when and how it ended."""

    class Status(models.TextChoices):
        OK = "ok", "OK"
        ERROR = "error", "Error"
        DENIED = "denied", "Denied"

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="mcp_tool_calls"
    )
    token = models.ForeignKey(MCPToken, on_delete=models.SET_NULL, null=True, blank=True, related_name="tool_calls")
    tool = models.CharField(max_length=64)
    status = models.CharField(max_length=10, choices=Status.choices)
    duration_ms = models.PositiveIntegerField("duration (ms)", default=0)
    arguments = models.JSONField(default=dict, blank=True, help_text="Redacted and truncated.")
    error = models.TextField(blank=True)
    correlation_id = models.CharField(max_length=64, blank=True, db_index=True)
    client_name = models.CharField(max_length=100, blank=True)
    client_version = models.CharField(max_length=50, blank=True)
    remote_address = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [models.Index(fields=["created_at"]), models.Index(fields=["tool", "created_at"])]

    def __str__(self) -> str:
        return f"{self.tool}: {self.status}"
