"""docs/copy-in.md, done to projects as `startproject` makes them; its own code blocks are what is added."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport

from tests.compose.stack import free_ports
from tests.template.conftest import ROOT, run

pytestmark = pytest.mark.timeout(120)
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs/copy-in.md").read_text().replace("\n   ", "\n"), re.DOTALL)
SETTINGS, ASGI, ELSEWHERE, TOOL = BLOCKS
# Without the settings module of this project's own tests.
ENVIRONMENT = {"PATH": os.environ["PATH"]}
LOGIN_REQUIRED = 'MIDDLEWARE += ["django.contrib.auth.middleware.LoginRequiredMiddleware"]\n'
PEOPLE = """
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models


class Person(AbstractBaseUser, PermissionsMixin):
    email = models.EmailField(unique=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    objects = BaseUserManager()
    USERNAME_FIELD = "email"
"""


class Project:
    def __init__(self, folder: Path, apps: str = ".") -> None:
        self.folder, self.apps = folder, folder / apps
        folder.mkdir()
        self.run(sys.executable, "-m", "django", "startproject", "mysite", ".")
        self.apps.mkdir(exist_ok=True)
        self.add_app("notes", "mcp_tools.py", TOOL)
        self.changed = 0

    def run(self, *command: object) -> str:
        done = run(*command, cwd=self.folder, env=ENVIRONMENT)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def manage(self, *words: object) -> str:
        return self.run(sys.executable, "manage.py", *words)

    def add_app(self, name: str, module: str, code: str) -> None:
        (self.apps / name / "migrations").mkdir(parents=True)
        (self.apps / name / "__init__.py").touch()
        (self.apps / name / "migrations/__init__.py").touch()
        (self.apps / name / module).write_text(code)
        self.append("settings", f'INSTALLED_APPS += ["{name}"]\n')

    def append(self, module: str, code: str) -> None:
        path = self.folder / f"mysite/{module}.py"
        path.write_text(f"{path.read_text()}\n{code}")

    def copy_in(self) -> None:
        """Do what the page says, without the demo, and count the lines."""
        for name in ("tokens", "mcp_server"):
            shutil.copytree(ROOT / name, self.apps / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.rmtree(self.apps / "mcp_server/tools")
        for name in ("resources.py", "prompts.py"):
            (self.apps / "mcp_server" / name).unlink()
        added = [SETTINGS, ASGI]
        if self.apps != self.folder:
            path = self.folder / "mysite/settings.py"
            path.write_text(path.read_text().replace("INSTALLED_APPS = [", f"{ELSEWHERE}\nINSTALLED_APPS = [", 1))
            added.append(ELSEWHERE)
        self.append("settings", SETTINGS)
        self.append("asgi", ASGI)
        self.changed = sum(1 for block in added for line in block.splitlines() if line.strip())

    def make_token(self, user: str) -> str:
        text = self.manage("create_mcp_token", "--user", user, "--name", "copied in")
        return re.findall(r"mcp_[\w-]{60}", text)[0]

    @contextmanager
    def serving(self) -> Iterator[str]:
        (port,) = free_ports(1)
        command = [sys.executable, "manage.py", "runserver_mcp", "--port", str(port)]
        pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with subprocess.Popen(command, cwd=self.folder, env=ENVIRONMENT, **pipe) as server:
            try:
                url, until = f"http://127.0.0.1:{port}", time.monotonic() + 60
                while status(f"{url}/mcp/ready") != 200:
                    assert server.poll() is None, server.stdout and server.stdout.read()
                    assert time.monotonic() < until
                    time.sleep(0.1)
                yield url
            finally:
                server.terminate()


def status(url: str) -> int:
    try:
        with urlopen(url, timeout=10) as answer:  # noqa: S310
            return int(answer.status)
    except HTTPError as error:
        return error.code
    except OSError:
        return 0


def whoami(url: str, token: str) -> str:
    async def ask() -> str:
        transport = StreamableHttpTransport(f"{url}/mcp", headers={"Authorization": f"Bearer {token}"})
        async with Client(transport) as client:
            assert [tool.name for tool in await client.list_tools()] == ["whoami"]
            return str((await client.call_tool("whoami")).data)

    return asyncio.run(ask())


def assert_it_works(project: Project, user: str) -> None:
    assert project.changed <= 10
    project.manage("migrate", "--verbosity", "0")
    code = f"from django.contrib.auth import get_user_model as m; m()(**{{m().USERNAME_FIELD: '{user}'}}).save()"
    project.manage("shell", "--command", code)
    token = project.make_token(user)
    with project.serving() as url:
        assert status(f"{url}/mcp") == 401
        assert whoami(url, token) == user
        assert status(f"{url}/admin/login/") == 200
    tables = "from tokens.models import ToolCall as t; print(t.objects.filter(tool='whoami', status='ok').count())"
    assert project.manage("shell", "--command", tables).split()[-1] == "1"


def test_a_fresh_project(tmp_path: Path) -> None:
    project = Project(tmp_path / "site")
    project.copy_in()
    assert "no issues" in project.manage("check")
    assert "No changes" in project.manage("makemigrations", "--check", "--dry-run")
    assert_it_works(project, "ada")


def test_it_needs_only_what_the_page_installs(tmp_path: Path) -> None:
    project = Project(tmp_path / "site")
    project.copy_in()
    unwanted = ("rest_framework", "django_filters", "drf_spectacular", "environ", "psycopg", "oauth2_provider", "shop")
    code = f"import sys, mysite.asgi; print([name for name in {unwanted} if name in sys.modules])"
    assert project.manage("shell", "--command", code).splitlines()[-1] == "[]"


def test_a_project_whose_pages_all_need_a_login(tmp_path: Path) -> None:
    project = Project(tmp_path / "site")
    project.append("settings", LOGIN_REQUIRED)
    project.copy_in()
    assert_it_works(project, "ada")


def test_a_project_whose_users_have_no_username(tmp_path: Path) -> None:
    project = Project(tmp_path / "site")
    project.add_app("people", "models.py", PEOPLE)
    project.append("settings", 'AUTH_USER_MODEL = "people.Person"\n')
    project.manage("makemigrations", "people")
    project.copy_in()
    assert_it_works(project, "ada@example.com")


def test_a_project_whose_apps_live_elsewhere(tmp_path: Path) -> None:
    project = Project(tmp_path / "site", apps="apps")
    project.copy_in()
    assert_it_works(project, "ada")
