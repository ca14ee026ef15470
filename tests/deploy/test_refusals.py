"""What keeps a server from starting is said in one sentence that names the variable or the file."""

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.deploy.shapes import ROOT

SECRET = "kB3-" + "Zq8vT1xYw7" * 6
GOOD = {"DJANGO_SECRET_KEY": SECRET, "DJANGO_ALLOWED_HOSTS": "shop.example.com", "DJANGO_ENV_FILE": os.devnull}


def run(*command: object, **env: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", **GOOD, **env}
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True)


def preflight(*options: object, **env: str) -> subprocess.CompletedProcess[str]:
    return run("python", "-m", "deploy.preflight", *options, **env)


def refused(done: subprocess.CompletedProcess[str], *words: str) -> bool:
    """Whether this ended with exit code 1 and one line on stderr that has the words."""
    lines = done.stderr.strip().splitlines()
    return done.returncode == 1 and len(lines) == 1 and all(word in lines[0] for word in words)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("DJANGO_SECRET_KEY", "", ".env"),
        ("DJANGO_SECRET_KEY", "short", "50 random characters"),
        ("DJANGO_SECRET_KEY", "a" * 60, "50 random characters"),
        ("DJANGO_ALLOWED_HOSTS", "", ".env"),
        ("DJANGO_DEBUG", "yse", "true or false"),
        ("DJANGO_HTTPS", "2", "true or false"),
        ("DJANGO_LOG_LEVEL", "LOUD", "DEBUG, INFO"),
        ("DATABASE_URL", "postgre://app@db/app", "postgres://"),
        ("DATABASE_URL", "postgres://app@db:port/app", "postgres://"),
        ("CACHE_URL", "radish://cache", "redis://"),
        ("MCP_REQUIRE_AUTH", "maybe", "true or false"),
        ("MCP_MOUNT_DJANGO", "sometimes", "true or false"),
        ("MCP_DB_THREADS", "many", "whole number"),
        ("MCP_DB_THREADS", "-1", "0 or more"),
        ("MCP_TOKEN_CACHE_SECONDS", "nan", "0 or more"),
        ("MCP_SHUTDOWN_SECONDS", "soon", "a number"),
    ],
)
def test_a_bad_value_is_named(variable: str, value: str, words: str) -> None:
    assert refused(preflight(**{variable: value}), variable, words)


def test_a_bad_value_in_the_env_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("MCP_DB_THREADS=lots\n")
    assert refused(preflight(DJANGO_ENV_FILE=str(tmp_path / "env")), "MCP_DB_THREADS", "'lots'")


def test_a_password_is_never_repeated() -> None:
    for url in (
        "postgre://app:hunter22@db/app",
        "postgres://app:hunter22@db:x/app",
        "postgres://app:hunter22@127.0.0.1:1/x",
    ):
        assert "hunter22" not in preflight(DATABASE_URL=url).stderr


@pytest.mark.parametrize(
    "command", [("manage.py", "check"), ("-c", "import myproject.wsgi"), ("-c", "import myproject.asgi")]
)
def test_manage_and_the_servers_show_no_traceback(command: tuple[str, ...]) -> None:
    assert refused(run("python", *command, DJANGO_SECRET_KEY=""), "DJANGO_SECRET_KEY")


def test_an_unreachable_database_is_named() -> None:
    url = "postgres://app@127.0.0.1:1/app"
    assert refused(preflight(DATABASE_URL=url), "DATABASE_URL", "127.0.0.1")
    assert refused(run("python", "manage.py", "migrate", DATABASE_URL=url), "DATABASE_URL")


def test_the_wait_for_the_database_has_a_limit() -> None:
    done = preflight("--wait", "1", DATABASE_URL="postgres://app@127.0.0.1:1/app")
    assert refused(done, "DATABASE_URL", "Waited 1 s")


def test_pending_migrations_are_named(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.sqlite3'}"
    assert refused(preflight(DATABASE_URL=url), "migrations are pending", "manage.py migrate")
    assert preflight("--skip-migrations", DATABASE_URL=url).returncode == 0
    assert run("python", "manage.py", "migrate", DATABASE_URL=url).returncode == 0
    assert preflight(DATABASE_URL=url).returncode == 0


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert refused(preflight("--port", port), f"port {port} is taken")
        assert refused(run("python", "-m", "deploy.run", "--port", port), f"port {port} is taken")


def test_the_entrypoint_starts_nothing_after_a_refusal(tmp_path: Path) -> None:
    done = run("sh", "entrypoint.sh", "touch", tmp_path / "started", DJANGO_SECRET_KEY="")
    assert refused(done, "DJANGO_SECRET_KEY")
    assert not (tmp_path / "started").exists()


def test_the_entrypoint_becomes_the_command(tmp_path: Path) -> None:
    env = {
        "DATABASE_URL": f"sqlite:///{tmp_path / 'new.sqlite3'}",
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics"),
    }
    assert run("sh", "entrypoint.sh", "python", "manage.py", "migrate", "--noinput", **env).returncode == 0
    (tmp_path / "metrics/counter_1.db").write_bytes(b"of a process that is gone")
    done = run("sh", "entrypoint.sh", "echo", "served", **env)
    assert (done.returncode, done.stdout) == (0, "served\n")
    assert list((tmp_path / "metrics").iterdir()) == []


def start_nginx(certificates: Path) -> subprocess.CompletedProcess[str]:
    # Root reads everything, so that the test of an unreadable key needs somebody else.
    user = "nobody" if os.geteuid() == 0 else None
    # Who may not even enter the folder of this checkout gets the script's text.
    script = (ROOT / "nginx/start.sh").read_text()
    command = ["sh", "-c", script, "start.sh", str(ROOT / "nginx/nginx.conf"), str(certificates)]
    return subprocess.run(command, user=user, capture_output=True, text=True, cwd="/")


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    for folder in (tmp_path, *tmp_path.parents):
        if folder.is_relative_to(tempfile.gettempdir()) and str(folder) != tempfile.gettempdir():
            folder.chmod(folder.stat().st_mode | 0o711)
    folder = tmp_path / "certs"
    folder.mkdir(0o755)
    (folder / "fullchain.pem").write_text("certificate")
    return folder


def test_a_certificate_without_its_key_is_named(certificates: Path) -> None:
    assert refused(start_nginx(certificates), "CERTIFICATES", "has only fullchain.pem")


def test_an_unreadable_key_is_named(certificates: Path) -> None:
    (certificates / "privkey.pem").touch(0o000)
    assert refused(start_nginx(certificates), "CERTIFICATES", "privkey.pem", "cannot be read")
