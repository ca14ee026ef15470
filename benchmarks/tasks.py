"""`python -m benchmarks.tasks`: sixteen everyday tasks of a shop, in the calls a sensible assistant makes.

It knows nothing but the list of tools, which stands behind a search (MCP_TOOL_SEARCH). Counted are its calls, searches
included, and the bytes it reads: the list, and the text of every answer. Each task checks what it did.
"""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

MAX_CALLS, MAX_BYTES = 28, 24_000


class Assistant:
    """Calls the server through a real client and counts."""

    def __init__(self, server: Any) -> None:
        from asgiref.sync import async_to_sync
        from fastmcp import Client

        self.calls = self.bytes = 0

        async def ask(question: Any) -> Any:
            async with Client(server) as client:
                return await question(client)

        self._ask = async_to_sync(ask)

    def list_tools(self) -> None:
        tools = self._ask(lambda client: client.list_tools())
        self.bytes += sum(len(tool.model_dump_json(by_alias=True, exclude_none=True).encode()) for tool in tools)

    def find(self, words: str, *wanted: str) -> None:
        """Search for tools; the ones wanted must be among those found."""
        text = self._count(self._ask(lambda client: client.call_tool("search_tools", {"query": words})))
        missing = [name for name in wanted if f'"{name}"' not in text]
        assert not missing, f"{words!r} does not find {missing}"

    def do(self, tool: str, **arguments: Any) -> Any:
        given = {"name": tool, "arguments": arguments}
        result = self._ask(lambda client: client.call_tool("call_tool", given))
        self._count(result)
        return result.structured_content

    def _count(self, result: Any) -> str:
        text = "".join(getattr(block, "text", "") or getattr(block.resource, "blob", "") for block in result.content)
        self.calls, self.bytes = self.calls + 1, self.bytes + len(text.encode())
        return text


