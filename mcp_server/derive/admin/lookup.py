"""Finds the row that a caller names by its id, a unique field or its label."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.admin import ModelAdmin
from django.contrib.admin.utils import quote
from django.core.exceptions import ValidationError
from django.urls import NoReverseMatch

from mcp_server.context import token_has
from mcp_server.derive.admin.arguments import MAX_TERM
from mcp_server.derive.admin.bound import Bound, unique_names
from mcp_server.derive.admin.exposure import WRITING, overrides
from mcp_server.derive.admin.refusal import RefusalError
from mcp_server.derive.admin.values import label_of

# The views in which a ModelAdmin can call another's in place of its own.
HANDING = ("change_view", "changeform_view")
# Arguments of the tools that name a row; a field of the same name is given within `id`.
ARGUMENTS = ("values", "fields", "can", "dry_run", "relation", "offset")
# How many rows are compared by their label, which no database can look up.
MAX_LABELS = 200
MAX_SIMILAR = 3


class NoSuchRowError(RefusalError):
    """Nothing that the caller may see has this name."""


def find_row(bound: Bound, arguments: Mapping[str, Any]) -> Any:
    """Return the row named by `id` or by one unique field, through the ModelAdmin's own queryset."""
    if arguments.get("id") is not None and not arguments.keys() & set(unique_names(bound.model)) - set(ARGUMENTS):
        return find(bound, arguments["id"])
    # A unique column may be called "id" without being the key.
    known = dict.fromkeys(name for name in ("id", *bound.unique_fields()) if name not in ARGUMENTS)
    names = [name for name in known if arguments.get(name) is not None]
    if len(names) != 1:
        allowed = " or ".join(known)
        raise RefusalError(f"Name one row by {allowed}.")
    name = names[0]
    ref = arguments[name] if name == "id" else {name: arguments[name]}
    return find(bound, ref)


def find(bound: Bound, ref: Any) -> Any:
    """Return the row that `ref` names: an id, a unique value, a label, or an object with one of them."""
    if is_key(bound.opts.pk, ref):
        # Nothing else is called like this, and the admin looks it up in one query.
        row = bound.admin.get_object(bound.request, str(ref))
        if row is not None:
            return row
    queryset = bound.admin.get_queryset(bound.request)
    if not bound.opens(None):
        # Who only adds or deletes sees no list: any other name would tell what is in it.
        ref = {"id": ref.get("id") if isinstance(ref, Mapping) else ref}
    pk = resolve(queryset, ref, search=bound)
    row = bound.admin.get_object(bound.request, str(pk))
    if row is None:
        raise missing(bound.opts, ref)
    return row


def handed(bound: Bound, row: Any, verb: str) -> tuple[Bound, Any]:
    """Return whose page the row has, and the row: a ModelAdmin may leave a special kind of row to that kind's own."""
    model = _shown_as(bound, row)
    if model is bound.model:
        return bound, row
    exposed = bound.exposed.peers.get(model)
    what = f"This {bound.opts.verbose_name} is a {model._meta.verbose_name}, for which"
    if exposed is None or verb not in exposed.verbs:
        raise RefusalError(f"{what} there is no tool {verb}.")
    # A token that was given the tools of one kind was not given those of another.
    if not any(token_has(exposed.tool_name(name)) for name in ({verb, "bulk"} if verb in WRITING else {verb})):
        raise RefusalError(f"{what} your token has no tool {exposed.tool_name(verb)}.")
    other = Bound(exposed, bound.user, bound.origin)
    # That kind's own rules decide which of its rows there are.
    found = other.admin.get_object(other.request, str(row.pk))
    if found is None:
        raise missing(other.opts, row.pk)
    return other, found


def _shown_as(bound: Bound, row: Any) -> Any:
    """Return the model whose ModelAdmin answers for the row's page; only the page itself knows."""
    kinds = [model for model in bound.site._registry if issubclass(model, bound.model) and model is not bound.model]
    if not kinds or not overrides(type(bound.admin), ModelAdmin, HANDING):
        return bound.model
    try:
        shown = bound.admin.change_view(bound.new_request("change", quote(row.pk)), str(quote(row.pk)))
    except NoReverseMatch:
        # A site that is in no URLconf has no pages to ask.
        return bound.model
    model = getattr((getattr(shown, "context_data", None) or {}).get("opts"), "model", None)
    if model is None:
        # It sends whoever asks elsewhere.
        raise missing(bound.opts, row.pk)
    return model if model in kinds else bound.model


def is_key(field: Any, ref: Any) -> bool:
    """Tell whether `ref` can be nothing but a primary key: a number, or a UUID where that is the key."""
    while field.remote_field:
        field = field.target_field
    kind = field.get_internal_type()
    if isinstance(ref, int) and not isinstance(ref, bool):
        return kind.endswith(("AutoField", "IntegerField")) and abs(ref) < 2**63
    return isinstance(ref, str) and kind == "UUIDField" and key_of(field, ref) is not None


