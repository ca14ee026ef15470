"""Authenticates callers: a bearer token at the HTTP layer, MCP_TOKEN in the environment elsewhere."""

import copy
import os
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import DatabaseError, InterfaceError
from django.utils.module_loading import import_string
from django.views.decorators.debug import sensitive_variables
from fastmcp.server.auth import AccessToken, TokenVerifier
from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend
from pydantic import PrivateAttr
from starlette.authentication import AuthenticationError
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.conf import setting
from mcp_server.http_limits import HttpRateLimitMiddleware
from mcp_server.metrics import AUTH_FAILURES
from mcp_server.orm import in_database
from tokens.auth import MCPAuthError, digest_of
from tokens.models import MCPToken
from tokens.signals import principal_changed

CACHE_SIZE = 10_000
RETRY_SECONDS = 5


@dataclass(frozen=True)
class Principal:
    """A verified caller: the user, already narrowed by the token, and the token."""

    user: AbstractBaseUser
    token: MCPToken

    def for_one_message(self) -> "Principal":
        # What a tool does to its user object must not reach the next message.
        return replace(self, user=copy.copy(self.user))


class PrincipalCache:
    """Remembers verified callers by digest for MCP_TOKEN_CACHE_SECONDS; forgets all when anything of theirs changes."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, tuple[float, Principal]] = OrderedDict()
        self._generation = 0
        principal_changed.connect(self.clear)

    def clear(self, **kwargs: Any) -> None:
        self._generation += 1
        self._entries.clear()

    async def principal(self, raw: str) -> Principal:
        """Return the caller of this plain token, or raise MCPAuthError."""
        digest = digest_of(raw)
        until, known = self._entries.get(digest, (0.0, None))
        if known is None or until <= time.monotonic() or not known.token.is_valid:
            generation = self._generation
            known = await in_database(authenticate, raw)
            # Something changed while the database answered: what it said may be the old state.
            if generation == self._generation:
                self._remember(digest, known)
        return known.for_one_message()

    def _remember(self, digest: str, principal: Principal) -> None:
        self._entries[digest] = (time.monotonic() + setting("MCP_TOKEN_CACHE_SECONDS"), principal)
        self._entries.move_to_end(digest)
        while len(self._entries) > CACHE_SIZE:
            self._entries.popitem(last=False)


principals = PrincipalCache()


@sensitive_variables("raw")
def authenticate(raw: str) -> Principal:
    """Ask each of MCP_AUTHENTICATORS; the first that knows the token decides. Raises MCPAuthError."""
    for path in setting("MCP_AUTHENTICATORS"):
        try:
            return Principal(*import_string(path)(raw))
        except MCPAuthError as error:
            if error.reason != "invalid":
                raise
    raise MCPAuthError("invalid")


async def environment_principal() -> Principal | None:
    """Return the caller where there is no HTTP request (stdio): the owner of MCP_TOKEN.

    Raises MCPAuthError for a bad token, and without one unless MCP_REQUIRE_AUTH is off.
    """
    raw = os.environ.get("MCP_TOKEN", "")
    try:
        if raw:
            return await principals.principal(raw)
        if setting("MCP_REQUIRE_AUTH"):
            raise MCPAuthError("missing")
    except MCPAuthError as error:
        AUTH_FAILURES.labels(error.reason).inc()
        raise
    return None


class DjangoAccessToken(AccessToken):
    """The access token of a Django user; holds the digest where others hold the secret."""

    _principal: Principal = PrivateAttr()

    @property
    def principal(self) -> Principal:
        return self._principal

    @classmethod
    def of(cls, principal: Principal, digest: str) -> "DjangoAccessToken":
        # Sessions are bound to client and subject: another token, even of the same user, is another caller.
        access = cls(token=digest, client_id=f"token-{principal.token.pk}", subject=str(principal.user.pk), scopes=[])
        access._principal = principal
        return access


class DatabaseUnavailableError(AuthenticationError):
    """The caller could not be checked; nothing is known against the token."""


class DjangoTokenVerifier(TokenVerifier):
    """Verifies MCP tokens at the HTTP layer: 401 before any MCP code runs, 503 while the database is away."""

    @sensitive_variables("token")
    async def verify_token(self, token: str) -> AccessToken | None:
        try:
            return DjangoAccessToken.of(await principals.principal(token), digest_of(token))
        except MCPAuthError as error:
            AUTH_FAILURES.labels(error.reason).inc()
            return None
        except (DatabaseError, InterfaceError):
            AUTH_FAILURES.labels("database_unavailable").inc()
            raise DatabaseUnavailableError from None

    def get_middleware(self) -> list[Middleware]:
        return [
            Middleware(AuthenticationMiddleware, backend=BearerAuthBackend(self), on_error=_service_unavailable),
            Middleware(AuthContextMiddleware),
            Middleware(RequireTokenMiddleware),
            Middleware(HttpRateLimitMiddleware),
        ]


def _service_unavailable(request: HTTPConnection, error: Exception) -> Response:
    # Never 401: clients throw credentials away that were refused.
    body = {"error": "temporarily_unavailable", "error_description": f"Try again in {RETRY_SECONDS} seconds."}
    return JSONResponse(body, status_code=503, headers={"Retry-After": str(RETRY_SECONDS)})


class RequireTokenMiddleware:
    """Answers 401 on every method and path of the transport unless a verified caller sent the request (RFC 6750)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        public = scope["type"] != "http" or scope["path"].startswith("/.well-known/")
        if public or scope["user"].is_authenticated:
            await self.app(scope, receive, send)
            return
        sent = next((value for name, value in scope["headers"] if name == b"authorization"), None)
        if sent is None and not setting("MCP_REQUIRE_AUTH"):
            await self.app(scope, receive, send)
            return
        await self._refusal(sent or b"")(scope, receive, send)

    def _refusal(self, sent: bytes) -> Response:
        # RFC 6750 section 3.1: no error code for a request without credentials, or with those of another scheme.
        if not sent.lower().startswith(b"bearer "):
            AUTH_FAILURES.labels("missing").inc()
            body, challenge = {"error_description": str(MCPAuthError("missing"))}, "Bearer"
        else:
            text = "The bearer token is unknown, expired or revoked. Ask for a new one."
            body = {"error": "invalid_token", "error_description": text}
            challenge = f'Bearer error="invalid_token", error_description="{text}"'
        return JSONResponse(body, status_code=401, headers={"WWW-Authenticate": challenge})
