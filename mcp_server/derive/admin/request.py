"""The request that the admin's own code is given: a real user, session, messages, host and URL."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from io import BytesIO
from typing import Any

from django.conf import settings
from django.contrib.messages import ERROR, WARNING
from django.contrib.messages.storage.base import BaseStorage
from django.core.handlers.wsgi import WSGIRequest
from django.http import QueryDict
from django.urls import NoReverseMatch, Resolver404, get_script_prefix, resolve, reverse
from django.utils.datastructures import MultiValueDict
from django.utils.functional import cached_property
from django.utils.translation import get_language

from mcp_server.derive.admin.values import plain
from mcp_server.derive.requests import Origin


class CollectedMessages(BaseStorage):
    """Keeps what message_user says, so that the tool can tell it."""

    def _get(self, *args: Any, **kwargs: Any) -> tuple[list[Any], bool]:
        return [], True

    def _store(self, messages: Any, response: Any, *args: Any, **kwargs: Any) -> list[Any]:
        return []

    def texts(self, *, marked: bool = True) -> list[str]:
        """Return what was said, without markup; an error is marked as one, which the page does with a colour."""
        return [
            f"{'error: ' if marked and message.level >= ERROR else ''}{plain(message.message)}"
            for message in self._queued_messages  # type: ignore[attr-defined]
        ]

    def complaints(self) -> list[str]:
        """Return the warnings and errors among them."""
        queued = self._queued_messages  # type: ignore[attr-defined]
        return [str(plain(message.message)) for message in queued if message.level >= WARNING]

    def only_errors(self) -> bool:
        said = self._queued_messages  # type: ignore[attr-defined]
        return bool(said) and all(message.level >= ERROR for message in said)


class Asked(MultiValueDict[str, Any]):
    """What a browser sends; a part of it may be put there when somebody looks for it. A copy is of what is there."""

    _parts: tuple[tuple[tuple[str, ...], Callable[[], None]], ...] = ()

    @contextmanager
    def put_when_asked(self, put: Callable[[], None]) -> Iterator[None]:
        """Call `put` when anything is looked for, until this ends."""
        before, part = self._parts, (("",), put)
        self._parts = (part, *before)
        try:
            yield
        finally:
            self._parts = tuple(known for known in self._parts if known is not part)

    def put_once_asked(self, prefixes: tuple[str, ...], put: Callable[[], None]) -> None:
        """Call `put` when a name that begins with one of these is looked for."""
        self._parts = (*self._parts, (prefixes, put))

    def _look(self, name: object = "") -> None:
        for part in [known for known in self._parts if str(name).startswith(known[0])]:
            self._parts = tuple(known for known in self._parts if known is not part)
            part[1]()

    def __contains__(self, name: object) -> bool:
        self._look(name)
        return super().__contains__(name)

    def __getitem__(self, name: str) -> Any:
        self._look(name)
        return super().__getitem__(name)

    def __iter__(self) -> Iterator[str]:
        self._look()
        return super().__iter__()

    def keys(self) -> Any:
        self._look()
        return super().keys()

    def getlist(self, key: str, default: Any = None) -> Any:
        self._look(key)
        return super().getlist(key, default)

    def lists(self) -> Any:
        self._look()
        return super().lists()


class Posted(Asked, QueryDict):
    """The fields of a form."""


class AdminRequest(WSGIRequest):
    """What the admin's views get over HTTP; sessions and URL matches are made when somebody asks."""

    def __init__(self, path: str, *, user: Any, origin: Origin, method: str = "GET") -> None:
        hostname, _, port = origin.host.rpartition(":") if origin.host[-1:].isdigit() else (origin.host, "", "")
        if not hostname:
            hostname, port = origin.host, ""
        super().__init__(
            {
                "REQUEST_METHOD": method,
                "PATH_INFO": path.encode().decode("latin-1"),
                "SCRIPT_NAME": "",
                "QUERY_STRING": "",
                "SERVER_NAME": hostname,
                "SERVER_PORT": port or ("443" if origin.scheme == "https" else "80"),
                "SERVER_PROTOCOL": "HTTP/1.1",
                "HTTP_HOST": origin.host,
                "HTTP_USER_AGENT": origin.headers.get("user-agent", ""),
                "REMOTE_ADDR": origin.address,
                "wsgi.input": BytesIO(),
                "wsgi.url_scheme": origin.scheme,
            }
        )
        self.user = user
        self.GET: Any = QueryDict(mutable=True)
        self._post: Any = Posted(mutable=True)
        self._files: Any = Asked()
        self._messages = CollectedMessages(self)
        # The token in the Authorization header is the proof; there is no cookie that another page could ride on.
        self._dont_enforce_csrf_checks = True

    @cached_property
    def session(self) -> Any:  # type: ignore[override]
        return import_module(settings.SESSION_ENGINE).SessionStore()

    @property
    def resolver_match(self) -> Any:
        if "_match" not in self.__dict__:
            try:
                self.__dict__["_match"] = resolve(self.path_info)
            except Resolver404:
                self.__dict__["_match"] = None
        return self.__dict__["_match"]

    @resolver_match.setter
    def resolver_match(self, value: Any) -> None:
        if value is not None:
            self.__dict__["_match"] = value

    async def auser(self) -> Any:
        return self.user

    def messages(self, *, marked: bool = True) -> list[str]:
        return self._messages.texts(marked=marked)

    def complaints(self) -> str:
        """Return what hooks warned of or called an error, each after a space."""
        return "".join(f" {text}" for text in self._messages.complaints())

    def only_errors(self) -> bool:
        """Tell whether hooks said something, and nothing but errors."""
        return self._messages.only_errors()


def admin_path(site: Any, model: Any, view: str, *args: Any) -> str:
    """Return the path of a model's page in this admin, or "/" where the site is in no URLconf."""
    name = f"{site.name}:{model._meta.app_label}_{model._meta.model_name}_{view}"
    try:
        if args:
            return reverse(name, args=args, current_app=site.name)
        return _list_path(site.name, name, settings.ROOT_URLCONF, get_script_prefix(), get_language())
    except NoReverseMatch:
        return "/"


@lru_cache(maxsize=10_000)
def _list_path(site: str, name: str, *all_that_paths_follow_from: str | None) -> str:
    return reverse(name, current_app=site)


def fill(data: Any, values: Mapping[str, Any]) -> None:
    """Put values, or lists of them, into a QueryDict as a browser would have sent them."""
    for name, value in values.items():
        data.setlist(name, [str(item) for item in value] if isinstance(value, list) else [str(value)])
