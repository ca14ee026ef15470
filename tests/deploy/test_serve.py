"""A server that is told to stop takes nothing new and ends what it has; until then it sends at once."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from tests.compose.stack import free_ports
from tests.deploy.shapes import ROOT


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def served(**variables: str) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "deploy.serve", "tests.deploy.waiting:application"]
    command += ["--port", str(port), "--workers", "2", "--timeout-graceful-shutdown", "20"]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | variables, stderr=subprocess.DEVNULL) as server:
        try:
            wait_until(lambda: listens(port))
            yield server, port
        finally:
            server.terminate()


def test_a_stopping_server_refuses_connections_and_answers_the_call_it_has(tmp_path: Path) -> None:
    arrived, release = tmp_path / "arrived", tmp_path / "release"
    with served(ARRIVED=str(arrived), RELEASE=str(release)) as (server, port), ThreadPoolExecutor(1) as pool:
        try:
            answer = pool.submit(lambda: urlopen(f"http://127.0.0.1:{port}/wait", timeout=20).read())
            wait_until(arrived.exists)
            server.send_signal(signal.SIGTERM)
            wait_until(lambda: not listens(port))
            assert not answer.done()
            release.touch()
            assert answer.result() == b"answered"
            assert server.wait(15) == 0
        finally:
            release.touch()


def test_workers_send_the_body_without_waiting_for_the_head_to_be_acknowledged() -> None:
    with served() as (_, port):
        options = urlopen(f"http://127.0.0.1:{port}/sends-at-once", timeout=20).read()
    assert options in {b"[1]", b"[1, 1]"}  # The probe's own connection may not be closed yet.
