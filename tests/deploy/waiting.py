"""An ASGI application that answers when a file is there, and tells about its process's connections."""

import asyncio
import os
import socket
import time
from pathlib import Path
from typing import Any


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    if scope["path"] == "/wait":
        await asyncio.to_thread(wait_for_release)
    answer = sends_at_once() if scope["path"] == "/sends-at-once" else b"answered"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": answer})


def wait_for_release() -> None:
    Path(os.environ["ARRIVED"]).touch()
    while not Path(os.environ["RELEASE"]).exists():
        time.sleep(0.02)


def sends_at_once() -> bytes:
    """Answer with TCP_NODELAY of each of this process's TCP connections."""
    options = []
    for path in Path("/dev/fd").iterdir():
        try:
            with socket.socket(fileno=os.dup(int(path.name))) as found:
                if found.family == socket.AF_INET and found.getpeername():
                    options.append(found.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        except OSError:  # No socket, or one that listens.
            continue
    return repr(options).encode()
