"""Creates, changes or deletes many rows, each through the admin's own view."""

from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, ValidationError

from mcp_server.derive.admin.bound import Bound
from mcp_server.derive.admin.deleting import delete_row
from mcp_server.derive.admin.lookup import find, find_pks
from mcp_server.derive.admin.refusal import RefusalError
from mcp_server.derive.admin.rows import identity
from mcp_server.derive.admin.writing import Write, transact, update_row
from mcp_server.errors import validation_text

MAX_ITEMS = 100

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
        texts = "; ".join(f"{result['item']}: {result['error']}" for result in failed[:20])
        raise BulkRefusedError(f"Nothing was changed: {len(failed)} of {len(results)} items were refused. {texts}")
    return results


def _one(bound: Bound, name: str, job: Callable[[Bound], dict[str, Any]]) -> dict[str, Any]:
    fresh = Bound(bound.exposed, bound.user, bound.origin)
    try:
        # A savepoint for each, so that what was refused leaves nothing behind.
        return transact(fresh, lambda: job(fresh))
    except (RefusalError, PermissionDenied, ObjectDoesNotExist) as error:
        return {"item": name, "error": str(error) or "Your user may not do this."}
    except ValidationError as error:
        return {"item": name, "error": validation_text(error)}


def jobs(bound: Bound, arguments: Mapping[str, Any]) -> list[Job]:
    """Return what is to be done, one job an item; raises RefusalError for a call that fits no operation."""
    operation, items = arguments["operation"], arguments.get("items") or []
    ids, values = arguments.get("ids") or [], arguments.get("values")
    if len(items) + len(ids) > MAX_ITEMS:
        raise RefusalError(f"At most {MAX_ITEMS} rows in one call.")
    if not all(isinstance(item, Mapping) and isinstance(item.get("values", {}), Mapping) for item in items):
        raise RefusalError("items: give a list of objects.")
    if not items and not ids:
        raise RefusalError("Give ids or items.")
    if operation == "create":
        if ids or values is not None:
            raise RefusalError("create takes items only: a list of the values of each new row.")
        return [_create(number, item) for number, item in enumerate(items)]
    if operation == "delete":
        if items or values is not None:
            raise RefusalError("delete takes ids only.")
        return [_delete(ref) for ref in ids]
    return _updates(bound, ids, values, items)


def _updates(bound: Bound, ids: list[Any], values: Any, items: list[Any]) -> list[Job]:
    if bool(ids) != (values is not None):
        raise RefusalError("update takes ids with values (the same for all), or items with id and values each.")
    if wrong := [item for item in items if set(item) != {"id", "values"}]:
        raise RefusalError(f'An item of an update is {{"id": …, "values": {{…}}}}, not one with {", ".join(wrong[0])}.')
    pairs = [(ref, values) for ref in ids] + [(item["id"], item["values"]) for item in items]
    if len(set(map(str, find_known(bound, [ref for ref, _ in pairs])))) < len(pairs):
        # A relative change of a row named twice, by id and by code, would count twice.
        raise RefusalError("ids: a row is named more than once.")
    return [_update(ref, changes) for ref, changes in pairs]


def find_known(bound: Bound, refs: list[Any]) -> list[Any]:
    """Return the ids behind the names; a name nobody finds stands for itself and fails as an item."""
    try:
        return find_pks(bound, refs)
    except RefusalError:
        return refs


def _create(number: int, values: Mapping[str, Any]) -> Job:
    def job(bound: Bound) -> dict[str, Any]:
        return {"created": identity(Write(bound, None, values).save(), bound.unique_fields())}

    return f"items.{number}", job


def _update(ref: Any, values: Mapping[str, Any]) -> Job:
    def job(bound: Bound) -> dict[str, Any]:
        return update_row(bound, find(bound, ref), values, dry_run=False)

    return str(ref), job


def _delete(ref: Any) -> Job:
    return str(ref), lambda bound: delete_row(bound, find(bound, ref))
