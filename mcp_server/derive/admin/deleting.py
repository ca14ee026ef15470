"""Deletes a row through the admin's own delete view, and says beforehand what would go with it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import Any

from django.apps import apps
from django.contrib.admin import ModelAdmin
from django.contrib.admin.utils import quote
from django.db.models import Model
from django.utils.text import capfirst

from mcp_server.derive.admin.bound import Bound
from mcp_server.derive.admin.changes import stored
from mcp_server.derive.admin.exposure import overrides
from mcp_server.derive.admin.lookup import find_row, handed
from mcp_server.derive.admin.refusal import RefusalError, refused
from mcp_server.derive.admin.request import fill
from mcp_server.derive.admin.rows import named
from mcp_server.derive.admin.stand_ins import only, response
from mcp_server.derive.admin.transactions import transact
from mcp_server.derive.admin.values import label_of, text_of

# Hooks that may leave the row where it is.
DELETES = ("delete_model", "delete_view", "response_delete")
MAX_NAMED = 20
MAX_BARRED = 5


def delete(bound: Bound, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Answer the delete tool."""
    dry_run = bool(arguments.get("dry_run"))
    work = lambda: delete_row(bound, find_row(bound, arguments), dry_run=dry_run)  # noqa: E731
    answer = transact(bound, work, dry_run=dry_run)
    return answer | ({"dry_run": True} if dry_run else {})


def delete_row(bound: Bound, row: Any, *, dry_run: bool = False) -> dict[str, Any]:
    """Delete the row and return it with all that goes with it; raises with rule, rights and blocking rows in one.

    A dry run says what the admin's page says before it asks: no hook runs, since files that one deletes stay deleted.
    """
    bound, row = handed(bound, row, "delete")
    gone = named(bound, row)
    bound.request = bound.new_request("delete", quote(row.pk), method="POST")
    fill(bound.request.POST, {"post": "yes"})
    nested, counts, lacking, protected = bound.admin.get_deleted_objects([row], bound.request)
    check_deletable(bound, [row], lacking, protected)
    if dry_run:
        _ask(bound, row)
    else:
        _run(bound, row, row.pk, (nested, counts, lacking, protected))
    with_it = [name for name in map(text_of, map(str, _flat(nested))) if not name.startswith(_unnamed())][1:]
    answer = {"deleted": gone, "rows": {str(name): number for name, number in dict(counts).items()}}
    return answer | ({"with_it": with_it[:MAX_NAMED]} if with_it else {})


def _ask(bound: Bound, row: Any) -> None:
    """Raise what a delete view of the project's own says before it asks; Django's says what was collected."""
    if not overrides(type(bound.admin), ModelAdmin, ("delete_view",)):
        return
    page = bound.admin.delete_view(bound.new_request("delete", quote(row.pk)), str(quote(row.pk)))
    said = getattr(page, "context_data", None) or {}
    lacking, protected = said.get("perms_lacking") or (), said.get("protected") or ()
    check_deletable(bound, [row], lacking, protected)


def _run(bound: Bound, row: Any, pk: Any, collected: Any) -> None:
    """Run the admin's delete view; raises RefusalError where the row is still there."""
    admin = copy(bound.admin)
    # Collected once: the view would walk over all related rows again.
    admin.get_deleted_objects = lambda objs, request: collected
    admin.get_object = only(row, bound.admin.get_object)
    deleted: list[bool] = []
    before = stored(row)
    own = response(bound.admin, "delete")

    def response_delete(*args: Any, **kwargs: Any) -> Any:
        deleted.append(True)
        return own(*args, **kwargs)

    admin.response_delete = response_delete
    admin.delete_view(bound.request, str(quote(pk)))
    if not deleted or overrides(type(admin), ModelAdmin, DELETES) or overrides(bound.model, Model, ("delete",)):
        _check_gone(bound, pk, before if deleted else None)


def _check_gone(bound: Bound, pk: Any, before: Mapping[str, Any] | None) -> None:
    """Refuse a success after which the row is as it was; one that is only marked as deleted has changed or is hidden.

    Without `before` nobody said that it was deleted, and then it has to be gone.
    """
    left = bound.model._base_manager.using(bound.database()).filter(pk=pk).first()
    if left is None:
        return
    is_as_before = before is None or {name: stored(left).get(name) for name in before} == before
    if is_as_before and (before is None or bound.admin.get_object(bound.request, str(pk)) is not None):
        raise RefusalError(" ".join(["Not deleted.", *bound.request.messages(marked=False)]))


def check_deletable(bound: Bound, rows: Sequence[Any], lacking: Any, protected: Any) -> None:
    """Raise all that keeps the rows from being deleted at once, so that nobody has to try again to learn the rest."""
    barred = [row for row in rows if not bound.admin.has_delete_permission(bound.request, row)]
    others = sorted({str(name) for name in lacking} - ({str(bound.opts.verbose_name)} if barred else set()))
    blocking = [text_of(str(item)) for item in protected]
    counts = dict(sorted(Counter(name.partition(":")[0].lower() for name in blocking).items()))
    said = list(dict.fromkeys(refused(bound, row, "delete") for row in barred[:MAX_BARRED]))
    if blocking:
        counted = ", ".join(f"{number} x {kind}" for kind, number in counts.items())
        more = ", …" if len(blocking) > 3 else ""
        which = str(rows[0]) if len(rows) == 1 else f"These {bound.opts.verbose_name_plural}"
        said.append(
            f"{which} cannot be deleted, because of protected rows: {counted} ({'; '.join(blocking[:3])}{more})."
        )
    if others:
        said.append(f"Your user may not delete what would go with it: {', '.join(others)}.")
    details = {
        "not_deleted": [named(bound, row) for row in rows[:MAX_NAMED]],
        "forbidden": [label_of(row) for row in barred[:MAX_NAMED]],
        "protected": counts,
        "protected_rows": blocking[:MAX_NAMED],
        "may_not_delete": others,
    }
    if said:
        raise RefusalError(" ".join(said), details={name: value for name, value in details.items() if value})


def _unnamed() -> tuple[str, ...]:
    """Return what rows of Django's own relation tables are called: their counts say all there is to say."""
    tables = (model._meta for model in apps.get_models(include_auto_created=True) if model._meta.auto_created)
    return tuple(f"{capfirst(opts.verbose_name)}: " for opts in tables)


def _flat(nested: Any) -> Iterator[Any]:
    for item in nested:
        if isinstance(item, list | tuple):
            yield from _flat(item)
        else:
            yield item
