"""Asks whether a server may start: settings, port, database and migrations, each refused in one sentence.

python -m deploy.preflight [--wait SECONDS] [--port PORT] [--skip-migrations]
"""

import argparse
import os
import socket
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wait", type=float, default=0, help="seconds to wait for the database and its migrations")
    parser.add_argument("--port", type=int, help="refuse when something listens on this port already")
    parser.add_argument("--skip-migrations", action="store_true", help="for the process that is about to migrate")
    options = parser.parse_args()
    set_up()
    if options.port:
        refuse(port_problem(options.port))
    refuse(wait_for_database(options.wait, migrated=not options.skip_migrations))


def set_up() -> None:
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "myproject.settings")
    import django

    from myproject.environment import refusals_in_one_sentence

    with refusals_in_one_sentence():
        django.setup()


def refuse(problem: str | None) -> None:
    if problem:
        sys.exit(f"Not started: {problem}")


def port_problem(port: int) -> str | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return f"port {port} is taken by another program; stop that one or choose a port: make run PORT={port + 1}."
    return None


def wait_for_database(seconds: float, *, migrated: bool) -> str | None:
    until = time.monotonic() + seconds
    while (problem := database_problem(migrated=migrated)) and time.monotonic() < until:
        time.sleep(1)
    return problem and problem + (f" Waited {seconds:g} s." if seconds else "")


def database_problem(*, migrated: bool) -> str | None:
    from django.db import Error, connection
    from django.db.migrations.executor import MigrationExecutor

    try:
        connection.close()
        connection.ensure_connection()
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes()) if migrated else []
    except Error as error:
        reason = " ".join(str(error).split())[:200]
        return f"the database that DATABASE_URL names cannot be used: {reason}."
    if pending:
        return f"{len(pending)} migrations are pending in the database of DATABASE_URL; run: python manage.py migrate."
    return None


if __name__ == "__main__":
    main()
