"""Prints the tools that one caller would see."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.management.base import BaseCommand, CommandError

from mcp_server.catalog import all_tools
from mcp_server.permissions import is_read_only, may_use
from tokens.management.commands.create_mcp_token import find_user
from tokens.models import MCPToken
from tokens.narrowing import narrow_user


class Command(BaseCommand):
    help = "Print the tools a token or a user would see; without either, all of them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        who = parser.add_mutually_exclusive_group()
        who.add_argument("--token-id", type=int, help="The token's id, from `manage.py mcp_tokens list`.")
        who.add_argument("--user", help="Email address or username.")

    def handle(self, *args: Any, token_id: int | None, user: str | None, **options: Any) -> None:
        caller, token = self.caller(token_id, user)
        for tool in all_tools():
            if caller is None or may_use(tool, caller, token):
                summary = (tool.description or "").strip().partition("\n")[0]
                self.stdout.write(f"{'read ' if is_read_only(tool) else 'write'} {tool.name:<32} {summary}")

    def caller(self, token_id: int | None, name: str | None) -> tuple[AbstractBaseUser | None, MCPToken | None]:
        if token_id is not None:
            token = MCPToken.objects.select_related("user").filter(pk=token_id).first()
            if token is None:
                raise CommandError(f"There is no token with the id {token_id}. See `manage.py mcp_tokens list`.")
            return narrow_user(token.user, token), token
        return (find_user(name), None) if name is not None else (None, None)