def tasks(it: Assistant) -> list[tuple[str, Callable[[], bool]]]:  # noqa: C901  (sixteen short tasks in a row)
    """Return the tasks in the words of a user, each with the calls it takes and a check of the outcome."""
    from shop.models import Category, Order, Product, StockAdjustment, Supplier, Tag

    def price_of_one() -> bool:
        it.find("list product", "list_product")
        [row] = it.do("list_product", search="SKU0001", fields=["price", "stock"])["rows"]
        return bool(row["price"] == str(Product.objects.get(sku="SKU0001").price))

    def how_many_are_out() -> bool:
        found = it.do("list_product", filters={"level": "out"}, count_only=True)
        return bool(found["total"] == Product.objects.filter(stock=0).count())

    def dearest_three() -> bool:
        rows = it.do("list_product", order=["-price"], limit=3, fields=["price"])["rows"]
        return [row["id"] for row in rows] == list(
            Product.objects.order_by("-price", "-pk").values_list("pk", flat=True)[:3]
        )

    def new_price() -> bool:
        it.find("update product", "update_product", "bulk_product")
        it.do("update_product", id="SKU0002", values={"price": "123.45"})
        return str(Product.objects.get(sku="SKU0002").price) == "123.45"

    def ten_percent_more() -> bool:
        skus = ["SKU0003", "SKU0004", "SKU0005"]
        before = {sku: Product.objects.get(sku=sku).price for sku in skus}
        done = it.do("bulk_product", operation="update", ids=skus, values={"price": {"multiply": "1.10"}})
        return bool(done["done"] == 3) and all(Product.objects.get(sku=sku).price > before[sku] for sku in skus)

    def tagged() -> bool:
        name = Tag.objects.first().name
        it.do("update_product", id="SKU0006", values={"tags": [name]})
        return [tag.name for tag in Product.objects.get(sku="SKU0006").tags.all()] == [name]

    def new_product() -> bool:
        it.find("create product, create stock adjustment", "create_product", "create_stockadjustment")
        category = Category.objects.last().name
        values = {"sku": "NEW-1", "name": "Floor lamp", "category": category, "price": "89.00", "stock": 12}
        values |= {"status": "active", "launched_on": "2026-02-01"}
        it.do("create_product", values=values)
        return Product.objects.get(sku="NEW-1").stock == 12

    def delivery() -> bool:
        it.do("create_stockadjustment", values={"product": "NEW-1", "delta": 8, "reason": "delivery"})
        return Product.objects.get(sku="NEW-1").stock == 20

    def new_order() -> bool:
        lines = [{"product": "NEW-1", "quantity": 2}]
        it.find("create order", "create_order")
        made = it.do("create_order", values={"owner": "demo", "note": "By phone", "lines": lines})["created"]
        it.number = made["number"]
        return Order.objects.get(number=it.number).lines.get().quantity == 2

    def one_more_piece() -> bool:
        it.find("order update action", "update_order", "action_order")
        it.do("update_order", id=it.number, values={"lines": [{"id": "2 x NEW-1", "quantity": 3}]})
        return Product.objects.get(sku="NEW-1").stock == 17

    def mark_paid() -> bool:
        it.do("action_order", action="mark_paid", ids=[it.number])
        return str(Order.objects.get(number=it.number).status) == "paid"

    def cancel() -> bool:
        it.do("action_order", action="cancel_orders", ids=[it.number])
        return Product.objects.get(sku="NEW-1").stock == 20

    def who_changed_it() -> bool:
        it.find("history product", "history_product")
        entries = it.do("history_product", id="NEW-1")["entries"]
        return StockAdjustment.objects.filter(product__sku="NEW-1").exists() and entries[-1]["who"] == "demo"

    def all_prices_of_three_by_action() -> bool:
        it.find("action product", "action_product")
        skus, before = ["SKU0007", "SKU0008"], Product.objects.get(sku="SKU0007").price
        asked = it.do("action_product", action="change_price", ids=skus)
        [name] = asked["parameters"]
        it.do("action_product", action="change_price", ids=skus, confirm=True, parameters={name: "5"})
        return Product.objects.get(sku="SKU0007").price > before

    def delete_a_tag() -> bool:
        it.find("delete tag", "delete_tag")
        tag = Tag.objects.last()
        it.do("delete_tag", id=tag.name)
        return not Tag.objects.filter(pk=tag.pk).exists()

    def lead_time() -> bool:
        it.find("update supplier", "update_supplier")
        supplier = Supplier.objects.first()
        it.do("update_supplier", id=supplier.name, values={"lead_time_days": {"add": 2}})
        return Supplier.objects.get(pk=supplier.pk).lead_time_days == supplier.lead_time_days + 2

    return [
        ("What does SKU0001 cost, and how many are there?", price_of_one),
        ("How many products are sold out?", how_many_are_out),
        ("Which are the three dearest?", dearest_three),
        ("SKU0002 costs 123.45 from today.", new_price),
        ("Raise the prices of three products by ten percent.", ten_percent_more),
        ("Give SKU0006 that one tag.", tagged),
        ("Add a floor lamp, on sale since February, twelve in stock.", new_product),
        ("Eight more of it were delivered.", delivery),
        ("Order two of it for demo, by phone.", new_order),
        ("Make it three.", one_more_piece),
        ("It has been paid.", mark_paid),
        ("Cancel it after all.", cancel),
        ("Who made the lamp?", who_changed_it),
        ("Five percent on two products, with the shop's own action.", all_prices_of_three_by_action),
        ("Nobody needs the last tag.", delete_a_tag),
        ("The first supplier takes two days longer.", lead_time),
    ]


def run() -> tuple[int, int, int]:
    """Return how many tasks came out right, the calls and the bytes read."""
    from django.contrib.auth import get_user_model

    from mcp_server.derive.admin import register_admin_tools
    from mcp_server.derive.tool_search import collapse_derived_tools
    from mcp_server.server import create_server
    from tokens.models import MCPToken

    get_user_model().objects.filter(username="demo").update(is_staff=True, is_superuser=True)
    token = MCPToken.objects.create(user=get_user_model().objects.get(username="demo"), name="tasks")
    os.environ["MCP_TOKEN"] = str(token.token)
    server = create_server()
    register_admin_tools(server)
    collapse_derived_tools(server)
    it = Assistant(server)
    it.list_tools()
    right = 0
    for words, task in tasks(it):
        calls, read = it.calls, it.bytes
        done = task()
        right += done
        print(f"{'ok   ' if done else 'WRONG'} {it.calls - calls:>2} calls {it.bytes - read:>6} bytes  {words}")
    return right, it.calls, it.bytes


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
        os.environ["DATABASE_URL"] = f"sqlite:///{Path(folder) / 'tasks.sqlite3'}"
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        call_command("seed_shop", verbosity=0)
        right, calls, read = run()
    print(json.dumps({"tasks": right, "calls": calls, "max_calls": MAX_CALLS, "bytes": read, "max_bytes": MAX_BYTES}))


if __name__ == "__main__":
    main()
