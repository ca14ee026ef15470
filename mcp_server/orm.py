"""The one bridge from async code to the ORM: a few threads, each with database connections of its own."""

import functools
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import AsyncToSync, SyncToAsync, ThreadSensitiveContext, sync_to_async
from django.db import connections

from mcp_server.conf import setting
from mcp_server.errors import expected_errors

P = ParamSpec("P")
R = TypeVar("R")


class DatabaseThread(ThreadPoolExecutor):
    """One thread that keeps its connections, and how many calls wait for it."""

    def __init__(self) -> None:
        super().__init__(max_workers=1, thread_name_prefix="mcp-database")
        self.waiting = 0

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        self.waiting += 1
        future = super().submit(fn, *args, **kwargs)
        future.add_done_callback(self._one_less)
        return future

    def _one_less(self, future: Future[Any]) -> None:
        self.waiting -= 1


class DatabaseThreads:
    """The bounded set of database threads of this process; started when first needed."""

    def __init__(self) -> None:
        self._threads: list[DatabaseThread] = []
        self._lock = threading.Lock()

    def least_busy(self) -> DatabaseThread:
        with self._lock:
            if not self._threads:
                self._threads = [DatabaseThread() for _ in range(max(1, setting("MCP_DB_THREADS")))]
        # Idle threads are taken from the front, so that a quiet server holds few connections.
        return min(self._threads, key=lambda thread: thread.waiting)

    def close(self) -> None:
        """Close every connection and end the threads; the next call starts new ones."""
        with self._lock:
            threads, self._threads = self._threads, []
        for thread in threads:
            thread.submit(connections.close_all)
            thread.shutdown(wait=True)


database_threads = DatabaseThreads()


class MessageExecutor(Executor):
    """Runs every database call of one message on one thread, chosen at the first of them."""

    def __init__(self) -> None:
        self._thread: DatabaseThread | None = None

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        if self._thread is None:
            self._thread = database_threads.least_busy()
            self._thread.submit(drop_stale_connections)
        return self._thread.submit(fn, *args, **kwargs)


def drop_stale_connections() -> None:
    """Close connections that died or are too old; a mounted MCP app never fires the signals that do this in Django."""
    for connection in connections.all(initialized_only=True):
        # Closing inside an atomic block would end somebody's transaction, a test's for one.
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


@asynccontextmanager
async def database_thread() -> AsyncIterator[None]:
    """Give this message one database thread; a synchronous caller further up, such as a TestCase, keeps its own."""
    if getattr(AsyncToSync.executors, "current", None) or SyncToAsync.thread_sensitive_context.get(None):
        yield
        return
    async with ThreadSensitiveContext(executor=MessageExecutor()):
        yield


async def in_database(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a synchronous function that uses the ORM on the message's database thread."""
    async with database_thread():
        return await sync_to_async(function)(*args, **kwargs)


def orm_tool(
    function: Callable[P, R] | None = None, *, user_errors: tuple[type[Exception], ...] = ()
) -> Callable[..., Any]:
    """Make a synchronous function the body of a tool, resource or prompt: it runs on the message's database thread.

    Exceptions of the classes in `user_errors`, and Django's own for bad input and missing rows, reach the caller
    as tool errors with their text; any other becomes one opaque sentence.
    """
    if function is None:
        return functools.partial(orm_tool, user_errors=user_errors)

    @functools.wraps(function)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with expected_errors(*user_errors):
            return await in_database(function, *args, **kwargs)

    tool: Callable[P, Awaitable[R]] = run
    return tool
