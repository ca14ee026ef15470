"""How `.env` becomes settings, and where the first one comes from."""

import http.server
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.deploy.shapes import ROOT

from myproject import environment


def test_every_mcp_variable_takes_the_type_of_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"A": "off", "B": "3", "C": "2.5", "D": "x, y", "E": "z", "F": "true", "G": ""}.items():
        monkeypatch.setenv(name, value)
    defaults = {"A": True, "B": 1, "C": 1.0, "D": [], "E": "", "F": None, "G": 5, "H": 6}
    settings = environment.like_defaults(defaults)
    assert settings == {"A": False, "B": 3, "C": 2.5, "D": ["x", "y"], "E": "z", "F": True}


def test_a_variable_for_a_dict_is_a_json_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", '{"tidy": {"description": "Tidy up."}}')
    assert environment.like_defaults({"A": {}, "B": {}}) == {"A": {"tidy": {"description": "Tidy up."}}}
    for wrong in ("tidy", '["tidy"]', "{"):
        monkeypatch.setenv("A", wrong)
        with pytest.raises(ImproperlyConfigured, match="A must be a JSON object"):
            environment.like_defaults({"A": {}})


def test_what_a_database_url_says_wins_over_our_options() -> None:
    code = "from myproject.settings import DATABASES as d; print(d['default']['OPTIONS'])"
    env = {
        "DJANGO_DEBUG": "true",
        "DJANGO_ENV_FILE": "/dev/null",
        "DATABASE_URL": "postgres://app@db/app?sslmode=require&connect_timeout=9",
    }
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert "'sslmode': 'require'" in done.stdout
    assert "'connect_timeout': 9" in done.stdout
    assert "statement_timeout" in done.stdout


def test_a_new_env_file_is_private_and_an_existing_one_is_kept(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    shutil.copy(ROOT / "deploy/new_env.py", tmp_path / "deploy")
    shutil.copy(ROOT / ".env.example", tmp_path)
    command = [sys.executable, "deploy/new_env.py"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    written = (tmp_path / ".env").read_text()
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert "DJANGO_DEBUG=true" in written
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / ".env").read_text() == written


@pytest.fixture
def server() -> Iterator[http.server.HTTPServer]:
    class Handler(http.server.BaseHTTPRequestHandler):
        hosts: list[str | None] = []

        def do_GET(self) -> None:
            self.hosts.append(self.headers["Host"])
            self.send_response(int(self.path.strip("/")))
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (302, 0), (500, 1), (503, 1)])
def test_health_is_an_answer_below_500(server: http.server.HTTPServer, status: int, code: int) -> None:
    url = f"http://127.0.0.1:{server.server_port}/{status}"
    env = {"DJANGO_ALLOWED_HOSTS": ".example.com,other.example"}
    done = subprocess.run([sys.executable, "-m", "deploy.health", url], cwd=ROOT, env=env, capture_output=True)
    assert done.returncode == code
    assert server.RequestHandlerClass.hosts[-1] == "example.com"  # type: ignore[attr-defined]


def test_a_server_that_is_away_is_not_healthy() -> None:
    done = subprocess.run([sys.executable, "-m", "deploy.health", "http://127.0.0.1:1/"], cwd=ROOT, capture_output=True)
    assert done.returncode == 1
