"""Serves MCP, and in development the pages too, on one port."""

import errno
import math
import os
import socket
from argparse import ArgumentParser
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from mcp_server.conf import setting

# What event streams get to close in after the last call has ended or was given up.
CLOSING_SECONDS = 2


class Command(BaseCommand):
    help = "Serve MCP (and, while DEBUG is on, the pages) with uvicorn: one process, for development."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="Address to listen on (127.0.0.1).")
        parser.add_argument("--port", type=int, default=8001, help="Port to listen on (8001).")
        parser.add_argument("--reload", action="store_true", help="Start again when a file changes.")

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        if not 0 <= port <= 65535:
            raise CommandError(f"--port must be from 0 to 65535, not {port}.")
        _check_address(host, port)
        path: str | None = getattr(settings, "ASGI_APPLICATION", None)
        if not path:
            raise CommandError("Set ASGI_APPLICATION in the settings to the dotted path of the ASGI application.")
        module, _, name = path.rpartition(".")
        # The reloader starts a process of its own, which finds the settings through the environment.
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", settings.SETTINGS_MODULE)
        uvicorn.run(
            f"{module}:{name}",
            host=host,
            port=port,
            # Not WEB_CONCURRENCY: an SSE session lives in one process.
            workers=1,
            reload=options["reload"],
            timeout_graceful_shutdown=math.ceil(setting("MCP_SHUTDOWN_SECONDS")) + CLOSING_SECONDS,
            timeout_keep_alive=75,
        )


def _check_address(host: str, port: int) -> None:
    # uvicorn would start the whole application before it finds out.
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CommandError(f"{host}:{port} is taken by another program. Choose another --port.") from None
        raise CommandError(f"{host}:{port} cannot be listened on: {error.strerror}.") from None
