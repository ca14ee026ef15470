"""The one bridge from async code to the ORM: a few threads, each with database connections of its own."""

import functools
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor, Future
from contextlib import asynccontextmanager
from queue import Empty, SimpleQueue
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import AsyncToSync, SyncToAsync, ThreadSensitiveContext, sync_to_async
from django.db import connections

from mcp_server.conf import setting
from mcp_server.errors import expected_errors

P = ParamSpec("P")
R = TypeVar("R")

CLOSE_SECONDS = 1.0


class Job:
    """One call on a database thread, and the future of its result."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.call, self.future = call, Future[Any]()

    def run(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self.call()
        except Exception as error:
            self.future.set_exception(error)
        except BaseException as error:
            # In the event loop it would end the server.
            self.future.set_exception(RuntimeError(f"{type(error).__name__} on a database thread"))
        else:
            self.future.set_result(result)


class MessageExecutor(Executor):
    """Runs every database call of one message on one thread: the first that is free for the first of them."""

    def __init__(self) -> None:
        self.thread: DatabaseThread | None = None
        self.waiting: list[Job] = []

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        job = Job(functools.partial(fn, *args, **kwargs))
        database_threads.submit(self, job)
        return job.future


class DatabaseThread(threading.Thread):
    """One thread that keeps its connections. A daemon: a call that never ends must not keep the process alive."""

    def __init__(self, threads: "DatabaseThreads", number: int) -> None:
        super().__init__(name=f"mcp-database-{number}", daemon=True)
        self.threads, self.number = threads, number
        self.jobs: SimpleQueue[Job | None] = SimpleQueue()
        self.closed = False
        self.between_messages = True

    def take(self, message: MessageExecutor) -> None:
        message.thread, self.between_messages = self, True
        for job in message.waiting:
            self.jobs.put(job)
        message.waiting.clear()

    def run(self) -> None:
        while (job := self._next()) is not None:
            # Not a job of its own: each one queued wakes this thread and makes the event loop wait for it.
            if self.between_messages:
                self.between_messages = False
                Job(drop_stale_connections).run()
            job.run()
            del job  # Its result must not live until the next call.
        connections.close_all()

    def _next(self) -> Job | None:
        try:
            return self.jobs.get_nowait()
        except Empty:
            self.threads.ask_for_work(self)
            return self.jobs.get()


class DatabaseThreads:
    """The bounded set of database threads of this process; each is started when all before it are busy."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: list[DatabaseThread] = []
        self._idle: dict[int, DatabaseThread] = {}
        self._waiting: deque[MessageExecutor] = deque()

    def submit(self, message: MessageExecutor, job: Job) -> None:
        with self._lock:
            if message.thread is not None and not message.thread.closed:
                self._idle.pop(message.thread.number, None)
                message.thread.jobs.put(job)
                return
            message.waiting.append(job)
            if len(message.waiting) > 1:
                return
            if thread := self._free_thread():
                thread.take(message)
            else:
                self._waiting.append(message)

    def ask_for_work(self, thread: DatabaseThread) -> None:
        """Give a thread without work the message that waits longest, or note that it is idle."""
        with self._lock:
            if not thread.jobs.empty():
                return
            if self._waiting:
                thread.take(self._waiting.popleft())
            else:
                self._idle[thread.number] = thread

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Close every connection and end the threads; the next call starts new ones.

        A thread whose call takes longer than `seconds` is left behind.
        """
        with self._lock:
            threads, self._threads, self._idle = self._threads, [], {}
            while self._waiting:
                threads[0].take(self._waiting.popleft())
            for thread in threads:
                thread.closed = True
                thread.jobs.put(None)
        deadline = time.monotonic() + seconds
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _free_thread(self) -> DatabaseThread | None:
        if self._idle:
            # The first of them, so that a quiet server holds few connections.
            return self._idle.pop(min(self._idle))
        if len(self._threads) < max(1, setting("MCP_DB_THREADS")):
            thread = DatabaseThread(self, len(self._threads))
            self._threads.append(thread)
            thread.start()
            return thread
        return None


database_threads = DatabaseThreads()


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
        return await sync_to_async(_without_stop)(function, *args, **kwargs)


def _without_stop(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    try:
        return function(*args, **kwargs)
    except StopIteration as error:
        # No future can carry one: whoever awaits it would wait for ever.
        raise RuntimeError(f"{function} ended an iteration that nobody had begun") from error


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
