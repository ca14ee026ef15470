"""Answers the tools that look at one row: get, related, history and autocomplete."""

import json
from collections.abc import Iterator, Mapping
from functools import reduce
from operator import or_
from typing import Any

from django.contrib.admin.utils import quote
from django.core.exceptions import PermissionDenied
from django.db.models import CharField, OneToOneRel, Q
from django.utils import translation

from mcp_server.derive.admin.arguments import term_of
from mcp_server.derive.admin.bound import Bound, model_field
from mcp_server.derive.admin.exposure import inlines_known
from mcp_server.derive.admin.filters import field_filters
from mcp_server.derive.admin.form_classes import form_class_of
from mcp_server.derive.admin.inlines import formsets_of, inlines_of, read_inlines, viewable_inlines
from mcp_server.derive.admin.listing import page_of
from mcp_server.derive.admin.lookup import MAX_LABELS, find_row, handed
from mcp_server.derive.admin.refusal import RefusalError
from mcp_server.derive.admin.request import fill
from mcp_server.derive.admin.rows import cut_json, cut_pair, identity, in_order, is_new, listed, named, rights
from mcp_server.derive.admin.schema import added_fields, form_fields
from mcp_server.derive.admin.values import label_of, name_of, plain, read, text_of


def get_row(bound: Bound, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Answer the get tool: the form's fields and the read-only ones, no others, and the inlines."""
    bound, row = viewed(bound, arguments, "get")
    answer = named(bound, row)
    fields = bound.detail(row) | added_fields(bound, row)
    wanted = arguments.get("fields") or None
    # The inlines are only asked for where the form's own fields are not all that is wanted.
    inlines = {} if wanted and {"id", "label", *fields} >= set(wanted) else read_inlines(bound, row)
    if wanted:
        allowed = [*fields, *(name for name in inlines if name not in fields)]
        if unknown := [name for name in wanted if name not in ("id", "label", *allowed)]:
            raise RefusalError(f"fields: {', '.join(unknown)[:80]} cannot be read. Allowed: {', '.join(allowed)}.")
        fields, inlines = ({name: of[name] for name in wanted if name in of} for of in (fields, inlines))
    answer |= {name: _value(bound, name, field, row) for name, field in fields.items() if is_new(name, answer)}
    answer |= {name: rows for name, rows in inlines.items() if name not in answer}
    return answer | ({"can": rights(bound, row)} if arguments.get("can") else {})


def _value(bound: Bound, name: str, field: Any, row: Any) -> Any:
    if model_field(bound.model, field) is None and not callable(field) and not _computed(bound, name):
        # A field of the form alone: only the form knows what it starts with.
        form = form_class_of(bound.admin, bound.request, row, change=True)(instance=row)
        return plain(form.get_initial_for_field(form.fields[name], name)) if name in form.fields else None
    return read(field, row, bound.admin)


def _computed(bound: Bound, name: str) -> bool:
    return hasattr(bound.admin, name) or hasattr(bound.model, name)


def viewed(bound: Bound, arguments: Mapping[str, Any], verb: str) -> tuple[Bound, Any]:
    """Return the named row and whose page it has, if the caller may see it, as the admin's change page asks."""
    bound, row = handed(bound, find_row(bound, arguments), verb)
    if not bound.admin.has_view_or_change_permission(bound.request, row):
        raise PermissionDenied(f"You may not see {label_of(row)}.")
    # Hooks of inlines and forms find the row in the address of its page.
    bound.request = bound.new_request("change", quote(row.pk))
    return bound, row


def relations(bound: Bound) -> dict[str, Any]:
    """Return the ways from this model to rows of models that have an admin of their own and that the caller sees."""
    found = {}
    for field in bound.opts.get_fields():
        related = field.related_model
        is_way = field.one_to_many or (
            field.many_to_many and (field.auto_created or model_field(bound.model, field.name))
        )
        # What an inherited model adds to a row is no other row.
        is_way = is_way or (isinstance(field, OneToOneRel) and not field.parent_link)
        if not is_way or not related or isinstance(related, str) or related not in bound.exposed.peers:
            continue
        name = field.get_accessor_name() if field.auto_created else field.name
        # A field that is no plain many-to-many may promise a way back that it does not make.
        if name and hasattr(bound.model, name) and bound.exposed.shows(name) and _may_list(bound, related):
            found[name] = field
    return found


def shown_relations(bound: Bound, row: Any = None) -> dict[str, Any]:
    """Return those whose two ends the caller sees: the field that ties the rows is in a form, list or filter."""
    return {name: field for name, field in relations(bound).items() if _sees_tie(bound, field, row)}


def has_relations(bound: Bound) -> bool:
    return any(_sees_tie(bound, field) for field in relations(bound).values())


def _sees_tie(bound: Bound, field: Any, row: Any = None) -> bool:
    if not field.auto_created:
        return field.name in bound.declared() or (not field.many_to_many and _in_an_inline(bound, field, row))
    other = Bound(bound.exposed.peers[field.related_model], bound.user, bound.origin)
    return field.field.name in field_filters(other) or _in_an_inline(bound, field, row)


def _in_an_inline(bound: Bound, field: Any, row: Any) -> bool:
    """Tell whether an inline shows the rows: below their parent, and so without the way back."""
    if row is None:
        # Which of them this caller has is known when it is known for which row.
        known = inlines_known(bound.exposed.model_admin)
        return any(inline.model is field.related_model for inline in known)
    tie = field.field.name if field.auto_created else getattr(field, "object_id_field_name", None)
    shown = (inline for inline in viewable_inlines(bound, row) if inline.admin.model is field.related_model)
    return any(tie in (inline.back, getattr(inline.admin, "ct_fk_field", None)) for inline in shown)


def _may_list(bound: Bound, model: Any) -> bool:
    return bool(bound.peer(model).has_view_or_change_permission(bound.request))


def related_rows(bound: Bound, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Answer the related tool: how many rows each relation has, or the rows of one."""
    bound, row = viewed(bound, arguments, "related")
    ways = shown_relations(bound, row)
    name = arguments.get("relation")
    if name is None:
        counts = {way: _related(bound, row, way, field)[1].count() for way, field in ways.items()}
        return {"of": named(bound, row), "counts": counts}
    if name not in ways:
        raise RefusalError(f"relation: use one of: {', '.join(ways) or 'none'}.")
    other, rows = _related(bound, row, name, ways[name])
    offset, limit = page_of(arguments)
    found = list(rows[offset : offset + limit + 1])
    # The way back says of every row what the caller asked for.
    back = "" if ways[name].many_to_many else getattr(getattr(ways[name], "remote_field", None), "name", "")
    columns = {column: value for column, value in other.columns().items() if column != back}
    answer: dict[str, Any] = {"rows": listed(other, found[:limit], columns)}
    return answer | ({"next_offset": offset + limit} if len(found) > limit else {"total": offset + len(found)})


def _related(bound: Bound, row: Any, name: str, field: Any) -> tuple[Bound, Any]:
    other = Bound(bound.exposed.peers[field.related_model], bound.user, bound.origin)
    rows = other.admin.get_queryset(other.request)
    if field.one_to_one:
        return other, in_order(rows.filter(**{field.field.name: row}))
    return other, in_order(rows.filter(pk__in=getattr(row, name).order_by().values("pk")))


def history(bound: Bound, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Answer the history tool from the admin's log, newest first."""
    from django.contrib.admin.models import LogEntry
    from django.contrib.admin.options import get_content_type_for_model

    bound, row = viewed(bound, arguments, "history")
    offset, limit = page_of(arguments)
    entries = LogEntry.objects.filter(
        object_id=str(row.pk), content_type=get_content_type_for_model(bound.model)
    ).select_related("user")
    found = list(entries.order_by("-action_time", "-pk")[offset : offset + limit + 1])
    shown = _shown_fields(bound, row)
    answer: dict[str, Any] = {"of": named(bound, row), "entries": [_entry(shown, entry) for entry in found[:limit]]}
    return answer | ({"next_offset": offset + limit} if len(found) > limit else {})


def _shown_fields(bound: Bound, row: Any) -> dict[str, set[str]]:
    """Return the fields whose values this caller sees: of the row, under "", and of its inlines by their names."""
    shown = {"": {*bound.columns(), *bound.detail(row)}}
    # The admin writes its messages without a language.
    with translation.override(None):
        for inline in viewable_inlines(bound, row):
            shown.setdefault(str(inline.admin.opts.verbose_name), set()).update(inline.fields(bound.request, row))
    return shown


def _entry(shown_fields: Mapping[str, set[str]], entry: Any) -> dict[str, Any]:
    changes = dict(_changes(shown_fields, entry.change_message))
    shown = {"who": entry.user.get_username(), "when": plain(entry.action_time), "what": text_of(str(entry))}
    if message := entry.get_change_message():
        shown["what"] = text_of(message)
    return shown | ({"changes": changes} if changes else {})


def _changes(shown: Mapping[str, set[str]], message: str) -> Iterator[tuple[str, Any]]:
    """Yield field and [old, new] as the tools write them into the log beside what the admin does."""
    try:
        parts = json.loads(message)
    except ValueError:
        return
    for part in parts if isinstance(parts, list) else []:
        changed: Any = part.get("changed") if isinstance(part, dict) else None
        values = changed.get("values") if isinstance(changed, dict) else None
        if not isinstance(values, dict):
            continue
        prefix = f"{changed['object']}: " if changed.get("object") else ""
        fields = shown.get(str(changed.get("name") or ""), set())
        shown_values = {name: pair for name, pair in values.items() if name in fields}
        yield from ((f"{prefix}{name}", _cut(pair)) for name, pair in shown_values.items())


def _cut(pair: Any) -> Any:
    # A project may log what it likes under the same name.
    return cut_pair(pair) if isinstance(pair, list) and len(pair) == 2 else cut_json(pair)


def autocomplete(bound: Bound, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Answer the autocomplete tool: rows of this model, or values for one of its foreign keys."""
    other: Bound | None
    term, (offset, limit) = term_of(arguments.get("search", "")), page_of(arguments)
    field = arguments.get("field")
    if field is None:
        other, rows = bound, searched(bound, bound.admin.get_queryset(bound.request), term)
    else:
        other, rows = _choices(bound, field, term)
    found = list(rows[offset : offset + limit + 1])
    answer: dict[str, Any] = {"rows": [named(other, row) if other else identity(row) for row in found[:limit]]}
    return answer | ({"next_offset": offset + limit} if len(found) > limit else {})


def searched(bound: Bound, rows: Any, term: str) -> Any:
    """Return what the admin's own search finds; raises RefusalError where nobody said what is searched."""
    if term and not bound.admin.get_search_fields(bound.request):
        raise RefusalError(f"search: {bound.opts.verbose_name_plural} cannot be searched. Leave it out.")
    rows, duplicates = bound.admin.get_search_results(bound.request, rows, term)
    return in_order(rows.distinct() if duplicates else rows)


def _choices(bound: Bound, name: str, term: str) -> tuple[Bound | None, Any]:
    """Return what the form offers for a foreign key, narrowed as the admin's own autocomplete view narrows it."""
    known = foreign_keys(bound)
    if name not in known:
        told = f"use one of: {', '.join(known)}." if known else "there is none to look up; leave it out."
        raise RefusalError(f"field: {told}")
    field = known[name]
    other = bound.other(field.related_model)
    if other is None:
        # No page of their own shows these rows: the form offers what it offers, by their labels.
        return None, by_label(_form_choices(bound, name), term)
    _ask_as_the_view(other.request, field, term)
    rows = other.admin.get_queryset(other.request).complex_filter(field.get_limit_choices_to())
    rows = _offered(bound, name, rows)
    if not other.admin.get_search_fields(other.request):
        return other, _by_text(other, rows, term)
    return other, searched(other, rows, term)


def _offered(bound: Bound, name: str, rows: Any) -> Any:
    """Return the rows without those that the form would refuse: formfield_for_foreignkey may narrow its choices."""
    queryset = getattr(_changed_fields(bound).get(name), "queryset", None)
    if queryset is None or not (queryset.query.where or queryset.query.is_sliced):
        return rows
    keys = queryset.order_by().values("pk") if not queryset.query.is_sliced else [row.pk for row in queryset]
    return rows.filter(pk__in=keys)


def _changed_fields(bound: Bound) -> dict[str, Any]:
    nothing: dict[str, Any] = {}
    return bound.on_sample(lambda row: form_fields(form_class_of(bound.admin, bound.request, row), row), nothing)


def _ask_as_the_view(request: Any, field: Any, term: str) -> None:
    # A get_queryset or get_search_results that asks what it is for finds what the admin's page would send.
    opts = field.model._meta
    sent = {"app_label": opts.app_label, "model_name": opts.model_name, "field_name": field.name, "term": term}
    fill(request.GET, sent)


def _form_choices(bound: Bound, name: str) -> Any:
    own, _, column = name.rpartition(".")
    inlines = {inline.name: inline.formset.form for inline in inlines_of(bound, formsets_of(bound))} if own else {}
    form = form_fields(inlines[own]) if own else _changed_fields(bound)
    if name not in form and not own:
        form = form_fields(form_class_of(bound.admin, bound.request))
    queryset = getattr(form.get(column), "queryset", None)
    if queryset is None:
        raise RefusalError(f"field: no form of yours has {name}.")
    return queryset.all()


def _by_text(other: Bound, rows: Any, term: str) -> Any:
    """Narrow rows nobody declared a search for: by the unique texts that the caller sees of them."""
    texts = [name for name in other.unique_fields() if isinstance(model_field(other.model, name), CharField)]
    if not term or not texts:
        return by_label(rows, term)
    query = reduce(or_, [Q(**{f"{name}__icontains": term}) for name in texts])
    return in_order(rows).filter(query)


def by_label(rows: Any, term: str) -> Any:
    """Narrow rows by what they are called, as far as they can be looked through."""
    rows = in_order(rows)
    return [row for row in rows[:MAX_LABELS] if term.lower() in label_of(row).lower()] if term else rows


def foreign_keys(bound: Bound) -> dict[str, Any]:
    """Return the fields of the form, and of its inlines' rows, that refer to rows of models the caller may view."""
    named = {name: model_field(bound.model, name) for name in sorted(bound.declared())}
    nothing: set[str] = set()
    fixed = bound.on_sample(lambda row: _read_only(bound.admin, bound.request, row), nothing)
    for inline in inlines_of(bound, formsets_of(bound)):
        shown = inline.fields(bound.request, None)
        named |= {f"{inline.name}.{name}": model_field(inline.formset.model, name) for name in sorted(shown)}
        fixed = fixed | {f"{inline.name}.{name}" for name in _read_only(inline.admin, bound.request, None)}
    return {
        name: field
        for name, field in named.items()
        if field is not None and field.is_relation and field.related_model
        # Newer versions of Django count a selection of many rows as no column of the model.
        if field.concrete or field.many_to_many
        if bound.may_view(field.related_model)
        # Rows without a page of their own are those that the form offers, and what is read-only is in no form.
        if field.related_model in bound.site._registry or name not in fixed
    }


def _read_only(admin: Any, request: Any, row: Any) -> set[str]:
    return {name_of(field) for field in admin.get_readonly_fields(request, row)}
