"""Lets running calls end after SIGTERM or Ctrl-C before event streams are closed."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from sse_starlette.sse import AppStatus
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.conf import setting

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
SETTLE_SECONDS = 0.2

# What else must end for connections to close, such as streams that clients listen on.
stream_closers: set[Callable[[], None]] = set()


class Drain:
    """Counts what is being answered, and closes event streams when the process stops and nothing is left."""

    def __init__(self) -> None:
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def busy(self) -> Iterator[None]:
        self._running += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    @asynccontextmanager
    async def on_stop(self) -> AsyncIterator[None]:
        """Take over from sse_starlette, which would end every stream at the signal, running calls included."""
        AppStatus.enable_automatic_graceful_drain = False
        AppStatus.should_exit = False
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop, tasks = asyncio.get_running_loop(), set[asyncio.Task[None]]()
        before = {number: signal.getsignal(number) for number in STOP_SIGNALS}

        def stop(number: int, frame: Any) -> None:
            loop.call_soon_threadsafe(lambda: tasks.add(loop.create_task(self._close_streams())))
            if callable(previous := before[signal.Signals(number)]):
                previous(number, frame)

        for number in STOP_SIGNALS:
            signal.signal(number, stop)
        try:
            yield
        finally:
            for number, previous in before.items():
                if signal.getsignal(number) is stop:
                    signal.signal(number, previous)

    async def _close_streams(self) -> None:
        try:
            await asyncio.wait_for(self._idle.wait(), setting("MCP_SHUTDOWN_SECONDS"))
            # The last answer still passes through the streams between its message and the socket.
            await asyncio.sleep(SETTLE_SECONDS)
        except TimeoutError:
            pass
        finally:
            AppStatus.should_exit = True
            for close in list(stream_closers):
                close()


drain = Drain()


class InFlightMiddleware:
    """Counts the requests that carry a message; streams a client only listens on do not hold up a stop."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        listens = (b"mcp-method", b"subscriptions/listen") in scope.get("headers", [])
        if scope["type"] != "http" or scope["method"] != "POST" or listens:
            await self.app(scope, receive, send)
            return
        with drain.busy():
            await self.app(scope, receive, send)
