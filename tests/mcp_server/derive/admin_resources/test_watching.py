"""Clients that subscribed to a row or a shop's resource hear of changes by any path of Django."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import connection
from django.db.backends.signals import connection_created
from django.db.models import F
from django.test import Client as Browser
from django.urls import reverse
from fastmcp import Client
from mcp.client.subscriptions import Subscription, listen
from starlette.applications import Starlette

from mcp_server.asgi import build_app
from mcp_server.derive.admin import register_admin_tools
from mcp_server.orm import database_threads
from mcp_server.resources import register_resources
from mcp_server.server import create_server
from mcp_server.subscriptions import _watched
from shop import services
from shop.admin import OrderAdmin
from shop.models import Category, Order, OrderLine, Product, Supplier
from tests.factories import make_order, make_product, make_user
from tests.mcp_server.clients import Notes, mcp_client, running
from tests.mcp_server.derive.admin.conftest import FULL
from tokens.models import MCPToken

Change = Callable[[Client[Any]], Any]


@pytest.fixture(autouse=True)
def shop(transactional_db: None) -> Iterator[None]:
    make_product("SKU0043")
    make_product("SKU0044")
    before = dict(_watched)
    yield
    _watched.clear()
    _watched.update(before)


@pytest.fixture
def boss(transactional_db: None) -> User:
    return make_user("boss", superuser=True)


@pytest.fixture
def app(transactional_db: None) -> Starlette:
    mcp = create_server()
    register_resources(mcp)
    register_admin_tools(mcp)
    return build_app(mcp)


def token_of(user: User) -> str:
    return MCPToken.objects.create(user=user, name="Claude").token


def uri_of(sku: str) -> str:
    return f"django://shop.product/{Product.objects.get(sku=sku).pk}"


async def save(client: Client[Any]) -> None:
    product = await Product.objects.aget(sku="SKU0043")
    product.name = "Ash desk"
    await product.asave()


async def update(client: Client[Any]) -> None:
    await Product.objects.filter(sku="SKU0043").aupdate(stock=F("stock") + 1)


async def admin_page(client: Client[Any]) -> None:
    await sync_to_async(post_to_the_admin)()


def post_to_the_admin() -> None:
    product, browser = Product.objects.get(sku="SKU0043"), Browser()
    browser.force_login(User.objects.get(username="boss"))
    page = reverse("admin:shop_product_change", args=[product.pk])
    form = browser.get(page).context["adminform"].form
    data = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    data = {name: value for name, value in data.items() if value not in (None, [])}
    answer = browser.post(page, data | {"name": "Elm desk", "attributes": "{}", "datasheet": ""})
    assert answer.status_code == 302, answer.context["errors"]


async def tool_call(client: Client[Any]) -> None:
    await client.call_tool("update_product", {"sku": "SKU0043", "values": {"name": "Fir desk"}})


CHANGES = [save, update, admin_page, tool_call]


@asynccontextmanager
async def listening(app: Starlette, user: User, *uris: str) -> AsyncIterator[tuple[Client[Any], Subscription]]:
    token = await sync_to_async(token_of)(user)
    async with running(app), mcp_client(app, "2026-07-28", token) as client:  # noqa: SIM117
        async with listen(client.session, resource_subscriptions=uris) as subscription:
            yield client, subscription


async def told(subscription: Subscription) -> str:
    async with asyncio.timeout(5):
        async for event in subscription:
            return str(getattr(event, "uri", event))
    raise AssertionError("The stream ended.")


@pytest.mark.parametrize("change", CHANGES)
async def test_a_listening_client_hears_of_its_row(app: Starlette, boss: User, change: Change) -> None:
    uri = await sync_to_async(uri_of)("SKU0043")
    async with listening(app, boss, uri) as (client, subscription):
        assert subscription.honored.resource_subscriptions == [uri]
        await change(client)
        assert await told(subscription) == uri


async def upsert(client: Client[Any]) -> None:
    category = await Category.objects.aget()
    again = Category(pk=category.pk, name="Tables", slug=category.slug)
    await Category.objects.abulk_create([again], update_conflicts=True, unique_fields=["slug"], update_fields=["name"])


def statement(sql: str) -> Change:
    def run() -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql)

    async def change(client: Client[Any]) -> None:
        await sync_to_async(run)()

    return change


STATEMENTS = [
    "/* by hand */ UPDATE shop_category SET name = 'Tables'",
    "-- by hand\nUPDATE shop_category SET name = 'Tables'",
    "WITH chosen AS (SELECT id FROM shop_category) "
    "UPDATE shop_category SET name = 'Tables' WHERE id IN (SELECT id FROM chosen)",
    "INSERT INTO shop_category (name, slug, description) VALUES ('Tables', 'desks', '') "
    "ON CONFLICT (slug) DO UPDATE SET name = 'Tables'",
]


@pytest.mark.parametrize("change", [upsert, *map(statement, STATEMENTS)])
async def test_a_row_is_watched_however_its_statement_is_written(app: Starlette, boss: User, change: Change) -> None:
    category = await Category.objects.aget()
    uri = f"django://shop.category/{category.pk}"
    async with listening(app, boss, uri) as (client, subscription):
        await change(client)
        assert await told(subscription) == uri


@asynccontextmanager
async def subscribed(app: Starlette, user: User, uri: str) -> AsyncIterator[tuple[Client[Any], Notes]]:
    token, notes = await sync_to_async(token_of)(user), Notes()
    client = mcp_client(app, "sse", token)
    client._session_kwargs["message_handler"] = notes
    async with running(app), client:
        await client.session.subscribe_resource(uri)
        yield client, notes


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
@pytest.mark.parametrize("change", CHANGES)
async def test_a_client_over_sse_hears_of_its_row(app: Starlette, boss: User, change: Change) -> None:
    uri = await sync_to_async(uri_of)("SKU0043")
    async with subscribed(app, boss, uri) as (client, notes):
        await change(client)
        assert await asyncio.wait_for(notes.uris.get(), 5) == uri


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
@pytest.mark.parametrize("uri", ["shop://products/SKU0043", "shop://categories"])
async def test_the_shops_own_resources_are_watched_over_sse(app: Starlette, boss: User, uri: str) -> None:
    async with subscribed(app, boss, uri) as (client, notes):
        await save(client)
        assert await asyncio.wait_for(notes.uris.get(), 5) == uri


async def test_another_row_is_no_news(app: Starlette, boss: User) -> None:
    mine, other = await sync_to_async(uri_of)("SKU0043"), await sync_to_async(uri_of)("SKU0044")
    async with listening(app, boss, other, mine) as (client, subscription):
        await save(client)
        assert await told(subscription) == mine
        await (await Product.objects.aget(sku="SKU0044")).asave()
        assert await told(subscription) == other


@pytest.mark.parametrize("change", CHANGES)
async def test_the_shops_own_resource_of_a_product_is_watched(app: Starlette, boss: User, change: Change) -> None:
    async with listening(app, boss, "shop://products/sku0043") as (client, subscription):
        await change(client)
        assert await told(subscription) == "shop://products/sku0043"


async def test_the_tree_of_categories_changes_with_categories_and_products(app: Starlette, boss: User) -> None:
    async with listening(app, boss, "shop://categories") as (_, subscription):
        await Category.objects.acreate(name="Lamps", slug="lamps")
        assert await told(subscription) == "shop://categories"
        await sync_to_async(make_product)("SKU0045")
        assert await told(subscription) == "shop://categories"


async def test_rows_of_inlines_count_for_their_parent(app: Starlette, boss: User) -> None:
    order = await sync_to_async(make_order)(boss)
    uri = f"django://shop.order/{order.pk}"
    async with listening(app, boss, uri) as (_, subscription):
        await OrderLine.objects.filter(order=order).aupdate(unit_price=1)
        assert await told(subscription) == uri
        product = await Product.objects.aget(sku="SKU0044")
        await OrderLine.objects.acreate(order=order, product=product, quantity=1, unit_price=2)
        assert await told(subscription) == uri


async def test_a_file_is_watched_with_its_row(app: Starlette, boss: User) -> None:
    product = await Product.objects.aget(sku="SKU0043")
    await sync_to_async(product.datasheet.save)("desk.txt", ContentFile(b"120 x 60 cm"))
    uri = f"django://shop.product/{product.pk}/datasheet"
    async with listening(app, boss, uri) as (_, subscription):
        await sync_to_async(product.datasheet.save)("desk.txt", ContentFile(b"140 x 60 cm"))
        assert await told(subscription) == uri


async def test_a_row_whose_key_is_a_uuid_is_told_apart_too(app: Starlette, boss: User) -> None:
    other = await Supplier.objects.acreate(name="Elm Ltd", email="elm@example.com")
    supplier = await Supplier.objects.acreate(name="Oak & Sons", email="oak@example.com")
    uris = [f"django://shop.supplier/{row.pk}" for row in (other, supplier)]
    async with listening(app, boss, *uris) as (_, subscription):
        await supplier.asave()
        assert await told(subscription) == uris[1]
        await other.asave()
        assert await told(subscription) == uris[0]


async def test_what_the_caller_may_not_read_is_not_honoured(app: Starlette, boss: User) -> None:
    clerk = await sync_to_async(make_user)("clerk", *FULL, staff=True)
    theirs, own = await sync_to_async(make_order)(boss), await sync_to_async(make_order)(clerk)
    mine = f"django://shop.order/{own.pk}"
    asked = [f"django://shop.order/{theirs.pk}", "django://shop.order/x", "shop://products/SKU9999", mine]
    async with listening(app, clerk, *asked) as (_, subscription):
        assert subscription.honored.resource_subscriptions == [mine]
        await sync_to_async(services.cancel_order)(user=clerk, order=await Order.objects.aget(pk=own.pk))
        assert await told(subscription) == mine


async def nothing_told(subscription: Subscription, marker: Callable[[], Any], uri: str) -> None:
    """The next thing heard is the marker's: what happened before it was no news."""
    await marker()
    assert await told(subscription) == uri


