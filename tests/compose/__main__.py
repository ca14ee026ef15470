"""Brings the stack up from nothing, uses it as a client does, breaks parts of it, and takes it down.

Needs docker or podman with compose; COMPOSE_LAB may name a script with the verbs up, compose and down instead.
"""

import asyncio
import http.client
import json
import re
import ssl
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastmcp import Client
from fastmcp.client.transports import SSETransport, StreamableHttpTransport

from tests.compose.certificate import write_certificate
from tests.compose.load import Load, call_tool
from tests.compose.stack import Stack, find_engine, wait_until

SERVICES = ("db", "cache", "migrate", "web", "mcp", "mcp-sse", "nginx")
tokens: list[str] = []


def the_stack_comes_up_from_nothing(stack: Stack) -> None:
    stack.up()
    assert stack.status("/mcp/ready") == 200
    assert stack.status("/admin/login/") == 200
    assert stack.status("/static/admin/css/base.css") == 200


def a_token_is_made_through_exec(stack: Stack) -> None:
    if "shop" in stack.exec("mcp", "python", "manage.py", "help", "--commands"):
        stack.exec("mcp", "python", "manage.py", "seed_shop")
    tokens.extend(stack.make_token(f"check {number}") for number in range(4))
    assert all(re.fullmatch(r"mcp_\S{60}", token) for token in tokens)


def a_client_orders_through_both_transports(stack: Stack) -> None:
    headers = {"Authorization": f"Bearer {tokens[0]}"}

    async def use() -> None:
        async with Client(StreamableHttpTransport(f"{stack.url}/mcp", headers=headers)) as client:
            assert len(await client.list_tools()) > 5
            products = await client.call_tool("list_products", {"limit": 100})
            rows = json.loads(products.content[0].text)["products"]
            sku = next(row["sku"] for row in rows if row["stock"] > 1)
            placed = await client.call_tool("place_order", {"items": [{"sku": sku, "quantity": 1}]})
            number = re.findall(r"ORD-\d+", placed.content[0].text)[0]
        async with Client(SSETransport(f"{stack.url}/mcp/sse", headers=headers)) as client:
            status = await client.call_tool("get_order_status", {"order": number})
            assert number in status.content[0].text

    asyncio.run(use())
    rows = "ToolCall.objects.filter(tool='place_order', user__username='demo', status='ok')"
    code = f"from tokens.models import ToolCall; print({rows}.count())"
    assert stack.exec("web", "python", "manage.py", "shell", "--command", code).split()[-1] == "1"


def nginx_keeps_out_what_it_should(stack: Stack) -> None:
    for path in ("/mcp/metrics", "/mcp/metrics/", "/mcp//metrics", "/mcp/%6detrics", "/x/../mcp/metrics"):
        assert stack.status(path) == 404, path
    assert stack.status("/mcp") == stack.status("/mcp/sse") == 401
    big = b"x" * (5 * 1024 * 1024)
    # nginx may hang up on a sender that goes on sending.
    assert stack.status("/mcp", {"Content-Type": "application/json"}, big) in {413, 0}
    # One token's calls are slowed down; the next token's are not.
    wrong = {"Authorization": "Bearer mcp_wrong"}
    with ThreadPoolExecutor(16) as pool:
        answers = set(pool.map(lambda _: stack.status("/mcp", wrong), range(400)))
    assert answers == {401, 429}, answers
    assert call_tool(stack, tokens[0]) == 200


def one_mcp_container_is_killed_and_comes_back(stack: Stack) -> None:
    (name,) = stack.containers("mcp")
    stack.run(stack.engine, "kill", name)
    assert call_tool(stack, tokens[0]) in {502, 504}
    assert stack.status("/admin/login/") == 200
    stack.run(stack.engine, "start", name)
    wait_until("the killed container answers calls", lambda: call_tool(stack, tokens[0]) == 200)


def calls_recover_when_postgresql_restarts(stack: Stack) -> None:
    before = [stack.run(stack.engine, "inspect", name).stdout for name in stack.containers("mcp")]
    stack.restart("db")
    wait_until("calls recover after PostgreSQL's restart", lambda: call_tool(stack, tokens[0]) == 200)
    answers = [call_tool(stack, token) for token in tokens * 2]
    assert answers == [200] * 8, answers
    wait_until("pages recover after PostgreSQL's restart", lambda: stack.status("/admin/login/") == 200)
    after = [stack.run(stack.engine, "inspect", name).stdout for name in stack.containers("mcp")]
    assert [process_of(text) for text in before] == [process_of(text) for text in after]


def process_of(inspected: str) -> int:
    return int(json.loads(inspected)[0]["State"]["Pid"])


