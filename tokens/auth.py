"""Resolves a plain token to the user it acts as."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.views.decorators.debug import sensitive_variables

from tokens.models import MCPToken
from tokens.narrowing import narrow_user
from tokens.secret import PATTERN, digest_of

__all__ = ["MCPAuthError", "check_tool_permission", "digest_of", "resolve_mcp_user"]

MESSAGES = {
    "missing": "No token was sent. Send the header 'Authorization: Bearer <token>' with an MCP token.",
    "invalid": "This token is not known. Check that it was copied whole, or ask for a new one.",
    "inactive": "This token was revoked. Ask for a new one.",
    "expired": "This token has expired. Ask for a new one.",
    "user_inactive": "The user of this token is not active. Ask an administrator.",
    "tool_not_allowed": "This token does not allow this tool. Use a tool from the list of tools.",
}


class MCPAuthError(Exception):
    """A caller was refused; `reason` is a label out of MESSAGES, the text a sentence without secrets."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(MESSAGES[reason])

    def __reduce__(self) -> tuple[type["MCPAuthError"], tuple[str]]:
        return type(self), (self.reason,)


@sensitive_variables("raw")
def resolve_mcp_user(raw: str | None) -> tuple[AbstractBaseUser, MCPToken]:
    """Return the user, narrowed by the token, and the token of a plain secret, or raise MCPAuthError."""
    if not raw:
        raise MCPAuthError("missing")
    token = _find(raw)
    if reason := _refusal(token):
        raise MCPAuthError(reason)
    token.record_usage()
    _warm(token.user)
    user = narrow_user(token.user, token)
    # Nobody who holds the token reaches more of the user through it.
    MCPToken.user.field.set_cached_value(token, user)
    return user, token


def check_tool_permission(token: MCPToken, tool_name: str) -> None:
    """Raise MCPAuthError when the token's list does not hold this tool."""
    if not token.can_use_tool(tool_name):
        raise MCPAuthError("tool_not_allowed")


@sensitive_variables("raw")
def _find(raw: str) -> MCPToken:
    # Anything of another shape was never issued here and is not worth a query.
    if not PATTERN.fullmatch(raw):
        raise MCPAuthError("invalid")
    try:
        return MCPToken.objects.with_secret(raw)
    except MCPToken.DoesNotExist:
        # The lookup's exception is not chained: error reports would print the frames that hold the secret.
        raise MCPAuthError("invalid") from None


def _refusal(token: MCPToken) -> str | None:
    if not token.is_active:
        return "inactive"
    if token.is_expired:
        return "expired"
    if not getattr(token.user, "is_active", True):
        return "user_inactive"
    return None


def _warm(user: AbstractBaseUser) -> None:
    # ModelBackend keeps the answer on the instance, so that later has_perm() calls need no query.
    if hasattr(user, "get_all_permissions") and not getattr(user, "is_superuser", False):
        user.get_all_permissions()