async def test_a_row_that_left_the_callers_sight_is_no_news(app: Starlette, boss: User) -> None:
    clerk = await sync_to_async(make_user)("clerk", *FULL, staff=True)
    orders = [await sync_to_async(make_order)(clerk) for _ in range(3)]
    kept, lost, deleted = (f"django://shop.order/{order.pk}" for order in orders)
    rows = Order.objects.filter(pk=orders[1].pk)
    async with listening(app, clerk, kept, lost, deleted) as (_, subscription):

        async def marker() -> None:
            await Order.objects.filter(pk=orders[0].pk).aupdate(note="Marker")

        await rows.aupdate(owner=boss)
        await nothing_told(subscription, marker, kept)
        await rows.aupdate(note="None of the clerk's business")
        await nothing_told(subscription, marker, kept)
        # Back in sight it is news again; then lost once more, and its end is nobody else's.
        await rows.aupdate(owner=clerk)
        assert await told(subscription) == lost
        await rows.aupdate(owner=boss)
        await nothing_told(subscription, marker, kept)
        await rows.adelete()
        await nothing_told(subscription, marker, kept)
        # The end of a row in sight is.
        await Order.objects.filter(pk=orders[2].pk).adelete()
        assert await told(subscription) == deleted


async def test_many_changes_for_one_caller_cost_few_queries(app: Starlette, boss: User) -> None:
    orders = [await sync_to_async(make_order)(boss) for _ in range(9)]
    uris = [f"django://shop.order/{order.pk}" for order in orders]
    queries: list[str] = []

    def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        queries.append(sql)
        return execute(sql, params, many, context)

    async with listening(app, boss, *uris) as (_, subscription):

        def watch_new_connections(connection: Any, **kwargs: Any) -> None:
            connection.execute_wrappers.append(count)

        database_threads.close()
        connection_created.connect(watch_new_connections)
        try:
            await Order.objects.aupdate(note="Stock-taking")
            assert {await told(subscription) for _ in uris} == set(uris)
        finally:
            connection_created.disconnect(watch_new_connections)
            database_threads.close()
    selects = [sql for sql in queries if sql.startswith("SELECT")]
    assert 1 <= len(selects) <= 8, selects


async def test_a_rule_that_fails_tells_nobody(app: Starlette, boss: User, monkeypatch: pytest.MonkeyPatch) -> None:
    clerk = await sync_to_async(make_user)("clerk", *FULL, staff=True)
    order = await sync_to_async(make_order)(clerk)
    product = await sync_to_async(uri_of)("SKU0043")
    async with listening(app, clerk, f"django://shop.order/{order.pk}", product) as (client, subscription):

        def broken(self: Any, request: Any) -> Any:
            raise RuntimeError("no scope today")

        monkeypatch.setattr(OrderAdmin, "get_queryset", broken)
        await Order.objects.filter(pk=order.pk).aupdate(note="Anything")
        await nothing_told(subscription, lambda: save(client), product)
