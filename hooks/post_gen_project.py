"""Fills the new project: the template's own files, with its two names replaced, and an .env of its own."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ANSWERS = json.loads(r"""{{ cookiecutter | jsonify }}""")
ONLY_TEMPLATE = ("cookiecutter.json", "hooks/", "tests/template/", "{" + "{cookiecutter.")


def main():
    target = Path.cwd()
    with tempfile.TemporaryDirectory() as scratch:
        source = template_folder(Path(scratch))
        for name in file_names(source):
            if not name.startswith(ONLY_TEMPLATE):
                copy(source / name, target / renamed(name))
    subprocess.run([sys.executable, "deploy/new_env.py"], cwd=target, check=True)
    print(f"\n{ANSWERS['project_slug']} is ready:  cd {target.name} && make run")


def template_folder(scratch):
    """Return the template's root: cookiecutter names it, cruft only says where it was cloned from."""
    if "_repo_dir" in ANSWERS:
        # The path may be relative to the folder that cookiecutter was started in, which a hook is not told.
        starts = [os.environ.get("PWD", "."), ANSWERS.get("_output_dir", ".")]
        candidates = [Path(start, ANSWERS["_repo_dir"]) for start in starts] + [Path(f"/proc/{os.getppid()}/cwd")]
        for candidate in candidates:
            if (candidate / "cookiecutter.json").is_file():
                return candidate.resolve()
        sys.exit(f"Cannot find the template at {ANSWERS['_repo_dir']}; give its absolute path.")
    clone = scratch / "template"
    subprocess.run(["git", "clone", "--quiet", "--no-checkout", ANSWERS["_template"], clone], check=True)
    subprocess.run(["git", "-C", clone, "checkout", "--quiet", ANSWERS["_commit"]], check=True)
    return clone


def file_names(source):
    """Return what git would not ignore, asked through an empty repository: an unpacked zip has none of its own."""
    with tempfile.TemporaryDirectory() as empty:
        subprocess.run(["git", "init", "--quiet", "--bare", empty], check=True)
        command = ["git", f"--git-dir={empty}", "--work-tree=.", "ls-files", "-z", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=source, check=True, stdout=subprocess.PIPE)
    names = sorted(set(os.fsdecode(listed.stdout).split("\0")) - {""})
    return [name for name in names if (source / name).is_file()]


def renamed(text):
    return text.replace("myproject", ANSWERS["package_name"]).replace("my-project", ANSWERS["project_slug"])


def copy(source, target):
    content = source.read_bytes()
    try:
        content = renamed(content.decode()).encode()
    except UnicodeDecodeError:
        pass  # An image or the like, which names nothing.
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    # From the content and not from the source's mode, which a zip loses.
    target.chmod(0o755 if content.startswith(b"#!") else 0o644)


if __name__ == "__main__":
    main()
