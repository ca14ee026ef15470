"""`make bench`: list_products against a plain Django view of the same rows, under one uvicorn, in one run.

Everything is on for the tool: token, permissions, audit and metrics. One worker, SQLite, raw sockets.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.load import PROTOCOL, Load, get, rate, tool_call

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of every measurement")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
            "DATABASE_URL": f"sqlite:///{folder}/bench.sqlite3",
        }
        token = prepare(environment)
        with served(environment) as port:
            compare(port, token, options.rounds, options.seconds)


def prepare(environment: dict[str, str]) -> str:
    manage(environment, "migrate", "-v0")
    manage(environment, "seed_shop")
    made = manage(environment, "create_mcp_token", "--user", "demo", "--name", "bench", "--json")
    return str(json.loads(made)["token"])


def manage(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


@contextmanager
def served(environment: dict[str, str]) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "myproject.asgi:application", "--port", str(port), "--no-access-log"]
    server = subprocess.Popen([*command, "--log-level", "warning"], cwd=ROOT, env=environment)
    try:
        wait_for(f"http://127.0.0.1:{port}/mcp/ready", server)
        yield port
    finally:
        server.terminate()
        server.wait(30)


def wait_for(url: str, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(url, timeout=5)  # noqa: S310  (an address of this process's own server)
        except OSError:
            if server.poll() is not None:
                raise SystemExit("The server did not start.") from None
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"{url} does not answer.")


def compare(port: int, token: str, rounds: int, seconds: float) -> None:
    view = get("/products.json", port, b'"sku"')
    calls = [tool_call("list_products", {"limit": 20}, token, port, protocol) for protocol in (PROTOCOL, "2025-11-25")]
    for load in (view, *calls):
        rate(load, port, clients=4, seconds=1.0)  # warms up
    print(f"{'answers per second':<32}{'1 client':>10}{'ratio':>8}{'16 clients':>12}{'ratio':>8}")
    # Side by side: every round measures all of them, so that a slow moment of the machine hits all alike.
    figures: dict[tuple[str, int], list[float]] = {}
    for _ in range(rounds):
        for clients in (1, 16):
            for load in (view, *calls):
                got = rate(load, port, clients=clients, seconds=seconds)
                figures.setdefault((load.name, clients), []).append(got)
    for load in (view, *calls):
        report(load, view, figures)


def report(load: Load, view: Load, figures: dict[tuple[str, int], list[float]]) -> None:
    cells = []
    for clients in (1, 16):
        own, plain = figures[load.name, clients], figures[view.name, clients]
        ratio = statistics.median(a / b for a, b in zip(own, plain, strict=True))
        cells.append(f"{statistics.median(own):>10.0f}{ratio:>8.2f}")
    print(f"{load.name:<32}{cells[0]}  {cells[1]}")


if __name__ == "__main__":
    main()
