"""`python -m benchmarks.admin`: the admin's tools against the admin's own pages, under one uvicorn, in one run.

Lists of 20 and 100 products against the changelist showing as many, updates against the POST of the change view. All is
on for the tools: token, permissions, audit and metrics; for the pages the whole of MIDDLEWARE. One client, raw sockets.
"""

import json
import os
import statistics
import tempfile
from dataclasses import replace
from itertools import cycle, repeat
from typing import Any
from urllib.parse import urlencode

from benchmarks.__main__ import manage, prepare, served
from benchmarks.load import Load, rate, tool_call

# Many short turns side by side: a slow moment of the machine then hits page and tool alike.
ROUNDS, SECONDS = 41, 0.15
GOALS = {"list": 0.5, "update": 0.7}
FACTS = """
import json
from django.contrib.auth import SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY, get_user_model
from django.contrib.sessions.backends.db import SessionStore
from shop.models import Order, Product, Supplier
user = get_user_model().objects.get(username="demo")
get_user_model().objects.filter(pk=user.pk).update(is_staff=True, is_superuser=True)
session = SessionStore()
session[SESSION_KEY], session[BACKEND_SESSION_KEY] = str(user.pk), "django.contrib.auth.backends.ModelBackend"
session[HASH_SESSION_KEY] = user.get_session_auth_hash()
session.save()
supplier = Supplier.objects.first()
order = Order.objects.filter(status="placed").first()
pks = list(Product.objects.order_by("pk").values_list("pk", flat=True))
print("FACTS" + json.dumps({
    "session": session.session_key, "supplier": str(supplier.pk), "name": supplier.name, "email": supplier.email,
    "order": order.pk, "lines": [[line.pk, line.quantity] for line in order.lines.all()],
    "first": pks[0], "last20": pks[19], "last100": pks[99],
}))
"""
CSRF = "c" * 32


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
            "DATABASE_URL": f"sqlite:///{folder}/bench.sqlite3",
            "MCP_ADMIN_TOOLS": "true",
        }
        token = prepare(environment)
        facts = json.loads(manage(environment, "shell", "--no-imports", "-c", FACTS).partition("FACTS")[2])
        with served(environment) as port:
            compare(pairs(facts, token, port), port)


def pairs(facts: dict[str, Any], token: str, port: int) -> list[tuple[str, Load, Load]]:
    """Return what is compared: its name, the admin's page, the tool."""
    head = [f"Host: 127.0.0.1:{port}", f"Cookie: sessionid={facts['session']}; csrftoken={CSRF}"]

    def listing(rows: int) -> tuple[str, Load, Load]:
        path = f"/admin/shop/product/?pk__lte={facts[f'last{rows}']}&all="
        page = Load(path, repeat(_request("GET", path, head)), b"result_list")
        return f"list {rows} rows", page, tool_call("list_product", {"limit": rows}, token, port)

    return [listing(20), listing(100), _supplier(facts, token, port, head), _order(facts, token, port, head)]


def _supplier(facts: dict[str, Any], token: str, port: int, head: list[str]) -> tuple[str, Load, Load]:
    path = f"/admin/shop/supplier/{facts['supplier']}/change/"
    values = [{"lead_time_days": days} for days in (3, 4)]
    forms = [{"name": facts["name"], "email": facts["email"], "website": "", **value} for value in values]
    calls = [tool_call("update_supplier", {"id": facts["supplier"], "values": v}, token, port) for v in values]
    return "update a supplier", *_turns(path, forms, calls, head)


def _order(facts: dict[str, Any], token: str, port: int, head: list[str]) -> tuple[str, Load, Load]:
    path = f"/admin/shop/order/{facts['order']}/change/"
    count = len(facts["lines"])
    rows: dict[str, Any] = {"lines-TOTAL_FORMS": count, "lines-INITIAL_FORMS": count}
    for number, (pk, quantity) in enumerate(facts["lines"]):
        rows |= {f"lines-{number}-id": pk, f"lines-{number}-order": facts["order"]}
        rows[f"lines-{number}-quantity"] = quantity
    values = [{"note": note} for note in ("Ring twice", "Leave at the door")]
    calls = [tool_call("update_order", {"id": facts["order"], "values": v}, token, port) for v in values]
    return f"update an order, {count} lines", *_turns(path, [rows | value for value in values], calls, head)


def _turns(path: str, forms: list[dict[str, Any]], calls: list[Load], head: list[str]) -> tuple[Load, Load]:
    """Return two loads whose requests take turns, so that every update has something to change."""
    posts = [_request("POST", path, head, form) for form in forms]
    requests = [next(call.requests) for call in calls]
    return Load(path, cycle(posts), b""), replace(calls[0], requests=cycle(requests))


def _request(method: str, path: str, head: list[str], form: dict[str, Any] | None = None) -> bytes:
    body = urlencode({"csrfmiddlewaretoken": CSRF, "_save": "Save", **form}).encode() if form else b""
    lines = [f"{method} {path} HTTP/1.1", *head]
    lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"] if form else []
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def compare(found: list[tuple[str, Load, Load]], port: int) -> None:
    for _, page, tool in found:
        for load in (page, tool):
            rate(load, port, clients=1, seconds=0.5)  # warms up
    print(f"{'milliseconds, one client':<28}{'admin':>8}{'tool':>8}{'ratio':>8}{'goal':>8}")
    for name, page, tool in found:
        rounds = [[1000 / rate(load, port, clients=1, seconds=SECONDS) for load in (page, tool)] for _ in range(ROUNDS)]
        ratio = statistics.median(own / admin for admin, own in rounds)
        admin, own = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"{name:<28}{admin:>8.1f}{own:>8.1f}{ratio:>8.2f}{GOALS[name.split()[0]]:>8.1f}")


if __name__ == "__main__":
    main()
