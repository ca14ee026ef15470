"""Serves the test's small server over stdio, as mcp_stdio does, on the database of the running test."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()
    from django.core.management import execute_from_command_line
    from django.db import connections

    import mcp_server.server
    from tests.mcp_server.world import make_server

    connections["default"].settings_dict["NAME"] = os.environ["TEST_DATABASE_NAME"]
    mcp_server.server.mcp = make_server()
    execute_from_command_line([sys.argv[0], "mcp_stdio"])
