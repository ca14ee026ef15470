"""Whether the process is alive, and whether it can do its work."""

from django.db import DEFAULT_DB_ALIAS, connections
from django.db import Error as DatabaseError
from django.db.migrations.executor import MigrationExecutor
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from mcp_server.metrics import exposition
from mcp_server.orm import in_database

_migrated = False


async def health(request: Request) -> Response:
    """Answer 200 while the process runs; asks nothing of the database."""
    return JSONResponse({"status": "ok"})


async def ready(request: Request) -> Response:
    """Answer 200 when the database is reachable and every migration applied, else 503 with the reason."""
    try:
        problem = await in_database(_problem)
    except DatabaseError:
        problem = "The database cannot be reached."
    if problem:
        return JSONResponse({"status": "unavailable", "reason": problem}, status_code=503)
    return JSONResponse({"status": "ok"})


async def metrics(request: Request) -> Response:
    return PlainTextResponse(exposition(), media_type="text/plain; version=0.0.4")


def _problem() -> str:
    global _migrated
    connection = connections[DEFAULT_DB_ALIAS]
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    # Reading every migration is slow, and what was applied stays so while this process runs.
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return "" if _migrated else "Migrations are pending: run manage.py migrate."
