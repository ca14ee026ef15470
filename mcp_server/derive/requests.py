"""Requests that tools send through the project itself: its middleware, URL resolver and views, as the calling user."""

import io
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.handlers.base import BaseHandler
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest
from django.http.request import validate_host
from django.http.response import HttpResponseBase
from django.urls import Resolver404, get_script_prefix, resolve, set_script_prefix, set_urlconf
from django.utils import timezone, translation

from mcp_server.context import http_request
from tokens.conf import setting

JSON = "application/json"


@dataclass(frozen=True)
class Origin:
    """Where the MCP message came from, so that a view sees the host, scheme and address it would see over HTTP."""

    host: str
    scheme: str
    address: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """One request to a view: `view` is the callable the path must lead to."""

    view: Any
    method: str
    path: str
    query: Iterable[tuple[str, str]] = ()
    body: bytes = b""
    content_type: str = ""
    accept: str = JSON
    urlconf: str | None = None


class ProjectHandler(BaseHandler):
    """Django's own request handler: MIDDLEWARE, resolver, ATOMIC_REQUESTS and error pages included."""


@lru_cache(maxsize=4)
def _handler(middleware: tuple[str, ...]) -> ProjectHandler:
    handler = ProjectHandler()
    handler.load_middleware()
    return handler


def current_origin() -> Origin:
    """Return where the current message came from; without an HTTP request (stdio), the project's own address."""
    outer = http_request()
    if outer is None:
        return own_origin()
    headers = {name: outer.headers[name] for name in ("accept-language", "user-agent") if name in outer.headers}
    address = outer.client.host if outer.client else "127.0.0.1"
    return Origin(_known_host(outer.headers.get("host", "")), _scheme(outer.scope["scheme"]), address, headers)


def own_origin() -> Origin:
    """Return where clients would connect: for lists, which say the same to a caller wherever they are asked for."""
    public = urlsplit(setting("MCP_PUBLIC_URL"))
    return Origin(_known_host(public.netloc), _scheme(public.scheme), "127.0.0.1")


def send(call: Call, user: AbstractBaseUser, origin: Origin) -> tuple[HttpRequest, HttpResponseBase]:
    """Send the request as this user through the whole project; runs on a database thread.

    Raises Resolver404 where the path leads to another view than the one that was asked for.
    """
    request = build_request(call, user, origin)
    with ExitStack() as stack:
        stack.callback(set_script_prefix, get_script_prefix())
        stack.callback(set_urlconf, None)
        # What middleware activates for a thread must not reach the next message.
        stack.enter_context(translation.override(settings.LANGUAGE_CODE))
        stack.enter_context(timezone.override(None))
        set_script_prefix(settings.FORCE_SCRIPT_NAME or "/")
        # An argument may hold a slash: it must not lead to a view whose rules nobody asked for.
        if resolve(request.path_info, urlconf=call.urlconf).func is not call.view:
            raise Resolver404({"path": request.path_info})
        response = _handler(tuple(settings.MIDDLEWARE)).get_response(request)
    _forget_session(request)
    return request, response


def build_request(call: Call, user: AbstractBaseUser, origin: Origin) -> HttpRequest:
    """Return the request as a WSGI server would have built it, with the user already known to every layer."""
    request: Any = WSGIRequest(_environ(call, origin))
    # AuthenticationMiddleware takes this user in place of one from the session, DRF in place of one from a header.
    request.user = request._cached_user = request._acached_user = request._force_auth_user = user
    # Cross-site forgery needs a browser that adds credentials by itself; here the caller showed a token.
    request._dont_enforce_csrf_checks = True
    if call.urlconf:
        request.urlconf = call.urlconf
    return request  # type: ignore[no-any-return]


def close(response: HttpResponseBase) -> None:
    """Free what the response holds; its own close() would also end the thread's database connections."""
    for closer in response._resource_closers:  # type: ignore[attr-defined]
        closer()


def _environ(call: Call, origin: Origin) -> dict[str, Any]:
    name, _, port = origin.host.rpartition(":") if not origin.host.endswith("]") else (origin.host, "", "")
    environ = {
        "REQUEST_METHOD": call.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": call.path.encode().decode("latin-1"),
        "QUERY_STRING": urlencode(list(call.query)),
        "SERVER_NAME": name if port.isdigit() else origin.host,
        "SERVER_PORT": port if port.isdigit() else ("443" if origin.scheme == "https" else "80"),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": origin.address,
        "HTTP_HOST": origin.host,
        "HTTP_ACCEPT": call.accept,
        "CONTENT_TYPE": call.content_type,
        "CONTENT_LENGTH": str(len(call.body)) if call.body else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": origin.scheme,
        "wsgi.input": io.BytesIO(call.body),
        "wsgi.errors": io.BytesIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    return environ | {f"HTTP_{key.upper().replace('-', '_')}": value for key, value in origin.headers.items()}


def _scheme(outer: str) -> str:
    return "https" if outer == "https" or settings.SECURE_SSL_REDIRECT else "http"


def _known_host(host: str) -> str:
    """Return the host if Django answers to it, else the first name it does answer to."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if name and validate_host(name, settings.ALLOWED_HOSTS):
        return host
    names = [allowed.lstrip(".") for allowed in settings.ALLOWED_HOSTS if allowed != "*"]
    return names[0] if names else "localhost"


def _forget_session(request: Any) -> None:
    # Nobody receives the cookie: a session that the view or a message began would stay for ever.
    session = getattr(request, "session", None)
    if session is not None and session.session_key:
        session.delete()
