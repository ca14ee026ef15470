"""Writes `.env` for development out of `.env.example`, with fresh secrets. Never touches one that exists."""

import os
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEVELOPMENT = {"DJANGO_DEBUG": "true", "DJANGO_HTTPS": "false"}
SECRETS = ("DJANGO_SECRET_KEY", "POSTGRES_PASSWORD")


def development_values(example: str) -> str:
    # Letters, digits, - and _ only: the file is read by Python, by compose and by shells.
    values = DEVELOPMENT | {name: secrets.token_urlsafe(48) for name in SECRETS}
    lines = []
    for line in example.splitlines():
        name = line.partition("=")[0]
        lines.append(f"{name}={values[name]}" if name in values else line)
    return "\n".join(lines) + "\n"


def main() -> None:
    target = ROOT / ".env"
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    except OSError as error:
        sys.exit(f"Cannot write {target}: {error.strerror}.")
    with os.fdopen(descriptor, "w") as file:
        file.write(development_values((ROOT / ".env.example").read_text()))
    sys.stdout.write(f"Wrote {target.name} with new secrets, for development.\n")


if __name__ == "__main__":
    main()
