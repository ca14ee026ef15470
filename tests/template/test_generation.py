"""A project generated from the template: complete, renamed, its own secrets, its own tests green."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.template.conftest import commit_all, git, run

pytestmark = pytest.mark.timeout(120)
Generate = Callable[..., subprocess.CompletedProcess[str]]


def files_of(project: Path) -> dict[str, bytes]:
    files = (path for path in project.rglob("*") if path.is_file() and path.name != ".env")
    return {str(path.relative_to(project)): path.read_bytes() for path in files}


def modes_of(project: Path) -> dict[str, int]:
    return {name: (project / name).stat().st_mode for name in files_of(project)}


def test_folder_git_url_and_zip_give_the_same_project(template: Path, cookiecutter: Generate, tmp_path: Path) -> None:
    git("archive", "--format=zip", "--prefix=template/", f"--output={tmp_path / 'template.zip'}", "HEAD", cwd=template)
    git("clone", "--quiet", "--bare", template, tmp_path / "template.git", cwd=tmp_path)
    projects = []
    for source in (template, f"file://{tmp_path}/template.git", tmp_path / "template.zip"):
        done = cookiecutter(source, "project_slug=oak-shop")
        assert done.returncode == 0, done.stderr
        projects.append((files_of(tmp_path / "work/oak-shop"), modes_of(tmp_path / "work/oak-shop")))
        shutil.rmtree(tmp_path / "work/oak-shop")
    assert projects[0] == projects[1] == projects[2]


def test_a_relative_path_works_from_where_the_user_is(template: Path, cookiecutter: Generate, tmp_path: Path) -> None:
    done = cookiecutter(os.path.relpath(template, tmp_path / "work"), "project_slug=oak-shop")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "work/oak-shop/manage.py").exists()


def test_both_names_are_replaced_everywhere(template: Path, cookiecutter: Generate, tmp_path: Path) -> None:
    cookiecutter(template, "project_slug=oak-shop", "package_name=oaks")
    project = tmp_path / "work/oak-shop"
    old = [name for name, text in files_of(project).items() if b"myproject" in text or b"my-project" in text]
    assert old == []
    assert "oaks.settings" in (project / "manage.py").read_text()
    assert (project / "oaks/settings.py").exists()
    assert not (project / "cookiecutter.json").exists()
    assert not (project / "hooks").exists()


def test_each_project_has_secrets_of_its_own_that_only_its_user_reads(
    template: Path, cookiecutter: Generate, tmp_path: Path
) -> None:
    for name in ("oak-shop", "elm-shop"):
        cookiecutter(template, f"project_slug={name}")
    oak, elm = (tmp_path / "work" / name / ".env" for name in ("oak-shop", "elm-shop"))
    assert oak.stat().st_mode & 0o777 == 0o600
    secrets = [line for line in oak.read_text().splitlines() if line.startswith(("DJANGO_SECRET_KEY=", "POSTGRES_"))]
    assert [len(line) > 60 for line in secrets] == [True, True]
    assert not set(secrets) & set(elm.read_text().splitlines())


def test_what_git_ignores_is_not_copied(template: Path, cookiecutter: Generate, tmp_path: Path) -> None:
    live = tmp_path / "live"
    shutil.copytree(template, live)
    (live / ".env").write_text("DJANGO_SECRET_KEY=of-the-template\n")
    (live / "db.sqlite3").write_bytes(b"rows")
    cookiecutter(live, "project_slug=oak-shop")
    project = tmp_path / "work/oak-shop"
    assert "of-the-template" not in (project / ".env").read_text()
    assert not (project / "db.sqlite3").exists()


@pytest.mark.parametrize(
    ("slug", "package"),
    [
        ("Oak", "oak"),
        ("-oak", "oak"),
        ("oak-", "oak"),
        ("1oak", "oak"),
        ("oak shop", "oak"),
        ("../oak", "oak"),
        ("oak/shop", "oak"),
        ("", "oak"),
        ('oak"', "oak"),
        ("oak\\n", "oak"),
        ("o" * 51, "oak"),
        ("chêne", "oak"),
        ("oak", "class"),
        ("oak", "json"),
        ("oak", "mcp_server"),
        ("oak", "django"),
        ("oak", "oak-shop"),
        ("oak", "Oak"),
        ("oak", "oak.shop"),
        ("oak", "../oak"),
    ],
)
def test_a_bad_name_is_refused_and_leaves_nothing(
    template: Path, cookiecutter: Generate, tmp_path: Path, slug: str, package: str
) -> None:
    before = set(tmp_path.iterdir())
    done = cookiecutter(template, f"project_slug={slug}", f"package_name={package}")
    assert done.returncode != 0
    assert "project_slug" in done.stderr or "package_name" in done.stderr or "Names have letters" in done.stderr
    assert list((tmp_path / "work").iterdir()) == []
    assert {path.name for path in set(tmp_path.iterdir()) - before} <= {".cookiecutters", ".cookiecutter_replay"}


def test_a_generated_project_passes_its_own_tests(template: Path, cookiecutter: Generate, tmp_path: Path) -> None:
    cookiecutter(template, "project_slug=oak-shop")
    stamp = f"{sys.prefix}/.installed-dev"
    # This environment has what the project needs; `-o` keeps make from installing it again.
    done = run(
        *("make", "test", f"VENV={sys.prefix}", "-o", stamp, "ARGS=tests/tokens -n 0 -q"),
        cwd=tmp_path / "work/oak-shop",
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_cruft_brings_a_later_change_of_the_template_in(template: Path, tmp_path: Path) -> None:
    live, work = tmp_path / "live", tmp_path / "work"
    shutil.copytree(template, live)
    work.mkdir()
    env = {"HOME": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    answers = '{"project_slug": "oak-shop"}'
    done = run("cruft", "create", live, "--no-input", "--extra-context", answers, cwd=work, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    project = work / "oak-shop"
    secrets = (project / ".env").read_text()
    git("init", "--quiet", cwd=project)
    commit_all(project)

    makefile = live / "Makefile"
    makefile.write_text(makefile.read_text() + "\ngreet: ## say hello from my-project\n\t@echo hello\n")
    commit_all(live)
    done = run("cruft", "update", "--skip-apply-ask", cwd=project, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "say hello from oak-shop" in (project / "Makefile").read_text()
    assert (project / ".env").read_text() == secrets
    assert git("diff", "--name-only", "HEAD", cwd=project).split() == [".cruft.json", "Makefile"]
