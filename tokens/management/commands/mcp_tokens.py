"""`manage.py mcp_tokens`: lists tokens, revokes one, or gives one a new secret."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from tokens.models import MCPToken

COLUMNS = "{id:>6}  {user:<20}  {name:<30}  {access:<8}  {status:<8}  {expires_at:<10}  {last_used_at:<16}  {token}"


class Command(BaseCommand):
    help = "Lists MCP tokens, revokes one, or gives one a new secret."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="list | revoke | rotate")
        verbs.add_parser("list", help="list all tokens, their secrets masked")
        for verb, does in (("revoke", "switch a token off"), ("rotate", "replace a token's secret and print it once")):
            verbs.add_parser(verb, help=does).add_argument("id", type=int)
        for verb_parser in verbs.choices.values():
            verb_parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        as_json = options["json"]
        if options["verb"] == "list":
            rows = [describe(token) for token in MCPToken.objects.select_related("user").order_by("pk")]
            self.stdout.write(json.dumps({"tokens": rows}) if as_json else as_table(rows))
            return
        token = find(options["id"])
        if options["verb"] == "revoke":
            token.revoke()
            self.stdout.write(json.dumps(describe(token)) if as_json else f"Token {token.pk} “{token}” is revoked.")
        else:
            secret = {"token": token.rotate()}
            text = f"Token {token.pk} “{token}” has a new secret, shown this once:\n\n{secret['token']}\n"
            self.stdout.write(json.dumps(describe(token) | secret) if as_json else text)


def find(pk: int) -> MCPToken:
    try:
        return MCPToken.objects.select_related("user").get(pk=pk)
    except (MCPToken.DoesNotExist, OverflowError) as error:
        raise CommandError(f"There is no token {pk}. Run 'manage.py mcp_tokens list' to see them.") from error


def describe(token: MCPToken) -> dict[str, Any]:
    return {
        "id": token.pk,
        "user": token.user.get_username(),
        "name": token.name,
        "access": token.access,
        "status": token.status,
        "allowed_tools": token.allowed_tools,
        "expires_at": token.expires_at.isoformat() if token.expires_at else None,
        "last_used_at": token.last_used_at.isoformat() if token.last_used_at else None,
        "token": token.get_masked_token(),
    }


def as_table(rows: list[dict[str, Any]]) -> str:
    titles = dict.fromkeys(rows[0], "") if rows else {}
    titles |= {"id": "ID", "user": "User", "name": "Name", "access": "Access", "status": "Status"}
    titles |= {"expires_at": "Expires", "last_used_at": "Last used", "token": "Secret"}
    shown = [row | {"expires_at": day(row["expires_at"]), "last_used_at": day(row["last_used_at"])} for row in rows]
    return "\n".join(COLUMNS.format(**row) for row in [titles, *shown])


def day(moment: str | None) -> str:
    return moment[:10] if moment else "never"