def find_pks(bound: Bound, refs: Iterable[Any]) -> list[Any]:
    """Return the ids of many named rows, in their order and in few queries; raises for those that are not there."""
    refs = list(refs)
    queryset = bound.admin.get_queryset(bound.request)
    if not bound.opens(None):
        return [find(bound, ref).pk for ref in refs]
    keys = [key for key in (key_of(bound.opts.pk, ref) for ref in refs) if key is not None]
    known = set(queryset.filter(pk__in=keys).order_by().values_list("pk", flat=True)) if keys else set()
    found = []
    for ref in refs:
        key = key_of(bound.opts.pk, ref)
        found.append(key if key in known else resolve(queryset, ref, search=bound))
    return found


def resolve(queryset: Any, ref: Any, *, search: Bound | None) -> Any:
    """Return the primary key of the row in the queryset that `ref` names; raises NoSuchRowError.

    Without a ModelAdmin to search no field is known to be shown, so that only ids and labels are names.
    """
    model = queryset.model
    unique = [] if search is None else search.unique_fields()
    if isinstance(ref, Mapping):
        return _by_mapping(queryset, ref, unique, search)
    if isinstance(ref, bool) or not isinstance(ref, int | str):
        raise NoSuchRowError(f"A {model._meta.verbose_name} is named by its id, a unique field or its label.")
    found = set(_matches(queryset, "pk", model._meta.pk, ref))
    if not found or isinstance(ref, str):
        for name in unique:
            found |= set(_matches(queryset, name, model._meta.get_field(name), ref))
    if len(found) > 1:
        # An id of one row may be a unique value of another: guessing would write to the wrong one.
        forms = ", ".join(f'{{"{name}": "{ref}"}}' for name in ("id", *unique))
        raise NoSuchRowError(f"{ref!r} names several {model._meta.verbose_name_plural}; say which: {forms}.")
    return found.pop() if found else _by_label(queryset, str(ref), search)


def _by_mapping(queryset: Any, ref: Mapping[str, Any], unique: list[str], search: Bound | None) -> Any:
    opts = queryset.model._meta
    for name in ("id", "pk", *unique):
        if (value := ref.get(name)) is not None:
            columns = ["pk"] * (name in ("id", "pk")) + [name] * (name in unique)
            fields = {column: opts.pk if column == "pk" else opts.get_field(column) for column in columns}
            found = {pk for column, field in fields.items() for pk in _matches(queryset, column, field, value)}
            if len(found) != 1:
                raise missing(opts, value, _similar(queryset, value, search))
            return found.pop()
    if isinstance(ref.get("label"), str):
        return _by_label(queryset, ref["label"], search)
    raise NoSuchRowError(f"A {opts.verbose_name} is named by one of: {', '.join(('id', *unique, 'label'))}.")


def _matches(queryset: Any, column: str, field: Any, value: Any) -> list[Any]:
    key = key_of(field, value)
    if key is None:
        return []
    return list(queryset.filter(**{column: key}).order_by().values_list("pk", flat=True).distinct()[:2])


def key_of(field: Any, value: Any) -> Any:
    """Return the value as the field has it, or None where it can be none of its values."""
    if isinstance(value, Mapping):
        value = value.get("id")
    if value is None or isinstance(value, bool | list):
        return None
    while field.remote_field:
        field = field.target_field
    try:
        key = field.to_python(value)
        # 12 and "012" are not the same code, and an integer too large for the column names nothing.
        field.run_validators(key)
    except (ValidationError, ValueError, TypeError, OverflowError):
        return None
    return None if isinstance(key, str) and "\x00" in key else key


def _by_label(queryset: Any, label: str, search: Bound | None) -> Any:
    found: set[Any] = set()
    if len(label) > MAX_TERM:
        raise missing(queryset.model._meta, label)
    if search is not None and search.admin.get_search_fields(search.request) and "\x00" not in label:
        rows, _ = search.admin.get_search_results(search.request, queryset, label)
        found = _called(rows, label)
    # A label may be made of what is not searched, such as the name of a choice.
    found = found or _called(queryset, label)
    if len(found) > 1:
        raise NoSuchRowError(f"Several {queryset.model._meta.verbose_name_plural} are called {label!r}: give an id.")
    if not found:
        raise missing(queryset.model._meta, label, _similar(queryset, label, search))
    return found.pop()


def _similar(queryset: Any, name: Any, search: Bound | None) -> list[str]:
    """Return what a wrong name may have meant, among the rows the caller could have searched."""
    if search is None or not isinstance(name, str) or not name.strip() or "\x00" in name:
        return []
    if len(name) > MAX_TERM:
        return []
    if not search.admin.get_search_fields(search.request) or not search.may_view(search.model):
        return []
    rows, _ = search.admin.get_search_results(search.request, queryset, name)
    return list(dict.fromkeys(map(label_of, rows[: MAX_SIMILAR * 3])))[:MAX_SIMILAR]


def _called(rows: Any, label: str) -> set[Any]:
    return {row.pk for row in rows[:MAX_LABELS] if label_of(row) == label}


def missing(opts: Any, ref: Any, similar: Iterable[str] = ()) -> NoSuchRowError:
    named = ref if isinstance(ref, int) else repr(ref)[:80]
    hint = f"Similar: {', '.join(similar)}." if similar else "Give its id, a unique field or its label."
    return NoSuchRowError(f"You see no {opts.verbose_name} {named}. {hint}")
