"""`make run`: migrates, fills a new database with the demo shop, makes one token, and serves.

python -m deploy.run [--port PORT]
"""

import argparse
import io
import json
import sys

from deploy.preflight import port_problem, refuse, set_up

from myproject.environment import refusals_in_one_sentence

USER = "demo"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8001)
    port = parser.parse_args().port
    # Before anything is written: a taken port must not leave a token behind that nobody saw.
    refuse(port_problem(port))
    set_up()
    with refusals_in_one_sentence():
        serve(port)


def serve(port: int) -> None:
    from django.contrib.auth import get_user_model
    from django.core.management import call_command, get_commands

    call_command("migrate", verbosity=0)
    # Only a new database is filled, so that what was changed or deleted since stays so.
    if not get_user_model().objects.exists() and "seed_shop" in get_commands():
        call_command("seed_shop")
    say(f"\nMCP    http://localhost:{port}/mcp\nAdmin  http://localhost:{port}/admin/\n")
    show_token(port)
    call_command("runserver_mcp", port=port)


def show_token(port: int) -> None:
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    from tokens.models import MCPToken

    if MCPToken.objects.exists() or not get_user_model().objects.filter(username=USER).exists():
        say(f"Make a token: {sys.executable} manage.py create_mcp_token --user USER --name NAME")
        say("Tokens are shown once, when they are made.\n")
        return
    made = io.StringIO()
    call_command("create_mcp_token", user=USER, name="make run", json=True, stdout=made)
    token = json.loads(made.getvalue())["token"]
    say(f"Token  {token}\n       of the user {USER}; shown this once.\n")
    call_command("mcp_config", client="claude-desktop", token=token, url=f"http://localhost:{port}/mcp")
    say("")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
