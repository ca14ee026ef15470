"""Calls of a tool from several threads, each with a token of its own, counted by how they ended."""

import json
import threading
import time
from collections import Counter

from tests.compose.stack import Stack

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_products", "arguments": {}}}
# Below the rate that nginx grants one token.
PAUSE = 0.1


class Load:
    """Calls without end while the block runs; `seen` counts the answers by HTTP status, 0 for none."""

    def __init__(self, stack: Stack, tokens: list[str]) -> None:
        self.stack, self.seen, self.over = stack, Counter[int](), threading.Event()
        self.threads = [threading.Thread(target=self._call, args=(token,)) for token in tokens]

    def _call(self, token: str) -> None:
        while not self.over.wait(PAUSE):
            self.seen[call_tool(self.stack, token)] += 1

    def more(self, calls: int) -> None:
        """Return when so many more calls have ended."""
        until, limit = sum(self.seen.values()) + calls, time.monotonic() + 60
        while sum(self.seen.values()) < until:
            assert time.monotonic() < limit, f"calls hang: {self.seen}"
            time.sleep(0.1)

    def __enter__(self) -> "Load":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    @property
    def failed(self) -> int:
        return sum(count for status, count in self.seen.items() if status != 200)


def call_tool(stack: Stack, token: str) -> int:
    """Return the HTTP status, or 599 where the answer broke off or was the tool's error."""
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
    }
    status, text = stack.request("/mcp", headers, json.dumps(CALL).encode())
    return 599 if status == 200 and b'"isError":false' not in text.replace(b" ", b"") else status
