"""What `make run` does once the requirements are there: from nothing to a served shop, and again."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.compose.stack import free_ports
from tests.deploy.shapes import ROOT

pytestmark = pytest.mark.timeout(120)
TOKEN = re.compile(r"mcp_[\w-]{60}")


@contextmanager
def running(database: Path, output: Path) -> Iterator[str]:
    """Start the server on a free port, yield what it printed by the time it serves, and stop it."""
    (port,) = free_ports(1)
    env = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": f"sqlite:///{database}",
        "DJANGO_DEBUG": "true",
        "DJANGO_ENV_FILE": os.devnull,
        # As .env sets it for production: development stays one process, because SSE needs that.
        "WEB_CONCURRENCY": "2",
    }
    command = [sys.executable, "-m", "deploy.run", "--port", str(port)]
    with output.open("w") as file, subprocess.Popen(command, cwd=ROOT, env=env, stdout=file, stderr=file) as server:
        try:
            until = time.monotonic() + 60
            while "Application startup complete" not in output.read_text():
                assert server.poll() is None, output.read_text()
                assert time.monotonic() < until
                time.sleep(0.1)
            yield output.read_text()
        finally:
            server.terminate()


def test_the_first_run_shows_a_token_and_the_second_keeps_everything(tmp_path: Path) -> None:
    database = tmp_path / "shop.sqlite3"
    with running(database, tmp_path / "first") as first:
        tokens = set(TOKEN.findall(first))
        assert len(tokens) == 1
        assert "mcpServers" in first
        assert re.search(r"MCP +http://localhost:\d+/mcp", first)
        assert "parent process" not in first
    with running(database, tmp_path / "second") as second:
        assert TOKEN.findall(second) == []
        assert "create_mcp_token" in second
    # Shown, and nowhere else.
    assert not any(token.encode() in database.read_bytes() for token in tokens)


def test_make_alone_lists_its_verbs() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    verbs = re.findall(r"make ([a-z-]+) ", listed)
    assert verbs == ["help", "run", "test", "test-postgres", "check", "bench", "lock", "clean"]
