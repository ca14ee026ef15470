"""A few hundred plausible rows: the same ones every time, and only those that are missing."""

import random
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.db import models, transaction
from django.utils.text import slugify

from shop.models import Category, Order, OrderLine, Product, StockAdjustment, Supplier, Tag

BEGIN = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
MATERIALS = ["Oak", "Pine", "Walnut", "Steel", "Linen", "Wool", "Bamboo", "Birch", "Glass", "Cork"]
# Section, category, what is sold there, and what it costs about.
CATALOGUE = [
    ("Furniture", "Desks", ["desk", "standing desk", "writing table", "corner desk"], 280),
    ("Furniture", "Chairs", ["chair", "office chair", "stool", "bench"], 120),
    ("Furniture", "Shelves", ["shelf", "bookcase", "wall rack", "sideboard"], 160),
    ("Lighting", "Desk lamps", ["desk lamp", "clip lamp", "reading lamp"], 55),
    ("Lighting", "Floor lamps", ["floor lamp", "arc lamp", "tripod lamp"], 130),
    ("Textiles", "Rugs", ["rug", "runner", "doormat"], 90),
    ("Textiles", "Cushions", ["cushion", "seat pad", "throw"], 28),
    ("Office", "Stationery", ["notebook", "pen tray", "letter holder", "ruler"], 14),
    ("Office", "Storage", ["box", "drawer unit", "filing cabinet", "basket"], 65),
]
SUPPLIERS = [
    ("Nordwood Mills", "orders@nordwood.example", "https://nordwood.example", 14),
    ("Lumen & Sons", "sales@lumen-sons.example", "https://lumen-sons.example", 9),
    ("Harbour Textiles", "desk@harbour-textiles.example", "", 21),
    ("Brightline Office Supply", "hello@brightline.example", "https://brightline.example", 3),
    ("Ferrum Works", "orders@ferrum-works.example", "https://ferrum-works.example", 18),
    ("Alder and Ash", "contact@alder-ash.example", "", 30),
]
TAGS = ["bestseller", "eco", "new", "handmade", "clearance", "gift"]
CUSTOMERS = [("mara", "Mara", "Lindqvist"), ("joao", "Joao", "Pereira"), ("amina", "Amina", "Diallo")]
MANAGERS, VIEWERS = "Shop managers", "Shop viewers"


@transaction.atomic
def seed(*, products: int, orders: int) -> dict[str, int]:
    """Create what is missing of so many products and orders; return how many rows of each kind were made."""
    made: Counter[str] = Counter()
    users = _seed_people(made)
    _seed_catalogue(made)
    _seed_products(made, products, users[0])
    _seed_orders(made, orders, users)
    return dict(made)


def _dice(*seed: object) -> random.Random:
    return random.Random("-".join(map(str, seed)))  # noqa: S311 - the same shop every time, no secrets


def _missing(made: Counter[str], rows: Iterable[Any], key: str) -> list[Any]:
    """Save those rows of one model whose key is not there yet; return them."""
    wanted = list(rows)
    if not wanted:
        return []
    model: type[models.Model] = type(wanted[0])
    there = set(model._default_manager.values_list(key, flat=True))
    new = [row for row in wanted if getattr(row, key) not in there]
    made[str(model._meta.verbose_name_plural)] += len(new)
    return model._default_manager.bulk_create(new, batch_size=500)


def _seed_people(made: Counter[str]) -> list[User]:
    _seed_groups(made)
    people = [("demo", "Dana", "Demo"), *CUSTOMERS]
    rows = [
        User(username=username, first_name=first, last_name=last, email=f"{username}@example.com")
        for username, first, last in people
    ]
    for row in rows:
        # Nobody signs in as one of them until somebody sets a password.
        row.set_unusable_password()
        row.is_staff = row.username == "demo"
    for user in _missing(made, rows, "username"):
        user.groups.add(Group.objects.get(name=MANAGERS if user.username == "demo" else VIEWERS))
    by_name = User.objects.in_bulk([username for username, *_ in people], field_name="username")
    return [by_name[username] for username, *_ in people]


def _seed_groups(made: Counter[str]) -> None:
    of_shop = Permission.objects.filter(content_type__app_label="shop")
    permissions = {
        # Whoever chooses the owner of an order looks through the users.
        MANAGERS: [*of_shop, *Permission.objects.filter(content_type__app_label="auth", codename="view_user")],
        VIEWERS: of_shop.filter(codename__startswith="view_").exclude(codename="view_all_orders"),
    }
    for group in _missing(made, [Group(name=MANAGERS), Group(name=VIEWERS)], "name"):
        group.permissions.add(*permissions[group.name])


def _seed_catalogue(made: Counter[str]) -> None:
    sections = dict.fromkeys(section for section, *_ in CATALOGUE)
    _missing(made, [Category(name=name, slug=slugify(name)) for name in sections], "slug")
    parents = {category.name: category for category in Category.objects.filter(name__in=sections)}
    rows = [
        Category(
            name=name, slug=slugify(name), parent=parents[section], description=f"{', '.join(things)}.".capitalize()
        )
        for section, name, things, _ in CATALOGUE
    ]
    _missing(made, rows, "slug")
    _missing(made, [Supplier(name=n, email=e, website=w, lead_time_days=d) for n, e, w, d in SUPPLIERS], "name")
    _missing(made, [Tag(name=name) for name in TAGS], "name")


