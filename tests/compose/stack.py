"""The whole stack in a copy of this checkout, through whichever engine the machine has."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parents[2]


def find_engine() -> tuple[str, list[str]] | None:
    """Return the engine's command and the compose command: COMPOSE_LAB's, docker's or podman's."""
    if lab := os.environ.get("COMPOSE_LAB"):
        return "podman", [lab]
    for engine in ("docker", "podman"):
        answers = shutil.which(engine) and not subprocess.run([engine, "info"], capture_output=True).returncode
        if answers and not subprocess.run([engine, "compose", "version"], capture_output=True).returncode:
            return engine, [engine, "compose"]
    return None


def wait_until(what: str, condition: Callable[[], object], limit: float = 60) -> None:
    until = time.monotonic() + limit
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"not within {limit:g} s: {what}")
        time.sleep(0.5)


class Stack:
    def __init__(self, engine: str, compose: list[str]) -> None:
        self.engine, self.compose, self.lab = engine, compose, len(compose) == 1
        self.folder = Path(tempfile.mkdtemp(prefix="compose-check-"))
        self.project = self.folder.name
        self.http, self.https = free_ports(2)
        self.url = f"http://localhost:{self.http}"
        self._copy_checkout()

    def _copy_checkout(self) -> None:
        # Asked through an empty repository: a project that was generated or unzipped may have none.
        with tempfile.TemporaryDirectory() as empty:
            subprocess.run(["git", "init", "--quiet", "--bare", empty], check=True)
            command = ["git", f"--git-dir={empty}", "--work-tree=.", "ls-files", "-z", "--others", "--exclude-standard"]
            listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        for name in filter(None, listed.split("\0")):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.folder / name)
        subprocess.run([sys.executable, "deploy/new_env.py"], cwd=self.folder, check=True, capture_output=True)
        self.set_env(HTTP_PORT=str(self.http), HTTPS_PORT=str(self.https))

    def set_env(self, **values: str) -> None:
        path = self.folder / ".env"
        kept = [line for line in path.read_text().splitlines() if line.partition("=")[0] not in values]
        path.write_text("\n".join([*kept, *(f"{name}={value}" for name, value in values.items())]) + "\n")

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        env = os.environ | {"COMPOSE_PROJECT_NAME": self.project}
        done = subprocess.run(
            command, cwd=self.folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)}: {(done.stdout + done.stderr)[-6000:]}")
        return done

    def up(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        options = [] if self.lab else ["--build", "--detach"]
        done = self.run(*self.compose, "up", *options, *arguments, check=check)
        if not done.returncode:
            # Also where the engine has waited: its name server may be away for ten seconds after it added containers.
            wait_until("the stack answers", lambda: self.status("/mcp/ready") == 200, 180)
        return done

    def exec(self, service: str, *command: str) -> str:
        between = ["compose"] if self.lab else []
        words = [*self.compose, *between, "exec", "-T", service, *command]
        done = self.run(*words, check=False)
        if "name resolution" in done.stderr:
            # An engine's name server may be away for a moment just after containers were added.
            time.sleep(2)
        return done.stdout if not done.returncode else self.run(*words).stdout

    def restart(self, service: str) -> None:
        for name in self.containers(service):
            self.run(self.engine, "restart", name)

    def down(self) -> None:
        self.run(*self.compose, "down", *([] if self.lab else ["--volumes", "--timeout", "10"]), check=False)

    def containers(self, service: str, *options: str) -> list[str]:
        labels = (f"com.docker.compose.project={self.project}", f"com.docker.compose.service={service}")
        filters = [word for label in labels for word in ("--filter", f"label={label}")]
        return self.run(self.engine, "ps", *filters, *options, "--format", "{{.Names}}").stdout.split()

    def leftovers(self) -> str:
        label = f"label=com.docker.compose.project={self.project}"
        kinds = (["ps", "--all", "--quiet"], ["volume", "ls", "--quiet"], ["network", "ls", "--quiet"])
        return "".join(self.run(self.engine, *kind, "--filter", label).stdout for kind in kinds)

    def logs(self, *services: str) -> str:
        text = ""
        for service in services:
            for name in self.containers(service, "--all"):
                done = self.run(self.engine, "logs", name)
                text += done.stdout + done.stderr
        return text

    def request(self, path: str, headers: dict[str, str], body: bytes | None = None) -> tuple[int, bytes]:
        """Return the status and the body; 0 where there was no whole answer."""
        try:
            with urlopen(Request(self.url + path, body, headers), timeout=15) as answer:  # noqa: S310
                return int(answer.status), answer.read()
        except HTTPError as error:
            return error.code, error.read()
        except (HTTPException, URLError, OSError):
            return 0, b""

    def status(self, path: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> int:
        return self.request(path, headers or {}, body)[0]

    def make_token(self, name: str) -> str:
        command = ["python", "manage.py", "create_mcp_token", "--user", "demo", "--name", name, "--json"]
        token: str = json.loads(self.exec("mcp", *command))["token"]
        return token


def free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports
