"""The template as its users find it: a folder, a git repository, a zip."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GIT = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "init.defaultBranch=main"]


def run(*command: object, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], cwd=cwd, env=env, capture_output=True, text=True)


def git(*words: object, cwd: Path) -> str:
    done = run(*GIT, *words, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def commit_all(repository: Path) -> None:
    git("add", "--all", cwd=repository)
    git("commit", "--quiet", "--message", "Change the template", cwd=repository)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A git repository with this checkout's files as they are, committed or not."""
    repository = tmp_path_factory.mktemp("template") / "template"
    names = git("ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (repository / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, repository / name)
    git("init", "--quiet", cwd=repository)
    commit_all(repository)
    yield repository
    shutil.rmtree(repository)


@pytest.fixture
def cookiecutter(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run cookiecutter in an empty folder, with a home of its own, so that nobody's cache or answers take part."""
    (tmp_path / "work").mkdir()

    def generate(source: object, *answers: str) -> subprocess.CompletedProcess[str]:
        env = {"HOME": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
        return run("cookiecutter", "--no-input", source, *answers, cwd=tmp_path / "work", env=env)

    return generate
