"""What a view asks of its callers: found in its decorators, through whatever wraps it, and in its mixins."""

import inspect
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin, PermissionRequiredMixin, UserPassesTestMixin
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse

from mcp_server.derive.requests import Call, build_request, own_origin

logger = logging.getLogger(__name__)

LOGIN_TEST = "django.contrib.auth.decorators"


@dataclass
class Rules:
    """Tests of a user, the names of the permissions among them, and the methods that are taken."""

    tests: list[Callable[[Any], Any]] = field(default_factory=list)
    permissions: list[str] = field(default_factory=list)
    methods: set[str] | None = None
    # Whether more than a login is asked for.
    is_guarded: bool = False

    def let_in(self, user: Any, name: str) -> bool:
        """Tell whether the user passes all tests; one that needs more than the user fails closed."""
        try:
            return all(test(user) for test in self.tests)
        except PermissionDenied:
            return False
        except Exception:
            logger.warning("The rules of the view %s cannot be asked before a call; it is hidden.", name)
            return False


def rules_of(callback: Any) -> Rules:
    """Return what the view and everything around it asks for."""
    rules = Rules()
    for layer in layers(callback):
        _read_decorator(layer, rules)
    view_class = view_class_of(callback)
    if view_class is not None:
        _read_class(callback, view_class, rules)
    return rules


def view_class_of(callback: Any) -> Any:
    return next((layer.view_class for layer in layers(callback) if hasattr(layer, "view_class")), None)


def layers(callback: Any) -> Iterator[Any]:
    """Yield the callable and all it wraps: by __wrapped__, or by a closure where a decorator forgot to say so."""
    waiting, seen = [callback], set()
    while waiting:
        layer = waiting.pop()
        if id(layer) in seen or not callable(layer):
            continue
        seen.add(id(layer))
        yield layer
        waiting += [getattr(layer, "__wrapped__", None), getattr(layer, "func", None), *_wrapped_in(layer)]


def _wrapped_in(layer: Any) -> Iterator[Any]:
    held = _closure(layer)
    for name in ("view_func", "func", "view", "function", "fn", "f", "get_response"):
        if inspect.isroutine(held.get(name)):
            yield held[name]


def _closure(function: Any) -> dict[str, Any]:
    code, cells = getattr(function, "__code__", None), getattr(function, "__closure__", None)
    if code is None or not cells:
        return {}
    values = {}
    for name, cell in zip(code.co_freevars, cells, strict=True):
        try:
            values[name] = cell.cell_contents
        except ValueError:
            continue
    return values


def _read_decorator(layer: Any, rules: Rules) -> None:
    held = _closure(layer)
    if methods := held.get("request_method_list"):
        allowed = set(methods)
        rules.methods = allowed if rules.methods is None else rules.methods & allowed
    test = held.get("test_func")
    if callable(test):
        rules.tests.append(test)
        names = _closure(test).get("perms")
        if names:
            rules.permissions += list(names)
        rules.is_guarded |= bool(names) or getattr(test, "__module__", "") != LOGIN_TEST
    for decorator in _method_decorators(held):
        for inner in layers(decorator(lambda request, *args, **kwargs: HttpResponse())):
            _read_decorator(inner, rules)


def _method_decorators(held: dict[str, Any]) -> list[Any]:
    decorators = held.get("decorators", [])
    return list(decorators) if isinstance(decorators, list | tuple) else [decorators]


def _read_class(callback: Any, view_class: Any, rules: Rules) -> None:
    initkwargs: dict[str, Any] = next(
        (layer.view_initkwargs for layer in layers(callback) if hasattr(layer, "view_initkwargs")), {}
    )
    for layer in layers(view_class.dispatch):
        _read_decorator(layer, rules)
    allowed = {name.upper() for name in view_class.http_method_names if hasattr(view_class, name)}
    rules.methods = allowed if rules.methods is None else rules.methods & allowed
    if issubclass(view_class, LoginRequiredMixin):
        rules.tests.append(lambda user: user.is_authenticated)
    if issubclass(view_class, PermissionRequiredMixin | UserPassesTestMixin):
        rules.is_guarded = True
        rules.tests.append(lambda user: _ask_mixins(callback, view_class(**initkwargs), user))
        required = getattr(view_class, "permission_required", None) or ()
        rules.permissions += [required] if isinstance(required, str) else list(required)


def _ask_mixins(callback: Any, view: Any, user: Any) -> bool:
    view.setup(build_request(Call(callback, "GET", "/"), user, own_origin()))
    if isinstance(view, PermissionRequiredMixin) and not view.has_permission():
        return False
    return not isinstance(view, UserPassesTestMixin) or bool(view.get_test_func()())
