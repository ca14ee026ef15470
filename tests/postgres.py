"""Runs a command with TEST_DATABASE_URL naming a private PostgreSQL, and TEST_REDIS_URL a private Redis, for as long.

python tests/postgres.py COMMAND [ARGUMENT ...]
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    # The end of a terminal or of a CI job must stop the server too.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    with private_server() as url, private_redis() as redis_url:
        environment = os.environ | {"TEST_DATABASE_URL": url, "TEST_REDIS_URL": redis_url}
        sys.exit(subprocess.run(sys.argv[1:], env=environment).returncode)


@contextmanager
def private_server() -> Iterator[str]:
    """Yield the URL of a new, empty PostgreSQL on a free port; stop and delete it afterwards."""
    bin_folder, user = server_programs(), unprivileged_user()
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    data, port = folder / "data", free_port()
    settings = [f"-c{name}={value}" for name, value in (FAST | {"unix_socket_directories": str(folder)}).items()]
    try:
        if user:
            shutil.chown(folder, user, user)
        initdb = [
            bin_folder / "initdb",
            "-D",
            data,
            "-U",
            "app",
            "--auth=trust",
            "--no-sync",
            "-E",
            "UTF8",
            "--locale=C",
        ]
        subprocess.run(initdb, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        start = [bin_folder / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
        options = " ".join([f"-p {port}", "-h 127.0.0.1", *settings])
        subprocess.run([*start, "-o", options, "start"], user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        yield f"postgres://app@127.0.0.1:{port}/postgres"
    finally:
        if (data / "postmaster.pid").exists():
            stop = [bin_folder / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"]
            subprocess.run(stop, user=user, cwd=folder, stdout=subprocess.DEVNULL)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def private_redis() -> Iterator[str]:
    """Yield the URL of a new, empty Redis (or Valkey) on a free port; stop it afterwards."""
    program = installed("redis-server", find_redis)
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait()


def find_redis() -> str | None:
    return shutil.which("redis-server") or shutil.which("valkey-server")


def server_programs() -> Path:
    """Return the folder of PostgreSQL's programs."""
    return installed("postgresql", find_programs)


def installed(package: str, find: Callable[[], T | None]) -> T:
    """Return what is found; as root on Debian, install the package where it is missing."""
    if not (found := find()) and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for step in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", package]):
            command = ["apt-get", *step]
            subprocess.run(command, env=environment, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        found = find()
    if not found:
        sys.exit(f"{package} is not installed; on Debian: apt install {package}.")
    return found


def find_programs() -> Path | None:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    if on_path := shutil.which("pg_ctl"):
        folders.insert(0, Path(on_path).resolve().parent)
    return next((folder for folder in reversed(folders) if (folder / "initdb").exists()), None)


def unprivileged_user() -> str | None:
    """Return the user to run the server as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    sys.exit("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as.")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
