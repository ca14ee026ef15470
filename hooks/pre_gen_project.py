"""Refuses names that would not work, before a file of the project exists."""

import json
import keyword
import re
import sys

ANSWERS = json.loads(r"""{{ cookiecutter | jsonify }}""")
# Folders of the project, and what its code imports: a package of one of these names would hide the other.
TAKEN = {
    *("mcp_server", "tokens", "shop", "tests", "benchmarks", "deploy", "nginx", "docs", "hooks", "media", "certs"),
    *("asgiref", "django", "django_filters", "drf_spectacular", "environ", "fastmcp", "gunicorn", "httptools", "mcp"),
    *("mcp_types", "oauth2_provider", "prometheus_client", "psycopg", "pydantic", "pytest", "rest_framework"),
    *("starlette", "uvicorn", "whitenoise", "yaml"),
}


def problem(slug, package):
    if not re.fullmatch(r"[a-z]([a-z0-9-]{0,48}[a-z0-9])?", slug):
        return f"project_slug {slug!r}: use 1 to 50 of a-z, 0-9 and -, a letter first and no - last."
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,49}", package):
        return f"package_name {package!r}: use 1 to 50 of a-z, 0-9 and _, a letter first."
    if keyword.iskeyword(package) or package in getattr(sys, "stdlib_module_names", ()):
        return f"package_name {package!r} is a word of Python itself; choose another."
    if package in TAKEN:
        return f"package_name {package!r} is the name of a package the project uses; choose another."
    return None


if __name__ == "__main__":
    if sentence := problem(ANSWERS["project_slug"], ANSWERS["package_name"]):
        sys.exit(sentence)
