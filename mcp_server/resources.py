"""What agents can read beside the tools: the shop's fields, its categories, its style of writing, one product."""

import json
import logging
from typing import Annotated, Any
from urllib.parse import unquote

from django.db import models
from fastmcp import FastMCP
from fastmcp.exceptions import ValidationError
from pydantic import Field

from mcp_server.derive.completion import complete_with
from mcp_server.orm import orm_tool
from mcp_server.permissions import requires
from mcp_server.subscriptions import rows_of, watch
from mcp_server.tools.product_rows import product_detail
from shop.models import Category, Order, OrderLine, Product, StockAdjustment, Supplier, Tag

DESCRIBED = (Product, Category, Supplier, StockAdjustment, Order, OrderLine)
JSON = "application/json"

STYLE_GUIDE = """\
# Style guide for product texts

- **Name**: material first, then the thing, in sentence case: "Oak desk", never "DESK (OAK)". At most 60 characters; no
  brand slogans, no SKU, no price.
- **Description**: two to four plain sentences. The first says what it is and for whom; then material, size, care.
- Sizes in centimetres, weights in kilograms, with a space: "120 x 60 cm", "14 kg".
- Write what can be checked. No superlatives, no exclamation marks, no claims about health or the environment that the
  supplier has not proven.
- Facts that can be compared belong into the attributes: `{"material": "oak", "width_cm": 120}`. Keys are lower case
  with the unit at the end.
- Say "you", never "the customer". British spelling.
- A draft may be incomplete; an active product has a description, a category and a launch date.
"""


def register_resources(mcp: FastMCP[Any]) -> None:
    @mcp.resource("shop://reference/fields", mime_type=JSON, tags={"reference"}, meta=requires("shop.view_product"))
    @orm_tool
    def field_reference() -> str:
        """Every field of the shop's records: type, whether it is required, limits, choices and meaning."""
        return _json({model._meta.model_name: _model(model) for model in DESCRIBED})

    @mcp.resource("shop://categories", mime_type=JSON, tags={"products"}, meta=requires("shop.view_category"))
    @orm_tool
    def categories() -> str:
        """The tree of categories: slug, name, number of products, and the categories below each."""
        counted = Category.objects.annotate(count=models.Count("products")).order_by("name")
        return _json(_tree(list(counted), None))

    @mcp.resource("shop://style-guide", mime_type="text/markdown", tags={"reference"})
    async def style_guide() -> str:
        """How names, descriptions and attributes of products are written."""
        return STYLE_GUIDE

    @mcp.resource("shop://products/{sku}", mime_type=JSON, tags={"products"}, meta=requires("shop.view_product"))
    @orm_tool
    def product(sku: Annotated[str, Field(description="SKU such as SKU0043.")]) -> str:
        """One product as get_product returns it."""
        wanted = sku.strip().upper()
        found = Product.objects.select_related("category", "supplier").filter(sku=wanted).first()
        if found is None:
            text = f'There is no product with the SKU "{wanted[:40]}". Find it with the tool search_products.'
            # FastMCP logs a traceback at this level; the caller's mistake deserves none in production.
            raise ValidationError(text, log_level=logging.DEBUG)
        return _json(product_detail(found))

    watch("shop://categories", lambda uri: [*rows_of(Category), *rows_of(Product)])
    watch("shop://products/", _rows_of_product)
    complete_with("shop://products/{sku}", "sku", _skus)


def _skus(user: Any, typed: str) -> models.QuerySet[Any]:
    known = models.Q(sku__istartswith=typed) | models.Q(name__icontains=typed)
    return Product.objects.filter(known).order_by("sku").values_list("sku", flat=True)


def _rows_of_product(uri: str) -> list[tuple[str, str | None]]:
    """Return what the resource of one product is made of: its row, and the names it tells of other rows."""
    sku = unquote(uri.rpartition("/")[2]).strip().upper()
    pk = Product.objects.filter(sku=sku).values_list("pk", flat=True).first()
    return [*rows_of(Product, str(pk)), *rows_of(Category), *rows_of(Supplier), *rows_of(Tag)]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _tree(categories: list[Any], parent: int | None) -> list[dict[str, Any]]:
    return [
        {
            "slug": category.slug,
            "name": category.name,
            "products": category.count,
            "children": _tree(categories, category.pk),
        }
        for category in categories
        if category.parent_id == parent
    ]


def _model(model: type[models.Model]) -> dict[str, Any]:
    fields = [field for field in (*model._meta.fields, *model._meta.many_to_many) if field.name != "id"]
    return {"name": str(model._meta.verbose_name), "fields": {field.name: _field(field) for field in fields}}


def _field(field: Any) -> dict[str, Any]:
    described: dict[str, Any] = {
        "type": field.get_internal_type(),
        "required": not (field.blank or field.null or field.has_default()) and field.editable,
        "editable": field.editable,
    }
    if field.help_text:
        described["help"] = str(field.help_text)
    if field.related_model:
        described["refers_to"] = field.related_model._meta.model_name
    if field.choices:
        described["choices"] = [value for value, _ in field.flatchoices]
    return described | _limits(field)


def _limits(field: Any) -> dict[str, Any]:
    known = {name: getattr(field, name, None) for name in ("max_length", "max_digits", "decimal_places", "unique")}
    limits = {name: value for name, value in known.items() if value}
    # The database's own bounds come from `validators` too, next to those the model names.
    for validator in field.validators:
        if (bound := getattr(validator, "limit_value", None)) is not None and validator.code != "max_length":
            limits[validator.code.removesuffix("_value")] = bound() if callable(bound) else bound
    return limits
