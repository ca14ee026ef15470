"""`manage.py create_mcp_token`: makes a token for a user and prints its secret once."""

import json
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from tokens.catalog import unknown_tools
from tokens.expiry import MAX_DAYS, default_expiry, expiry_in
from tokens.models import MCPToken


class Command(BaseCommand):
    help = "Makes an MCP token for a user and prints its secret once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", required=True, help="username or email address of the user the token acts as")
        parser.add_argument("--name", required=True, help="what the token is for, such as 'Claude on my laptop'")
        parser.add_argument("--tools", help="comma-separated tool names; without it, all the user may use")
        parser.add_argument(
            "--expires-days", type=int, help="days until it expires; without it, MCP_TOKEN_DEFAULT_EXPIRY_DAYS"
        )
        parser.add_argument("--access", choices=MCPToken.AccessLevel.values, default=MCPToken.AccessLevel.FULL)
        parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        token = MCPToken(
            user=find_user(options["user"]),
            name=options["name"],
            allowed_tools=tool_names(options["tools"]),
            expires_at=expiry(options["expires_days"]),
            access=options["access"],
        )
        save(token)
        self.stdout.write(as_json(token) if options["json"] else as_text(token))
        if token.access == MCPToken.AccessLevel.LIMITED:
            self.stderr.write("A limited token may do nothing until the admin gives it groups or permissions.")


def find_user(identifier: str) -> Any:
    """Return the one active user with this username or email address."""
    users = list(get_user_model()._default_manager.filter(_named(identifier))[:2])
    if not users:
        raise CommandError(f"No user has the username or email address {identifier!r}.")
    if len(users) > 1:
        names = " and ".join(user.get_username() for user in users)
        raise CommandError(f"More than one user answers to {identifier!r}: {names}. Give a username that only one has.")
    if not getattr(users[0], "is_active", True):
        raise CommandError(f"The user {identifier!r} is not active; activate the account first.")
    return users[0]


def tool_names(listed: str | None) -> list[str]:
    """Return the names of a comma-separated list, all of them known tools."""
    if listed is None:
        return []
    names = list(dict.fromkeys(name.strip() for name in listed.split(",") if name.strip()))
    if not names:
        raise CommandError("--tools names no tool. Leave the option out to allow all tools.")
    if unknown := unknown_tools(names):
        raise CommandError(f"Unknown tool: {', '.join(unknown)}. Run 'manage.py mcp_tools' to see the names.")
    return names


def expiry(days: int | None) -> datetime | None:
    if days is None:
        return default_expiry()
    if not 1 <= days <= MAX_DAYS:
        raise CommandError(f"--expires-days must be between 1 and {MAX_DAYS}.")
    return expiry_in(days)


def save(token: MCPToken) -> None:
    try:
        token.full_clean()
    except ValidationError as error:
        problems = [f"{field}: {' '.join(texts)}" for field, texts in error.message_dict.items()]
        raise CommandError(" ".join(problems)) from error
    token.save()


def as_json(token: MCPToken) -> str:
    expires_at = token.expires_at.isoformat() if token.expires_at else None
    user = token.user.get_username()
    return json.dumps(
        {"id": token.pk, "name": token.name, "user": user, "token": token.token, "expires_at": expires_at}
    )


def as_text(token: MCPToken) -> str:
    expires = f"expires {token.expires_at:%Y-%m-%d}" if token.expires_at else "never expires"
    about = f"Token {token.pk} “{token.name}” for {token.user.get_username()}, {token.access} access, {expires}."
    return f"{about}\nIts secret is shown this once:\n\n{token.token}\n"


def _named(identifier: str) -> Q:
    model = get_user_model()
    named = Q(**{model.USERNAME_FIELD: identifier})
    try:
        email = model._meta.get_field(model.get_email_field_name()).name
    except FieldDoesNotExist:
        return named
    return named | Q(**{f"{email}__iexact": identifier})
