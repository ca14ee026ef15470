"""What is told of products: one row of a list, and all of one."""

from typing import Annotated, Any

from django.db.models import QuerySet
from pydantic import Field
from typing_extensions import TypedDict

from mcp_server.tools.paging import Page, page_of
from shop.models import Product

ROW = ("sku", "name", "category__slug", "price", "stock", "reorder_level", "status")


class ProductRow(TypedDict):
    sku: str
    name: str
    category: Annotated[str, Field(description="Slug of the category.")]
    price: Annotated[str, Field(description='Euros, such as "249.00".')]
    stock: int
    low_stock: Annotated[bool, Field(description="Whether it should be ordered again.")]
    status: str


class ProductPage(Page):
    products: list[ProductRow]


class ProductDetail(ProductRow):
    description: str
    category_name: str
    supplier: Annotated[str | None, Field(description="Name of the supplier.")]
    tags: list[str]
    reorder_level: int
    attributes: dict[str, Any]
    launched_on: Annotated[str | None, Field(description="YYYY-MM-DD.")]
    created_at: Annotated[str, Field(description="ISO 8601 with zone.")]
    updated_at: Annotated[str, Field(description="ISO 8601 with zone.")]


def product_detail(product: Product) -> ProductDetail:
    """Return all that is told of one product; its tags cost a query."""
    return {
        **_row((product.sku, product.name, product.category.slug, product.price, product.stock, product.reorder_level,
                product.status)),
        "description": product.description,
        "category_name": product.category.name,
        "supplier": product.supplier.name if product.supplier else None,
        "tags": [tag.name for tag in product.tags.all()],
        "reorder_level": product.reorder_level,
        "attributes": product.attributes,
        "launched_on": product.launched_on.isoformat() if product.launched_on else None,
        "created_at": product.created_at.isoformat(),
        "updated_at": product.updated_at.isoformat(),
    }  # fmt: skip


def _row(values: tuple[Any, ...]) -> ProductRow:
    sku, name, category, price, stock, reorder_level, status = values
    return {
        "sku": sku,
        "name": name,
        "category": category,
        "price": str(price),
        "stock": stock,
        "low_stock": stock <= reorder_level and status != "discontinued",
        "status": status,
    }


def product_page(products: QuerySet[Product], limit: int, offset: int) -> ProductPage:
    rows, page = page_of(products.values_list(*ROW), limit, offset)
    return {"products": [_row(row) for row in rows], **page}
