"""Does a tool's work in one transaction, or only tries it, and says in words what the database refused."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from django.db import DatabaseError, connections, router, transaction
from django.db.models import ProtectedError, RestrictedError

from mcp_server.derive.admin.bound import Bound
from mcp_server.derive.admin.refusal import RefusalError

R = TypeVar("R")

logger = logging.getLogger(__name__)

NOTHING_CHANGED = "Nothing was changed."
# PostgreSQL's codes: deadlocks and unserializable transactions, locks that were not given, statements that took long.
PASSING = ("40", "55P03", "57014")
# What a database that nobody rolls back may be sent while something is only tried.
READS = ("SELECT", "EXPLAIN", "SAVEPOINT", "RELEASE", "ROLLBACK")


def transact(bound: Bound, work: Callable[[], R], *, dry_run: bool = False) -> R:
    """Do the work in one transaction of the model's database and the log's; a dry run is rolled back."""
    databases = databases_of(bound)
    try:
        with ExitStack() as stack:
            for using in databases:
                stack.enter_context(transaction.atomic(using=using))
            if dry_run:
                stack.enter_context(tried(databases))
            return work()
    except (ProtectedError, RestrictedError) as error:
        raise RefusalError(blocked_text(error)) from error
    except DatabaseError as error:
        # What the database said repeats the row's values, secrets among them: the log has which rule was broken.
        logger.info("The database refused a write of %s: %s", bound.opts.label, rule_broken(error))
        if is_passing(error):
            raise RefusalError(f"Other calls are at work on the same rows. {NOTHING_CHANGED} Try again.") from error
        raise RefusalError(
            f"The database refused this {bound.opts.verbose_name}: it breaks a rule, such as a value that must be "
            f"unique or in range. {NOTHING_CHANGED}"
        ) from error


def databases_of(bound: Bound) -> list[str]:
    """Return the databases of the model and of the log."""
    from django.contrib.admin.models import LogEntry

    return sorted({bound.database(), router.db_for_write(LogEntry)})


@contextmanager
def tried(databases: list[str]) -> Iterator[None]:
    """Roll these databases back at the end, and let nobody write to any other."""

    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not sql.lstrip().upper().startswith(READS):
            alias = context["connection"].alias
            raise RefusalError(f"This cannot be tried: it writes to the database {alias!r} too. Nothing was changed.")
        return execute(sql, params, many, context)

    with ExitStack() as stack:
        for alias in connections:
            if alias not in databases:
                stack.enter_context(connections[alias].execute_wrapper(refuse))
        yield
        for alias in databases:
            transaction.set_rollback(True, using=alias)


def rule_broken(error: DatabaseError) -> str:
    """Return the kind of a database's refusal and, where its driver tells them apart from values, its code and rule."""
    cause: Any = error.__cause__
    rule = getattr(getattr(cause, "diag", None), "constraint_name", None)
    return " ".join(str(part) for part in (type(error).__name__, getattr(cause, "sqlstate", None), rule) if part)


def is_passing(error: DatabaseError) -> bool:
    """Tell whether it was a deadlock, a lock that was not given or a busy file: the same call may succeed later."""
    cause: Any = error.__cause__
    state, name = getattr(cause, "sqlstate", None) or "", getattr(cause, "sqlite_errorname", "")
    return state.startswith(PASSING) or name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def blocked_text(error: Any) -> str:
    """Return one sentence that counts the rows a ProtectedError or RestrictedError is about."""
    blocking = getattr(error, "protected_objects", None) or getattr(error, "restricted_objects", None) or ()
    counts = Counter(str(row._meta.verbose_name) for row in blocking)
    named = ", ".join(f"{number} x {name}" for name, number in counts.items())
    return f"Refused: other rows depend on it ({named or 'protected rows'}). {NOTHING_CHANGED}"
