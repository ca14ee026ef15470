"""Who looks into the vault, and what lies in it."""

from typing import Any

from tests.factories import make_user
from tests.mcp_server.derive.admin.vault.models import Case, Client

MODELS = ("client", "case", "step", "bank")
ALL = tuple(f"vault.{verb}_{model}" for verb in ("view", "add", "change", "delete") for model in MODELS)
SECRETS = {
    "pin_code": "4711-pin",
    "recovery_codes": ["9f3-recovery"],
    "otp_seed": "JBSW-seed",
    "webhook_secret": "whsec-hook",
    "private_key": "BEGIN-private",
    "health": "gout-encrypted",
    "nickname": "moose-blind",
}


def make_client(owner: Any, name: str = "Mina Harker", **fields: Any) -> Client:
    number = Client.objects.count()
    known = {"email": f"client{number}@example.com", "ssn": f"111-{number}"}
    return Client.objects.create(name=name, owner=owner, **(known | SECRETS | fields))


def make_case(owner: Any, title: str = "Missing deed", **fields: Any) -> Case:
    fields["client"] = fields.get("client") or make_client(owner)
    return Case.objects.create(title=title, owner=owner, **({"code": f"C-{Case.objects.count()}"} | fields))


def make_stranger() -> Any:
    return make_user("stranger", password="hunter2-login")
