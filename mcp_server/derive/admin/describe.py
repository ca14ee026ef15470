"""Answers describe and find_models: what there is, and what this caller may do with it."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from mcp_server.derive.admin.actions import offered
from mcp_server.derive.admin.bound import Bound
from mcp_server.derive.admin.exposure import Exposed
from mcp_server.derive.admin.filters import field_filters, filter_choices
from mcp_server.derive.admin.inlines import formsets_of, inlines_of
from mcp_server.derive.admin.listing import sortable
from mcp_server.derive.admin.reading import foreign_keys, shown_relations
from mcp_server.derive.admin.refusal import words_of
from mcp_server.derive.admin.schema import change_schema, values_schema
from mcp_server.derive.admin.sidebar import kind_of, own_parameters
from mcp_server.derive.choices import examples

logger = logging.getLogger(__name__)

# What Django calls a column by its size is the same to who filters by it.
KINDS = {"integer": ("integer", "auto"), "text": ("char", "text", "slug", "email", "url", "filepath")}


def describe(bound: Bound, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Answer the describe tool."""
    admin, request, opts = bound.admin, bound.request, bound.opts
    # Not get_model_perms, which a ModelAdmin overrides to keep its model out of the index.
    can = {verb: getattr(admin, f"has_{verb}_permission")(request) for verb in ("add", "change", "delete", "view")}
    answer: dict[str, Any] = {
        "model": opts.label_lower,
        "name": str(opts.verbose_name),
        "plural": str(opts.verbose_name_plural),
        "can": [verb for verb, allowed in can.items() if allowed],
        "unique": ["id", *bound.unique_fields()],
    }
    if rule := words_of(type(admin)):
        answer["about"] = rule
    if can["view"] or can["change"]:
        answer |= _listed(bound)
    answer |= _written(bound, can)
    answer["read_only"] = [name for name in _read_only(bound) if name not in answer.get("values", {})]
    return {name: value for name, value in answer.items() if value not in ([], {}, None)}


def _listed(bound: Bound) -> dict[str, Any]:
    admin, request = bound.admin, bound.request
    own = {name: kind_of(spec) for name, spec in own_parameters(bound).items() if spec.has_output()}
    return {
        "columns": list(bound.columns()),
        "search": [str(name).lstrip("^=@") for name in admin.get_search_fields(request)],
        "order": list(sortable(bound)),
        "filters": own | {name: _kind(field) for name, field in field_filters(bound).items()},
        "foreign_keys": list(foreign_keys(bound)),
        "relations": list(shown_relations(bound)),
        "actions": offered(bound),
    }


def _kind(field: Any) -> Any:
    if choices := filter_choices(field):
        return examples(choices) or [str(key) for key, _ in choices]
    if field.is_relation:
        return f"id or label of {field.related_model._meta.verbose_name}"
    kind = str(field.get_internal_type().removesuffix("Field").lower())
    return next((plain for plain, kinds in KINDS.items() if kind.endswith(kinds)), kind)


def _written(bound: Bound, can: Mapping[str, bool]) -> dict[str, Any]:
    """Return what create and update take; what only one of them takes says so."""
    add = values_schema(bound, full=True)["properties"] if can["add"] else {}
    change = change_schema(bound, full=True).get("properties", {}) if can["change"] else {}
    if add and change:
        add |= {name: add[name] | {"only": "create"} for name in add.keys() - change.keys()}
        change = {name: field | {"only": "update"} for name, field in change.items() if name not in add}
    return {"values": add | change}


def _read_only(bound: Bound) -> list[str]:
    return bound.on_sample(lambda row: [*bound.detail(row), *_inline_names(bound, row)], [])


def _inline_names(bound: Bound, row: Any) -> list[str]:
    return [item.name for item in inlines_of(bound, formsets_of(bound, row))]


def find_models(
    tools: Iterable[Exposed], known: Iterable[Exposed], bind: Callable[[Exposed], Bound]
) -> Iterator[dict[str, Any]]:
    """Yield the models this caller may use, and the verbs their tools have; those only known have none."""
    for exposed, is_known in (*((item, False) for item in tools), *((item, True) for item in known)):
        if can := _rights(exposed, bind):
            opts, has = exposed.model._meta, {"tools": ""} if is_known else {"tools": f"*_{exposed.noun}", "can": can}
            yield {"model": opts.label_lower, "name": str(opts.verbose_name_plural), **has}


def _rights(exposed: Exposed, bind: Callable[[Exposed], Bound]) -> list[str]:
    try:
        bound = bind(exposed)
        if not exposed.site.has_permission(bound.request):
            return []
        return [verb for verb, allowed in bound.admin.get_model_perms(bound.request).items() if allowed]
    except Exception:
        # One ModelAdmin that cannot answer must not cost everybody the others.
        logger.exception("%s is not found: its ModelAdmin could not say who may use it", exposed.label)
        return []


def named(models: Iterable[dict[str, Any]], part: str) -> dict[str, Any]:
    """Answer find_models: those of the models that have this in one of their names."""
    term = part.lower()
    return {"models": [item for item in models if term in " ".join(map(str, item.values())).lower()]}
