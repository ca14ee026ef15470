"""Serves the test's small server over stdio, as mcp_stdio does, on the database of the running test."""

import logging
import os
import subprocess
import sys
from typing import Any


def loud(raw: str) -> Any:
    """An authenticator that prints."""
    from tokens.auth import resolve_mcp_user

    print("asked")  # noqa: T201
    return resolve_mcp_user(raw)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()
    from django.core.management import execute_from_command_line
    from django.db import connections

    import mcp_server.server
    from tests.mcp_server.world import make_server

    connections["default"].settings_dict["NAME"] = os.environ["TEST_DATABASE_NAME"]
    mcp_server.server.mcp = server = make_server()

    if os.environ.get("TEST_NOISE"):
        logging.getLogger("noise").addHandler(logging.StreamHandler(sys.stdout))

        @server.tool
        def noisy() -> str:
            """Say things in every way there is, none of them protocol."""
            print("printed")  # noqa: T201
            logging.getLogger("noise").warning("logged to stdout")
            os.write(1, b"written\n")
            subprocess.run(["echo", "by a child"], check=True)
            return "quiet"

    execute_from_command_line([sys.argv[0], "mcp_stdio"])
