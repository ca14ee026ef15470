"""The project's settings as the tests run them: SQLite or the PostgreSQL of TEST_DATABASE_URL."""

import os
import tempfile
from pathlib import Path

# A developer's .env changes no test.
os.environ.setdefault("DJANGO_ENV_FILE", os.devnull)
os.environ.setdefault("DJANGO_DEBUG", "true")
os.environ["DATABASE_URL"] = os.environ.get("TEST_DATABASE_URL", "sqlite:///:memory:")

from myproject.settings import *  # noqa: F403
from myproject.settings import DATABASES, INSTALLED_APPS

INSTALLED_APPS = [
    *INSTALLED_APPS,
    "tests.everything",
    "tests.mcp_server.derive.admin.workshop",
    "tests.mcp_server.derive.admin.vault",
]
DEBUG = False
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
MEDIA_ROOT = Path(tempfile.mkdtemp(prefix="media-"))
STATIC_ROOT = Path(tempfile.mkdtemp(prefix="static-"))
if "sqlite" in DATABASES["default"]["ENGINE"]:
    # A file, so that threads with connections of their own see one database as they do in production.
    DATABASES["default"]["TEST"] = {"NAME": str(Path(tempfile.mkdtemp(prefix="test-")) / "test.sqlite3")}
# A second database, which holds the workshop only, and which tests ask for by name.
_archive = str(Path(tempfile.mkdtemp(prefix="test-archive-")) / "archive.sqlite3")
DATABASES["archive"] = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": _archive,
    "TEST": {"NAME": _archive, "MIGRATE": False},
}
DATABASE_ROUTERS = ["tests.mcp_server.derive.admin.workshop.router.Router"]