def calls_spread_over_three_replicas(stack: Stack) -> None:
    stack.up("--scale", "mcp=3")
    assert len(stack.containers("mcp")) == 3
    marks = len(stack.logs("nginx"))

    def spread() -> int:
        for token in tokens:
            assert call_tool(stack, token) == 200
        time.sleep(0.3)
        return len(set(re.findall(r'POST "/mcp" 200 .* (\S+:8001)', stack.logs("nginx")[marks:])))

    wait_until("three replicas answer calls", lambda: spread() == 3)


def a_stopped_replica_costs_no_call(stack: Stack) -> None:
    name = stack.containers("mcp")[0]
    with Load(stack, tokens) as load:
        load.more(40)
        stack.run(stack.engine, "stop", "--time", "45", name)
        load.more(80)
        stack.run(stack.engine, "start", name)
        load.more(80)
    assert load.failed == 0, load.seen


def a_killed_replica_costs_only_what_it_was_running(stack: Stack) -> None:
    name = stack.containers("mcp")[0]
    with Load(stack, tokens) as load:
        load.more(40)
        stack.run(stack.engine, "kill", name)
        load.more(120)
        stack.run(stack.engine, "start", name)
        load.more(40)
    # A call that had been sent may have run, so it is not repeated: at most one a thread.
    assert load.failed <= len(tokens), load.seen
    assert set(load.seen) <= {200, 502, 504}, load.seen


def certificates_turn_https_on(stack: Stack) -> None:
    authority = write_certificate(stack.folder / "certs")
    stack.restart("nginx")
    trust = ssl.create_default_context(cafile=str(authority))
    wait_until("https answers", lambda: https_status(stack, trust, "/mcp/ready") == 200)
    # A call in the clear is refused and not redirected: the token has been seen by then.
    assert call_tool(stack, tokens[0]) == 403
    assert stack.status("/healthz") == 200


def https_status(stack: Stack, trust: ssl.SSLContext, path: str) -> int:
    connection = http.client.HTTPSConnection("localhost", stack.https, context=trust, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def no_secret_is_in_any_log(stack: Stack) -> None:
    logs = stack.logs(*SERVICES)
    secrets = re.findall(r"^(?:DJANGO_SECRET_KEY|POSTGRES_PASSWORD)=(.+)$", (stack.folder / ".env").read_text(), re.M)
    assert len(secrets) == 2
    assert [secret for secret in [*tokens, *secrets] if secret in logs] == []
    assert "Traceback" not in stack.logs("web", "migrate", "nginx")


def down_leaves_nothing(stack: Stack) -> None:
    stack.down()
    assert stack.leftovers() == ""


def a_bad_setting_starts_nothing(stack: Stack) -> None:
    stack.set_env(MCP_DB_THREADS="many")
    done = stack.up(check=False)
    assert done.returncode != 0
    assert "MCP_DB_THREADS must be a whole number" in done.stdout + done.stderr + stack.logs("migrate")
    assert stack.containers("mcp") == stack.containers("web") == stack.containers("nginx") == []
    stack.down()


def a_missing_password_is_named(stack: Stack) -> None:
    stack.set_env(POSTGRES_PASSWORD="")
    done = stack.up(check=False)
    assert done.returncode != 0
    assert "POSTGRES_PASSWORD" in done.stdout + done.stderr


CHECKS: list[Callable[[Stack], None]] = [
    the_stack_comes_up_from_nothing,
    a_token_is_made_through_exec,
    a_client_orders_through_both_transports,
    nginx_keeps_out_what_it_should,
    one_mcp_container_is_killed_and_comes_back,
    calls_recover_when_postgresql_restarts,
    calls_spread_over_three_replicas,
    a_stopped_replica_costs_no_call,
    a_killed_replica_costs_only_what_it_was_running,
    certificates_turn_https_on,
    no_secret_is_in_any_log,
    down_leaves_nothing,
    a_bad_setting_starts_nothing,
    a_missing_password_is_named,
]


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    found = find_engine()
    if not found:
        say("Skipped the compose check: neither docker nor podman with compose answers on this machine.")
        return
    stack: Any = Stack(*found)
    passed = 0
    try:
        for check in CHECKS:
            began = time.monotonic()
            check(stack)
            passed += 1
            say(f"ok {check.__name__.replace('_', ' ')} ({time.monotonic() - began:.0f} s)")
    except Exception:
        say(traceback.format_exc())
        say(f"FAILED {CHECKS[passed].__name__.replace('_', ' ')}")
        for service in SERVICES:
            say(f"-- {service}\n{stack.logs(service)[-3000:]}")
    finally:
        stack.down()
    failed = int(passed < len(CHECKS))
    say(f"{passed} passed, {failed} failed")
    sys.exit(failed)


if __name__ == "__main__":
    main()
