"""Finds what callers name in words: products, a category by slug or name, a supplier, tags."""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal

from django.db.models import Case, IntegerField, Q, QuerySet, Value, When
from fastmcp.exceptions import ToolError

from shop.models import Category, Product, Supplier, Tag

MAX_WORDS = 10
SHOWN = 30


def find_product(sku: str) -> Product:
    """Return the product with its category and supplier, or refuse with SKUs that look alike."""
    product: Product | None = Product.objects.select_related("category", "supplier").filter(sku=sku).first()
    if product is None:
        raise unknown_sku(sku)
    return product


def unknown_sku(sku: str) -> ToolError:
    alike = _alike(sku)
    hint = f"Similar SKUs: {', '.join(alike)}." if alike else "Find it with search_products."
    return ToolError(f'sku: There is no product with the SKU "{sku}". {hint}')


def _alike(sku: str) -> list[str]:
    # Models drop zeros and prefixes: SKU43 for SKU0043.
    digits = "".join(re.findall(r"\d+", sku)).lstrip("0")
    ending = Product.objects.filter(sku__endswith=digits) if digits else Product.objects.filter(sku__startswith=sku[:4])
    return list(ending.order_by("sku").values_list("sku", flat=True)[:5])


def find_category(text: str) -> Category:
    """Return the category of this slug or name, whatever its case."""
    return _named(text, list(Category.objects.all()))


def categories_within(text: str) -> list[int]:
    """Return the primary keys of the category of this slug or name and of all below it."""
    everything = list(Category.objects.all())
    within = [_named(text, everything).pk]
    for pk in within:
        within.extend(child.pk for child in everything if child.parent_id == pk and child.pk not in within)
    return within


def _named(text: str, categories: Sequence[Category]) -> Category:
    wanted = text.strip().lower()
    for category in categories:
        if wanted in (category.slug.lower(), category.name.lower()):
            return category
    raise _unknown("category", text, (category.slug for category in categories))


def find_supplier(name: str) -> Supplier | None:
    """Return the supplier of this name, or None for an empty name."""
    if not name.strip():
        return None
    supplier = Supplier.objects.filter(name__iexact=name.strip()).first()
    if supplier is None:
        raise _unknown("supplier", name, Supplier.objects.values_list("name", flat=True)[: SHOWN + 1])
    return supplier


def find_tags(names: Iterable[str]) -> list[Tag]:
    """Return the tags of these names; new tags are not made."""
    known = {tag.name.lower(): tag for tag in Tag.objects.all()}
    for name in names:
        if name.strip().lower() not in known:
            raise _unknown("tags", name, (tag.name for tag in known.values()))
    return [known[name.strip().lower()] for name in names]


def _unknown(argument: str, text: str, allowed: Iterable[str]) -> ToolError:
    names = list(allowed)
    listed = ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
    return ToolError(f'{argument}: There is no "{text[:80]}". Use one of: {listed or "(none exist yet)"}.')


def filter_products(
    *, category: str, status: str | None, lowest: Decimal | None, highest: Decimal | None, in_stock: bool | None
) -> QuerySet[Product]:
    """Return the products that pass all the filters given, by SKU."""
    if lowest is not None and highest is not None and lowest > highest:
        raise ToolError(f"min_price: It must not be above max_price, which is {highest}.")
    wanted = {"status": status, "price__gte": lowest, "price__lte": highest}
    products = Product.objects.filter(**{name: value for name, value in wanted.items() if value is not None})
    if in_stock is not None:
        products = products.filter(stock__gt=0) if in_stock else products.filter(stock=0)
    if category:
        products = products.filter(category__in=categories_within(category))
    return products.order_by("sku")


def rank_products(query: str) -> QuerySet[Product]:
    """Return the products that have all words of the query: that SKU first, then those with the words in the name."""
    words = query.split()
    if not 1 <= len(words) <= MAX_WORDS:
        raise ToolError(f"query: Give 1 to {MAX_WORDS} words, for example: oak desk.")
    anywhere, in_name = Q(), Q()
    for word in words:
        tagged = Product.tags.through.objects.filter(tag__name__icontains=word).values("product_id")
        named = Q(name__icontains=word) | Q(sku__icontains=word)
        in_name &= named
        anywhere &= named | Q(category__name__icontains=word) | Q(description__icontains=word) | Q(pk__in=tagged)
    exact = When(sku__iexact=query.strip(), then=Value(0))
    rank = Case(exact, When(in_name, then=Value(1)), default=Value(2), output_field=IntegerField())
    return Product.objects.filter(anywhere).order_by(rank, "sku")
