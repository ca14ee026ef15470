"""An ASGI application that answers when a file is there."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    if scope["path"] == "/wait":
        await asyncio.to_thread(wait_for_release)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"answered"})


def wait_for_release() -> None:
    Path(os.environ["ARRIVED"]).touch()
    while not Path(os.environ["RELEASE"]).exists():
        time.sleep(0.02)
