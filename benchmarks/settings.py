"""The project as it is served in production, on a SQLite database of its own."""

import os

os.environ.setdefault("DJANGO_DEBUG", "true")

from myproject.settings import *  # noqa: F403

DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "benchmarks.urls"
MCP_MOUNT_DJANGO = True
MCP_SERVER_NAME = "bench"
LOGGING = {}
