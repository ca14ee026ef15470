"""The tests' settings for a server in a process of its own, on the database of the running test."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES

DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE_NAME"]
ASGI_APPLICATION = "tests.mcp_server.live_app.application"
