"""Tools of the catalogue, through a real client."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from pydantic import TypeAdapter
from pydantic import ValidationError as PydanticValidationError

from mcp_server.tools.arguments import Attributes
from mcp_server.tools.products import save_new_product
from shop.models import Category, Product, StockAdjustment, Supplier, Tag
from tests.factories import make_product
from tests.mcp_server.tools.conftest import Agent

NEW = {"sku": "SKU0900", "name": "Walnut bench", "category": "desks", "price": "129.50"}


def skus(page: Any) -> list[str]:
    return [product["sku"] for product in page["products"]]


def test_a_listed_product_has_its_price_and_stock(agent: Agent) -> None:
    make_product(stock=3)

    assert agent.call("list_products") == {
        "products": [
            {
                "sku": "SKU0043",
                "name": "Oak desk",
                "category": "desks",
                "price": "249.00",
                "stock": 3,
                "low_stock": True,
                "status": "active",
            }
        ],
        "more": False,
    }


@pytest.mark.parametrize(
    ("stock", "status", "low"), [(5, "active", True), (6, "active", False), (0, "discontinued", False)]
)
def test_a_product_is_low_at_its_reorder_level_while_it_is_sold(
    agent: Agent, stock: int, status: str, low: bool
) -> None:
    make_product(stock=stock, reorder_level=5, status=status)

    assert agent.call("list_products")["products"][0]["low_stock"] is low


def test_pages_follow_each_other_until_there_is_no_more(agent: Agent, many_products: None) -> None:
    first = agent.call("list_products", limit=100)
    second = agent.call("list_products", limit=100, offset=first["next_offset"])

    assert (len(first["products"]), first["more"], len(second["products"])) == (100, True, 20)
    assert second["more"] is False
    assert "next_offset" not in second
    assert skus(first)[-1] < skus(second)[0]


def test_a_page_that_ends_with_the_last_row_has_no_more(agent: Agent, many_products: None) -> None:
    assert agent.call("list_products", limit=20, offset=100)["more"] is False
    assert agent.call("list_products", limit=20, offset=99)["next_offset"] == 119


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"min_price": "119.00"}, ["SKU0119", "SKU0120"]),
        ({"max_price": "2"}, ["SKU0001", "SKU0002"]),
        ({"min_price": 2.5, "max_price": "3.00"}, ["SKU0003"]),
        ({"in_stock": False, "max_price": "10"}, ["SKU0010"]),
        ({"in_stock": True, "min_price": "119.5"}, []),
        ({"status": "draft"}, []),
        ({"status": None, "max_price": "1"}, ["SKU0001"]),
    ],
)
def test_filters_narrow_the_list(
    agent: Agent, many_products: None, filters: dict[str, Any], expected: list[str]
) -> None:
    assert skus(agent.call("list_products", **filters)) == expected


def test_a_category_holds_those_below_it_by_slug_or_name(agent: Agent) -> None:
    furniture = Category.objects.create(name="Furniture", slug="furniture")
    desks = Category.objects.create(name="Desks", slug="desks", parent=furniture)
    make_product("SKU0001", category=desks)
    make_product("SKU0002", category=Category.objects.create(name="Desk lamps", slug="desk-lamps"))

    assert skus(agent.call("list_products", category="furniture")) == ["SKU0001"]
    assert skus(agent.call("list_products", category="desk LAMPS")) == ["SKU0002"]


def test_an_unknown_category_is_refused_with_those_there_are(agent: Agent) -> None:
    make_product()

    text = agent.refused("list_products", category="chairs")

    assert text == 'category: There is no "chairs". Use one of: desks.'


@pytest.mark.parametrize(
    ("arguments", "named", "allowed"),
    [
        ({"limit": 0}, "limit", "greater than or equal to 1"),
        ({"limit": 101}, "limit", "less than or equal to 100"),
        ({"limit": "many"}, "limit", "valid integer"),
        ({"offset": -1}, "offset", "greater than or equal to 0"),
        ({"offset": 10**30}, "offset", "less than or equal to 1000000"),
        ({"status": "sold"}, "status", "'draft', 'active' or 'discontinued'"),
        ({"min_price": "-1"}, "min_price", "greater than or equal to 0"),
        ({"min_price": "NaN"}, "min_price", "finite"),
        ({"max_price": "1.234"}, "max_price", "2 decimal places"),
        ({"max_price": "cheap"}, "max_price", "valid decimal"),
        ({"min_price": "5", "max_price": "4"}, "min_price", "not be above max_price, which is 4"),
        ({"in_stock": "perhaps"}, "in_stock", "valid boolean"),
        ({"category": "de\x00sks"}, "category", "NUL"),
        ({"page": 2}, "page", "its arguments are: limit, offset, category"),
        ({"user": 1}, "user", "is not an argument of this tool"),
    ],
)
def test_a_refusal_names_the_argument_and_what_is_allowed(
    agent: Agent, arguments: dict[str, Any], named: str, allowed: str
) -> None:
    text = agent.refused("list_products", **arguments)

    assert text.startswith(named)
    assert allowed in text
    assert "none" not in text.lower()


def test_a_hundred_rows_cost_as_many_queries_as_twenty(agent: Agent, many_products: None) -> None:
    few, many = agent.queries("list_products", limit=20), agent.queries("list_products", limit=100)

    assert len(few) == len(many) <= 5
    assert sum("shop_product" in sql for sql in many) == 1


def test_search_wants_every_word_and_ranks_sku_then_name(agent: Agent) -> None:
    make_product("SKU0001", name="Pine shelf", description="Fits beside an oak desk.")
    make_product("SKU0002", name="Oak desk")
    make_product("SKU0003", name="Oak chair", category=Category.objects.create(name="Chairs", slug="chairs"))

    assert skus(agent.call("search_products", query="OAK desk")) == ["SKU0002", "SKU0001"]
    assert skus(agent.call("search_products", query="sku0001"))[0] == "SKU0001"
    assert skus(agent.call("search_products", query="oak desk", status="draft")) == []


def test_search_looks_at_tags_without_repeating_a_product(agent: Agent) -> None:
    product = make_product()
    product.tags.set([Tag.objects.create(name="eco"), Tag.objects.create(name="eco-label")])

    assert skus(agent.call("search_products", query="eco")) == ["SKU0043"]


@pytest.mark.parametrize("query", ["", "   ", "a b c d e f g h i j k", "x" * 201, "oak\x00"])
def test_a_search_without_usable_words_is_refused(agent: Agent, query: str) -> None:
    assert agent.refused("search_products", query=query).startswith("query: ")


def test_search_costs_a_constant_number_of_queries(agent: Agent, many_products: None) -> None:
    few = agent.queries("search_products", query="oak", limit=20)

    assert len(few) == len(agent.queries("search_products", query="oak", limit=100)) <= 5


def test_a_product_is_read_with_all_that_belongs_to_it(agent: Agent) -> None:
    supplier = Supplier.objects.create(name="Nordwood Mills", email="orders@nordwood.example")
    product = make_product(supplier=supplier, attributes={"material": "oak"}, description="A desk.")
    product.tags.add(Tag.objects.create(name="eco"))

    read = agent.call("get_product", sku=" sku0043 ")

    assert (read["supplier"], read["tags"], read["attributes"]) == ("Nordwood Mills", ["eco"], {"material": "oak"})
    assert read["launched_on"] == product.launched_on.isoformat()
    assert read["created_at"].endswith("+00:00")


def test_an_unknown_sku_is_answered_with_similar_ones(agent: Agent) -> None:
    make_product("SKU0143")
    make_product()

    assert agent.refused("get_product", sku="SKU43") == (
        'sku: There is no product with the SKU "SKU43". Similar SKUs: SKU0043, SKU0143.'
    )
    assert "search_products" in agent.refused("get_product", sku="LAMP")


def test_a_created_product_has_its_opening_stock_on_record(agent: Agent) -> None:
    Category.objects.create(name="Desks", slug="desks")
    Tag.objects.create(name="eco")

    made = agent.call("create_product", **NEW, stock=7, tags=["Eco"], attributes={"material": "walnut"})

    assert (made["sku"], made["price"], made["stock"], made["status"]) == ("SKU0900", "129.50", 7, "draft")
    assert made["tags"] == ["eco"]
    adjustment = StockAdjustment.objects.get()
    assert (adjustment.delta, adjustment.reason, adjustment.adjusted_by) == (7, "delivery", agent.user)


@pytest.mark.parametrize(
    ("changed", "named", "allowed"),
    [
        ({"sku": "SKU 1"}, "sku", "capital letters, digits and hyphens"),
        ({"sku": "SKU0043"}, "sku", "already exists"),
        ({"sku": "S" * 21}, "sku", "at most 20"),
        ({"name": ""}, "name", "at least 1"),
        ({"category": "chairs"}, "category", "desks"),
        ({"price": "0"}, "price", "0.01"),
        ({"price": "100000000.00"}, "price", "8 digits"),
        ({"stock": -1}, "stock", "greater than or equal to 0"),
        ({"stock": 1_000_001}, "stock", "1000000"),
        ({"status": "active"}, "launched_on", "YYYY-MM-DD"),
        ({"launched_on": "yesterday"}, "launched_on", "YYYY-MM-DD"),
        ({"launched_on": 5}, "launched_on", "YYYY-MM-DD"),
        ({"supplier": "Nobody"}, "supplier", "Use one of"),
        ({"tags": ["eco", "unheard"]}, "tags", "Use one of: eco"),
        ({"tags": "eco"}, "tags", "valid list"),
        ({"attributes": {"note": "a\x00b"}}, "attributes", "JSON object"),
        ({"attributes": {"note": "x" * 5000}}, "attributes", "4000 characters"),
        ({"attributes": ["oak"]}, "attributes", "dictionary"),
        ({"description": "x" * 4001}, "description", "4000"),
    ],
)
def test_a_product_that_is_not_right_is_not_created(
    agent: Agent, changed: dict[str, Any], named: str, allowed: str
) -> None:
    make_product(stock=0)
    Tag.objects.create(name="eco")

    text = agent.refused("create_product", **(NEW | {"stock": 5} | changed))

    assert text.startswith(named)
    assert allowed in text
    assert Product.objects.count() == 1
    assert not StockAdjustment.objects.exists()


def test_a_sku_that_is_taken_while_it_is_checked_is_refused_by_name(manager: User) -> None:
    make_product()
    product = Product(sku="SKU0900", name="Walnut bench", category=Category.objects.get(), price=Decimal("129.50"))

    def check_too_early() -> None:
        Product.full_clean(product)
        make_product("SKU0900")

    product.full_clean = check_too_early  # type: ignore[method-assign]

    with pytest.raises(ValidationError, match="SKU already exists"):
        save_new_product(manager, product, [])
    assert Product.objects.get(sku="SKU0900").name == "Oak desk"


def test_attributes_that_no_database_takes_are_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"in": deep}

    for attributes in (deep, {"width_cm": float("nan")}, {"material": "\ud800"}):
        with pytest.raises(PydanticValidationError, match="Give a JSON object of at most 4000 characters"):
            TypeAdapter(Attributes).validate_python(attributes)


def test_an_update_changes_the_given_fields_only(agent: Agent) -> None:
    before = make_product(description="Old text", reorder_level=4)

    changed = agent.call("update_product", sku="SKU0043", price="199.00", description="")

    assert (changed["price"], changed["description"]) == ("199.00", "")
    assert (changed["name"], changed["reorder_level"], changed["stock"]) == (before.name, 4, 10)
    assert changed["updated_at"] > before.updated_at.isoformat()


def test_an_update_sets_and_removes_what_a_product_refers_to(agent: Agent) -> None:
    make_product().tags.add(Tag.objects.create(name="new"))
    Category.objects.create(name="Chairs", slug="chairs")
    Tag.objects.create(name="eco")
    Supplier.objects.create(name="Nordwood Mills", email="orders@nordwood.example")

    changed = agent.call(
        "update_product", sku="SKU0043", category="Chairs", supplier="nordwood mills", tags=["eco"], attributes={}
    )
    assert (changed["category"], changed["supplier"], changed["tags"]) == ("chairs", "Nordwood Mills", ["eco"])
    assert agent.call("update_product", sku="SKU0043", supplier="")["supplier"] is None
    assert agent.call("update_product", sku="SKU0043", tags=[])["tags"] == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "Nothing to change: give at least one field besides sku. Use adjust_stock for the stock."),
        ({"stock": 5}, "stock is not an argument of this tool"),
        ({"price": "0.00"}, "price: "),
        ({"name": ""}, "name: "),
        ({"name": "x" * 121}, "name: "),
        ({"status": "sold"}, "status: "),
        ({"reorder_level": -1}, "reorder_level: "),
        ({"category": "chairs"}, "category: "),
    ],
)
def test_an_update_that_is_not_right_changes_nothing(agent: Agent, changes: dict[str, Any], said: str) -> None:
    make_product()
    before = Product.objects.values().get()

    wrong = {"description": "New text", **changes} if changes else {}

    assert agent.refused("update_product", sku="SKU0043", **wrong).startswith(said)
    assert Product.objects.values().get() == before


def test_an_update_of_an_unknown_product_is_refused(agent: Agent) -> None:
    assert agent.refused("update_product", sku="SKU0001", name="Desk").startswith("sku: There is no product")
