"""Creates, changes or deletes many rows, each through the admin's own view."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, ValidationError

from mcp_server.derive.admin.bound import Bound
from mcp_server.derive.admin.deleting import delete_row
from mcp_server.derive.admin.locking import lock_keys
from mcp_server.derive.admin.lookup import find, find_pks
from mcp_server.derive.admin.refusal import RefusalError, refused
from mcp_server.derive.admin.transactions import transact
from mcp_server.derive.admin.writing import create_row, update_row
from mcp_server.errors import validation_text

MAX_ITEMS = 100
MAX_REASONS = 20
OPERATIONS = {"create": "add", "update": "change", "delete": "delete"}

Job = tuple[str, Callable[[Bound], dict[str, Any]]]


class BulkRefusedError(RefusalError):
    """One item of an all-or-nothing run was refused; raised to roll all of them back."""


def bulk(bound: Bound, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Answer the bulk tool."""
    dry_run, atomic = bool(arguments.get("dry_run")), arguments.get("atomic", True)
    results = transact(bound, lambda: _run(bound, jobs(bound, arguments), atomic), dry_run=dry_run)
    done = sum(1 for result in results if "error" not in result)
    answer = {"done": done, "failed": len(results) - done, "results": results}
    return answer | ({"dry_run": True} if dry_run else {})


def _run(bound: Bound, todo: list[Job], atomic: bool) -> list[dict[str, Any]]:
    results = [_one(bound, name, job) for name, job in todo]
    if atomic and (failed := [result for result in results if "error" in result]):
        told = f"Nothing was changed: {len(failed)} of {len(results)} items were refused."
        details = {"done": 0, "failed": len(failed), "results": failed}
        raise BulkRefusedError(f"{told} {'; '.join(_reasons(failed))}.", details=details)
    return results


def _reasons(failed: list[dict[str, Any]]) -> Iterator[str]:
    """Yield every reason once, after the items it holds for."""
    items: dict[str, list[str]] = {}
    for result in failed:
        items.setdefault(result["error"], []).append(result["item"])
    for reason, names in list(items.items())[:MAX_REASONS]:
        more = ", …" if len(names) > MAX_REASONS else ""
        yield f"{', '.join(names[:MAX_REASONS])}{more}: {reason.removesuffix('.')}"


def _one(bound: Bound, name: str, job: Callable[[Bound], dict[str, Any]]) -> dict[str, Any]:
    fresh = Bound(bound.exposed, bound.user, bound.origin)
    try:
        # A savepoint for each, so that what was refused leaves nothing behind.
        return transact(fresh, lambda: job(fresh))
    except (RefusalError, PermissionDenied, ObjectDoesNotExist) as error:
        return {"item": name, "error": str(error) or "Your user may not do this."}
    except ValidationError as error:
        return {"item": name, "error": validation_text(error)}


def operations(bound: Bound) -> list[str]:
    """Return the operations that the caller may use on some row at least."""
    admin, request = bound.admin, bound.request
    made = {name: verb for name, verb in OPERATIONS.items() if name in bound.exposed.verbs}
    return [name for name, verb in made.items() if getattr(admin, f"has_{verb}_permission")(request)]


def jobs(bound: Bound, arguments: Mapping[str, Any]) -> list[Job]:
    """Return what is to be done, one job an item; raises RefusalError for a call that fits no operation."""
    operation, items = arguments["operation"], arguments.get("items") or []
    ids, values = arguments.get("ids") or [], arguments.get("values")
    # A storage cannot roll back: each write has to know that it is a try.
    dry_run = bool(arguments.get("dry_run"))
    if len(items) + len(ids) > MAX_ITEMS:
        raise RefusalError(f"At most {MAX_ITEMS} rows in one call.")
    if not all(isinstance(item, Mapping) and isinstance(item.get("values", {}), Mapping) for item in items):
        raise RefusalError("items: give a list of objects.")
    if operation not in OPERATIONS or operation not in bound.exposed.verbs:
        made = [name for name in OPERATIONS if name in bound.exposed.verbs]
        raise RefusalError(f"operation: use one of: {', '.join(made) or 'none'}.")
    if operation not in operations(bound):
        # Before any row is looked for: whether it is there is nothing for this caller to learn.
        raise PermissionDenied(refused(bound, None, OPERATIONS[operation]))
    if operation == "create":
        if ids or values is not None or not items:
            raise RefusalError("create takes items only: a list of the values of each new row.")
        return [_create(number, item, dry_run) for number, item in enumerate(items)]
    if operation == "delete":
        if items or values is not None or not ids:
            raise RefusalError("delete takes ids only.")
        return [_delete(ref, dry_run) for ref in ids]
    return [_update(ref, changes, dry_run) for ref, changes in _updates(bound, ids, values, items)]


def _updates(bound: Bound, ids: list[Any], values: Any, items: list[Any]) -> list[tuple[Any, Any]]:
    """Return each row's name with what is to change in it."""
    if bool(ids) != (values is not None) or not (ids or items):
        raise RefusalError("update takes ids with values (the same for all), or items with id and values each.")
    names = ("id", *bound.unique_fields())
    if wrong := [item for item in items if len(item) != 2 or "values" not in item or not item.keys() & set(names)]:
        raise RefusalError(f'An item of an update is {{"id": …, "values": {{…}}}}, not one with {", ".join(wrong[0])}.')
    pairs = [(ref, values) for ref in ids] + [(_named(item), item["values"]) for item in items]
    known = find_known(bound, [ref for ref, _ in pairs])
    if len(set(known)) < len(known):
        # A relative change of a row named twice, by id and by code, would count twice.
        raise RefusalError("ids: a row is named more than once.")
    lock_keys(bound.model, known, bound.database())
    return pairs


def _named(item: Mapping[str, Any]) -> Any:
    """Return what names the row of an item: its id, or an object with a unique field."""
    return item["id"] if "id" in item else {name: value for name, value in item.items() if name != "values"}


def find_known(bound: Bound, refs: list[Any]) -> list[Any]:
    """Return the ids behind the names, without those that nobody finds: they fail as items."""
    try:
        return find_pks(bound, refs)
    except RefusalError:
        return [] if len(refs) == 1 else [pk for ref in refs for pk in find_known(bound, [ref])]


def _create(number: int, values: Mapping[str, Any], dry_run: bool) -> Job:
    def job(bound: Bound) -> dict[str, Any]:
        answer, write = create_row(bound, values, dry_run=dry_run)
        return answer | write.said()

    return f"items.{number}", job


def _update(ref: Any, values: Mapping[str, Any], dry_run: bool) -> Job:
    def job(bound: Bound) -> dict[str, Any]:
        answer, write = update_row(bound, find(bound, ref), values, dry_run=dry_run)
        return answer | write.said()

    return _label(ref), job


def _label(ref: Any) -> str:
    return " ".join(map(str, ref.values())) if isinstance(ref, Mapping) else str(ref)


def _delete(ref: Any, dry_run: bool) -> Job:
    return _label(ref), lambda bound: delete_row(bound, find(bound, ref), dry_run=dry_run)
