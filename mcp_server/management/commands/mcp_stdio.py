"""Serves MCP on standard input and output, as the user of the token in MCP_TOKEN."""

import asyncio
import logging
import os
import sys
from contextlib import redirect_stdout
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from mcp_server.auth import environment_principal
from tokens.auth import MCPAuthError


class Command(BaseCommand):
    help = "Serve MCP on standard input and output. Set MCP_TOKEN to a token's plain text."
    # Checks print to standard output, which belongs to the protocol.
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        _log_to_stderr()
        try:
            asyncio.run(self.serve())
        except MCPAuthError as error:
            raise CommandError(f"MCP_TOKEN was refused. {error}") from None
        except KeyboardInterrupt:
            sys.exit(130)

    async def serve(self) -> None:
        # Standard output belongs to the protocol; what is printed while it runs is diverted by the transport.
        with redirect_stdout(sys.stderr):
            # Before anything else: a client with a bad token shall see why, and no protocol.
            await environment_principal()
            from mcp_server.server import mcp

        await mcp.run_stdio_async(show_banner=False)
        # What was printed meanwhile may still be in a buffer, which Python empties at exit.
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


def _log_to_stderr() -> None:
    for name in (None, *logging.root.manager.loggerDict):
        for handler in logging.getLogger(name).handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stdout:
                handler.setStream(sys.stderr)