def _seed_products(made: Counter[str], count: int, user: User) -> None:
    categories = {category.slug: category for category in Category.objects.all()}
    suppliers = list(Supplier.objects.filter(name__in=[name for name, *_ in SUPPLIERS]))
    rows = [_product(number, categories, suppliers) for number in range(1, count + 1)]
    new = _missing(made, rows, "sku")
    tags = list(Tag.objects.filter(name__in=TAGS))
    Product.tags.through.objects.bulk_create(
        Product.tags.through(product=product, tag=tag)
        for product in new
        for tag in _dice("tags", product.sku).sample(tags, _dice("tag", product.sku).randint(0, 3))
    )
    _record(made, [(product, product.stock, "delivery", "Opening stock", user, BEGIN) for product in new])


def _product(number: int, categories: dict[str, Category], suppliers: list[Supplier]) -> Product:
    dice = _dice("product", number)
    _, category, things, about = CATALOGUE[number % len(CATALOGUE)]
    material = MATERIALS[number // len(CATALOGUE) % len(MATERIALS)]
    thing = things[number // (len(CATALOGUE) * len(MATERIALS)) % len(things)]
    series = number // (len(CATALOGUE) * len(MATERIALS) * len(things))
    status = dice.choices(["active", "draft", "discontinued"], [16, 2, 1])[0]
    return Product(
        sku=f"SKU{number:04d}",
        name=f"{material} {thing}" + (f" {series + 1}" if series else ""),
        description=f"A {thing} of {material.lower()}, made to last.",
        category=categories[slugify(category)],
        supplier=dice.choice([*suppliers, None]),
        price=Decimal(int(about * dice.uniform(0.6, 1.8))) + Decimal(dice.choice(["0.00", "0.50", "0.90", "0.99"])),
        stock=dice.choice([0, dice.randint(1, 8), dice.randint(9, 60), dice.randint(20, 140)]),
        reorder_level=0 if status == "discontinued" else dice.choice([3, 5, 8, 10]),
        status=status,
        attributes={"material": material.lower(), "width_cm": dice.randrange(20, 200, 5)},
        launched_on=None if status == "draft" else date(2024, 1, 8) + timedelta(days=dice.randrange(700)),
    )


def _seed_orders(made: Counter[str], count: int, users: list[User]) -> None:
    goods = list(Product.objects.filter(status="active", sku__regex=r"^SKU\d{4,}$").order_by("sku")[:50])
    if not goods:
        return
    rows = [_order(number, users) for number in range(1, count + 1)]
    new = _missing(made, rows, "note")
    for order in new:
        order.number = Order.number_for(order.pk)
    Order.objects.bulk_update(new, ["number"], batch_size=500)
    lines = [
        OrderLine(
            order=order,
            product=product,
            quantity=_dice(order.note, product.sku).randint(1, 4),
            unit_price=product.price,
        )
        for order in new
        for product in _dice("lines", order.note).sample(goods, min(len(goods), _dice(order.note).randint(1, 4)))
    ]
    OrderLine.objects.bulk_create(lines, batch_size=500)
    made["order lines"] += len(lines)
    _record_sales(made, lines, users[0])


def _order(number: int, users: list[User]) -> Order:
    dice = _dice("order", number)
    status = dice.choices(["placed", "paid", "shipped", "cancelled"], [4, 4, 5, 1])[0]
    placed_at = BEGIN + timedelta(hours=7 * number, minutes=dice.randrange(60))
    return Order(
        number=f"seed-{number}",
        owner=dice.choice(users),
        status=status,
        note=f"Demo order {number:04d}",
        placed_at=placed_at,
        cancelled_at=placed_at + timedelta(hours=5) if status == "cancelled" else None,
    )


def _record_sales(made: Counter[str], lines: list[OrderLine], user: User) -> None:
    """Write the history of the sales, with the deliveries they needed, so that it always adds up to the stock."""
    moves: list[tuple[Any, ...]] = []
    for line in lines:
        order, product, quantity = line.order, line.product, line.quantity
        moves.append((product, -quantity, "sale", order.number, order.owner, order.placed_at))
        if order.status == "cancelled":
            moves.append((product, quantity, "cancellation", order.number, order.owner, order.cancelled_at))
        else:
            moves.append((product, quantity, "delivery", "Demo delivery", user, order.placed_at - timedelta(days=1)))
    _record(made, moves)


def _record(made: Counter[str], moves: list[tuple[Any, ...]]) -> None:
    rows = [
        StockAdjustment(product=product, delta=delta, reason=reason, note=note, adjusted_by=user, created_at=at)
        for product, delta, reason, note, user, at in moves
        if delta
    ]
    StockAdjustment.objects.bulk_create(rows, batch_size=500)
    made["stock adjustments"] += len(rows)
