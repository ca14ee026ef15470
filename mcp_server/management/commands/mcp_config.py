"""Prints ready configuration for a client."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from tokens.client_config import CLIENTS, TRANSPORTS, client_config
from tokens.conf import endpoint_url, server_name

PLACEHOLDER = "<token>"


class Command(BaseCommand):
    help = "Print ready configuration for a client of this server."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--client", required=True, choices=list(CLIENTS))
        parser.add_argument("--transport", choices=TRANSPORTS, default="http")
        parser.add_argument("--token", default=PLACEHOLDER, help="The plain token; without it, a place to put it.")
        parser.add_argument("--url", help="The endpoint; without it, MCP_PUBLIC_URL and the transport's path.")

    def handle(self, *args: Any, client: str, transport: str, token: str, url: str | None, **options: Any) -> None:
        text = client_config(
            client,
            url=url or endpoint_url(transport),
            token=token,
            transport=transport,
            name=server_name(),
            # A client starts these from a folder of its own.
            python=sys.executable,
            manage_py=str(Path(sys.argv[0]).resolve()),
        )
        self.stderr.write(f"For {CLIENTS[client].label}, in {CLIENTS[client].where}:")
        self.stdout.write(text)
