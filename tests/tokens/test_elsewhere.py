"""Tokens in another project, which has a user model of its own: a setting one process cannot change."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_tokens_works_with_a_user_model_of_the_projects_own() -> None:
    settings = "tests.tokens.elsewhere.settings"
    # The package's own conftest speaks of django.contrib.auth.models.User, so it stays out.
    command = [sys.executable, "-m", "pytest", "-n", "0", "-q", "--noconftest", f"--ds={settings}"]
    done = subprocess.run(
        [*command, "tests/tokens/elsewhere/checks.py"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "DJANGO"))},
        capture_output=True,
        text=True,
        timeout=25,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 passed" in done.stdout
