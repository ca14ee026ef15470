"""The filters beside a list whose query string is no plain look-up: those written in the project, and emptiness."""

import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.contrib.admin import filters as builtin
from django.contrib.admin.utils import get_fields_from_path
from django.core.exceptions import EmptyResultSet
from django.http import QueryDict

from mcp_server.derive.admin.annotations import secrets_read
from mcp_server.derive.admin.bound import Bound
from mcp_server.derive.admin.refusal import RefusalError
from mcp_server.derive.choices import closest, examples
from mcp_server.derive.secrecy import is_secret

logger = logging.getLogger(__name__)


def own_filters(list_filter: Any) -> list[Any]:
    """Return these filters: they may narrow the list without being asked to."""
    return [item for item in list_filter if _is_own(_filter_class(item))]


def _is_own(kind: Any) -> bool:
    return kind.__module__ != builtin.__name__ or issubclass(kind, builtin.EmptyFieldListFilter)


def _filter_class(item: Any) -> Any:
    if isinstance(item, list | tuple):
        return item[1] if isinstance(item[1], type) else type(item[1])
    return item if isinstance(item, type) else builtin.FieldListFilter


def spec_of(bound: Bound, item: Any) -> Any:
    """Return a filter as the ChangeList would build it while nothing is filtered."""
    # Some look into the address for themselves.
    request = bound.new_request()
    if callable(item):
        return item(request, {}, bound.model, bound.admin)
    path, kind = item
    field = get_fields_from_path(bound.model, path)[-1]
    return kind(field, request, {}, bound.model, bound.admin, field_path=path)


def parameters_of(spec: Any) -> list[str]:
    """Return the names in the query string that a filter listens to."""
    names = spec.expected_parameters()
    return [str(name) for name in ([names] if isinstance(names, str) else names) if name]


def may_use(bound: Bound, spec: Any) -> bool:
    """Tell whether the caller may filter by this: by no secret, and only through models they may view."""
    path = getattr(spec, "field_path", None)
    names = [path] if path else parameters_of(spec)
    return not any(is_secret(name, bound.model) for name in names) and (path is None or bound.may_follow(path))


def own_parameters(bound: Bound) -> dict[str, Any]:
    """Return these filters by the names their values have, without those that cannot say them."""
    found: dict[str, Any] = {}
    for item in own_filters(bound.admin.get_list_filter(bound.request)):
        try:
            spec = spec_of(bound, item)
            found |= dict.fromkeys(parameters_of(spec) if may_use(bound, spec) else (), spec)
        except Exception:
            # At start it is the database that is missing; a list fails over such a filter as the admin's page does.
            logger.debug("A filter of %s is left out: %s", bound.opts.label, _filter_class(item), exc_info=True)
    return found


def choices_of(spec: Any) -> dict[str, str]:
    """Return what a filter offers; one that draws a field to type into offers nothing."""
    pairs = getattr(spec, "lookup_choices", ()) if isinstance(spec, builtin.SimpleListFilter) else ()
    return {str(pair[0]): str(pair[1]) for pair in pairs if isinstance(pair, list | tuple) and len(pair) == 2}


def kind_of(spec: Any) -> Any:
    if isinstance(spec, builtin.EmptyFieldListFilter):
        return "boolean"
    choices = choices_of(spec)
    return examples([*choices.items()]) or choices or "text"


def sent(name: str, spec: Any, value: Any) -> list[str]:
    """Return a value as the filter's links in the sidebar have it; raises RefusalError where there is no such link."""
    if not spec.has_output():
        raise RefusalError(f"filters: {name}: this filter has nothing to choose from now; leave it out.")
    if isinstance(spec, builtin.EmptyFieldListFilter):
        return ["1" if str(value).lower() in ("true", "1") else "0"]
    keys = {label: key for key, label in choices_of(spec).items()} | {key: key for key in choices_of(spec)}
    found = [keys.get(str(item), str(item)) for item in (value if isinstance(value, list) else [value])]
    # In an address several values of such a parameter stand behind one name, with commas between.
    return [",".join(found)] if name.endswith("__in") else found


def _leads_to(spec: Any, changelist: Any, name: str, value: str) -> bool:
    """Tell whether the page offers this value as a link of the filter."""
    links = (str(choice.get("query_string", "")) for choice in spec.choices(changelist))
    return any(value in QueryDict(link.removeprefix("?")).getlist(name) for link in links)


def check_applied(bound: Bound, changelist: Any, given: Mapping[str, Any]) -> None:
    """Refuse a value that a filter does not know: it would ignore it and show everything."""
    for name in given:
        # Of several filters that listen to one name, the first takes its value from the others.
        asked = [spec for spec in changelist.filter_specs if name in parameters_of(spec)]
        known = [key for spec in asked for key in choices_of(spec)]
        # A filter may take more than it offers.
        typed = (spec for spec in asked if _is_own(type(spec)) and not _offers(spec, given[name]))
        if any(_reads_secrets(bound, spec) for spec in typed):
            # Whoever may type what is compared with a secret finds it character by character.
            raise RefusalError(f"filters: {name}: that looks at a secret.")
        if asked and str(given[name]) not in known and all(_is_own(type(s)) and _ignored(bound, s) for s in asked):
            if any(_leads_to(spec, changelist, name, str(given[name])) for spec in asked):
                # A get_queryset of the ModelAdmin's own may do what the filter leaves undone.
                continue
            told = closest([(key, key) for key in known], given[name])
            raise RefusalError(f"filters: {name}: use one of: {told or 'what the filter knows'}.")


def _offers(spec: Any, value: Any) -> bool:
    choices = choices_of(spec)
    offered = {*choices, *choices.values()}
    return all(str(item) in offered for item in (value if isinstance(value, list) else [value]))


def check_known(bound: Bound, given: Mapping[str, Any]) -> None:
    """Refuse a value that is none of its filter's choices; to be asked where the list failed over the filters."""
    for name, spec in own_parameters(bound).items():
        known = choices_of(spec)
        if known and name in given and str(given[name]) not in (*known, *known.values()):
            raise RefusalError(f"filters: {name}: use one of: {closest([*known.items()], given[name])}.")


def _ignored(bound: Bound, spec: Any) -> bool:
    """Tell whether a filter does with this value what it does without one."""
    path = getattr(spec, "field_path", None)
    idle = spec_of(bound, (path, type(spec)) if path else type(spec))
    return _sql(bound, spec) == _sql(bound, idle)


def _reads_secrets(bound: Bound, spec: Any) -> bool:
    """Tell whether a filter compares a secret, beside what the list looks at by itself."""
    own = bound.admin.get_queryset(bound.request)
    return bool(Counter(secrets_read(_narrowed(bound, spec).query)) - Counter(secrets_read(own.query)))


def _sql(bound: Bound, spec: Any) -> str:
    try:
        return str(_narrowed(bound, spec).query)
    except EmptyResultSet:
        return ""


def _narrowed(bound: Bound, spec: Any) -> Any:
    rows = bound.admin.get_queryset(bound.request)
    narrowed = spec.queryset(bound.request, rows)
    return rows if narrowed is None else narrowed
