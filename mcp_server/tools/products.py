"""Tools of the catalogue: find products, read one, create and change them."""

from typing import Annotated, Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from pydantic import Field

from mcp_server.classes.schema import Text
from mcp_server.context import CurrentUser
from mcp_server.orm import orm_tool
from mcp_server.permissions import CREATE, READ_ONLY, UPDATE, requires
from mcp_server.tools.arguments import (
    Attributes,
    Day,
    Euros,
    Limit,
    Offset,
    ProductStatus,
    Sku,
    TagNames,
    Units,
    optional,
)
from mcp_server.tools.catalogue import (
    filter_products,
    find_category,
    find_product,
    find_supplier,
    find_tags,
    rank_products,
    unknown_sku,
)
from mcp_server.tools.product_rows import ProductDetail, ProductPage, product_detail, product_page
from shop import services
from shop.errors import ShopError
from shop.models import Product


def register_product_tools(mcp: FastMCP[Any]) -> None:
    @mcp.tool(tags={"products"}, annotations=READ_ONLY, meta=requires("shop.view_product"))
    @orm_tool(user_errors=(ShopError,))
    def list_products(
        limit: Limit = 20,
        offset: Offset = 0,
        category: Annotated[Text, Field(description="Slug or name of a category; those below it count too.")] = "",
        status: Annotated[ProductStatus | None, optional("Only products with this status.")] = None,
        min_price: Annotated[Euros | None, optional('Lowest price in euros, such as "50.00".')] = None,
        max_price: Annotated[Euros | None, optional('Highest price in euros, such as "300.00".')] = None,
        in_stock: Annotated[bool | None, optional("true: only with stock left; false: only sold out.")] = None,
    ) -> ProductPage:
        """List products by SKU, one page at a time, with price, stock and status.

        All filters hold together; without any, every product is listed, drafts and discontinued ones included. Only
        products with the status active can be ordered. Prices are decimal strings in euros, stock is in pieces. While
        `more` is true, call again with offset = next_offset. To find a product by words use search_products; for its
        description, supplier and attributes use get_product.
        """
        products = filter_products(
            category=category, status=status, lowest=min_price, highest=max_price, in_stock=in_stock
        )
        return product_page(products, limit, offset)

    @mcp.tool(tags={"products"}, annotations=READ_ONLY, meta=requires("shop.view_product"))
    @orm_tool(user_errors=(ShopError,))
    def search_products(
        query: Annotated[Text, Field(min_length=1, max_length=200, description='Words such as "oak desk", or a SKU.')],
        limit: Limit = 20,
        offset: Offset = 0,
        status: Annotated[ProductStatus | None, optional("Only products with this status.")] = None,
    ) -> ProductPage:
        """Search products by words and return those that have all of them, best matches first.

        Words are looked for in SKU, name, category, tags and description, as parts of words and in any case; an exact
        SKU comes first, then matches in the name. At most 10 words. Nothing found: try fewer words or another
        spelling, or list_products with a category. Use the SKU of a result with get_product, place_order or
        adjust_stock.
        """
        found = rank_products(query)
        return product_page(found if status is None else found.filter(status=status), limit, offset)

    @mcp.tool(tags={"products"}, annotations=READ_ONLY, meta=requires("shop.view_product"))
    @orm_tool(user_errors=(ShopError,))
    def get_product(sku: Annotated[Sku, Field(description="SKU such as SKU0043.")]) -> ProductDetail:
        """Return one product with its description, supplier, tags, attributes, price and stock.

        The price is a decimal string in euros, times are ISO 8601 with zone, dates YYYY-MM-DD. Find SKUs with
        search_products or list_products. The history of the stock is in list_stock_adjustments.
        """
        return product_detail(find_product(sku))

    @mcp.tool(tags={"products"}, annotations=CREATE, meta=requires("shop.add_product"))
    @orm_tool(user_errors=(ShopError,))
    def create_product(
        sku: Annotated[Sku, Field(description="New SKU: letters, digits and hyphens, for example SKU0043.")],
        name: Annotated[Text, Field(min_length=1, max_length=120, description="Name, 1 to 120 characters.")],
        category: Annotated[Text, Field(description="Slug or name of an existing category.")],
        price: Annotated[Euros, Field(description='Price in euros, such as "249.00"; at least 0.01.')],
        description: Annotated[
            Text, Field(max_length=4000, description="Text for customers, see the style guide.")
        ] = "",
        stock: Annotated[Units, Field(description="Pieces in stock at the beginning.")] = 0,
        reorder_level: Annotated[Units, Field(description="Order more at or below this stock.")] = 5,
        status: Annotated[
            ProductStatus, Field(description="Only active products can be ordered.")
        ] = Product.Status.DRAFT,
        launched_on: Annotated[Day | None, optional("Launch date, YYYY-MM-DD; an active product needs one.")] = None,
        supplier: Annotated[Text, Field(description="Name of an existing supplier; empty for none.")] = "",
        tags: Annotated[TagNames, Field(description="Names of existing tags.")] = [],  # noqa: B006
        attributes: Annotated[Attributes, Field(description='Facts such as {"material": "oak"}.')] = {},  # noqa: B006
        user: User = CurrentUser(),
    ) -> ProductDetail:
        """Create a product and return it; opening stock is recorded as a delivery.

        Nothing is written unless every field is right. Without a status it is a draft that nobody can order. How texts
        should read is in the resource shop://style-guide, the limits of every field in shop://reference/fields, the
        categories in shop://categories. Change it later with update_product, its stock with adjust_stock.
        """
        product = Product(
            sku=sku, name=name, category=find_category(category), price=price, description=description, stock=stock,
            reorder_level=reorder_level, status=status, launched_on=launched_on, supplier=find_supplier(supplier),
            attributes=attributes,
        )  # fmt: skip
        return save_new_product(user, product, tags)

    @mcp.tool(tags={"products"}, annotations=UPDATE, meta=requires("shop.change_product"))
    @orm_tool(user_errors=(ShopError,))
    def update_product(
        sku: Annotated[Sku, Field(description="SKU of the product to change; it stays as it is.")],
        name: Annotated[Text | None, optional("New name, 1 to 120 characters.")] = None,
        category: Annotated[Text | None, optional("Slug or name of an existing category.")] = None,
        price: Annotated[Euros | None, optional('New price in euros, such as "249.00"; at least 0.01.')] = None,
        description: Annotated[Text | None, optional("New text for customers, at most 4000 characters.")] = None,
        reorder_level: Annotated[Units | None, optional("Order more at or below this stock.")] = None,
        status: Annotated[ProductStatus | None, optional("Only active products can be ordered.")] = None,
        launched_on: Annotated[Day | None, optional("Launch date, YYYY-MM-DD.")] = None,
        supplier: Annotated[Text | None, optional("Name of an existing supplier; empty removes it.")] = None,
        tags: Annotated[TagNames | None, optional("Names of existing tags; they replace all present ones.")] = None,
        attributes: Annotated[Attributes | None, optional("Replaces all present attributes.")] = None,
    ) -> ProductDetail:
        """Change the given fields of a product, leave all others, and return the product as it is now.

        Give at least one field besides the SKU. The stock cannot be set here: use adjust_stock, which records who
        changed it and why. A new price holds for new orders only. Status discontinued ends its sale and its reordering
        without touching past orders. Nothing is written unless every given field is right.
        """
        fields = {
            "name": name, "price": price, "description": description, "reorder_level": reorder_level,
            "status": status, "launched_on": launched_on, "attributes": attributes,
        }  # fmt: skip
        changes: dict[str, Any] = {field: value for field, value in fields.items() if value is not None}
        if category is not None:
            changes["category"] = find_category(category)
        if supplier is not None:
            changes["supplier"] = find_supplier(supplier)
        return _save_changes(sku, changes, tags)


def save_new_product(user: User, product: Product, tag_names: list[str]) -> ProductDetail:
    """Check the product and save it with its tags: all of it or nothing."""
    tags = find_tags(tag_names) if tag_names else []
    product.full_clean()
    try:
        with transaction.atomic():
            services.create_product(user=user, product=product)
            product.tags.set(tags)
    except IntegrityError:
        # Somebody took the SKU since it was checked.
        product.validate_unique()
        raise
    return product_detail(product)


def _save_changes(sku: str, changes: dict[str, Any], tag_names: list[str] | None) -> ProductDetail:
    if not changes and tag_names is None:
        raise ToolError("Nothing to change: give at least one field besides sku. Use adjust_stock for the stock.")
    tags = None if tag_names is None else find_tags(tag_names)
    with transaction.atomic():
        product = Product.objects.select_for_update().filter(sku=sku).first()
        if product is None:
            raise unknown_sku(sku)
        for field, value in changes.items():
            setattr(product, field, value)
        product.full_clean()
        product.save(update_fields=[*changes, "updated_at"])
        if tags is not None:
            product.tags.set(tags)
    return product_detail(product)
