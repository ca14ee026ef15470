"""A server that is told to stop takes nothing new and ends what it has."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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


def test_a_stopping_server_refuses_connections_and_answers_the_call_it_has(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    arrived, release = tmp_path / "arrived", tmp_path / "release"
    command = [sys.executable, "-m", "deploy.serve", "tests.deploy.waiting:application"]
    command += ["--port", str(port), "--workers", "2", "--timeout-graceful-shutdown", "20"]
    env = os.environ | {"ARRIVED": str(arrived), "RELEASE": str(release)}
    with (
        subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.DEVNULL) as server,
        ThreadPoolExecutor(1) as pool,
    ):
        try:
            wait_until(lambda: listens(port))
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
            server.terminate()
