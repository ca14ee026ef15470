"""Every kind of field goes in and comes back, as it does over HTTP."""

import base64
import uuid
from typing import Any

import pytest

from mcp_server.derive.drf import register_viewset_tools
from shop.api import ProductViewSet
from tests.everything.api import GadgetViewSet
from tests.everything.models import Gadget, Label, Maker
from tests.factories import count_on, make_product, make_user
from tests.mcp_server.derive.callers import Caller, text_of

URLS = "tests.everything.urls"
MAKER = str(uuid.UUID(int=7))
VALUES = [
    ("name", "Lamp"),
    ("email", "ada@example.com"),
    ("site", "https://example.com/a"),
    ("code", "AB1"),
    ("address", "10.0.0.1"),
    ("serial", str(uuid.UUID(int=5))),
    ("in_use", False),
    ("approved", None),
    ("approved", True),
    ("count", -3),
    ("weight", 1.5),
    ("price", "12.50"),
    ("runtime", "1 02:03:04"),
    ("made_on", "2026-02-28"),
    ("seen_at", "2026-03-01T10:00:00Z"),
    ("opens_at", "08:30:00"),
    ("grade", 2),
    ("colours", ["green", "red"]),
    ("sizes", [1, 2]),
    ("limits", {"low": 0.5}),
    ("extra", {"deep": [1, {"er": None}]}),
    ("extra", "text"),
    ("maker", MAKER),
    ("maker", None),
    ("parent", 1),
    ("label", "oak"),
    ("labels", [1, 2]),
    ("labels", []),
    ("parts", [{"name": "Shade", "quantity": 2}, {"name": "Bulb", "quantity": 1}]),
]
READ_ONLY = {"id", "views", "made_by", "shout", "anything"}


@pytest.fixture
def ada(mcp: Any) -> Caller:
    Maker.objects.create(pk=MAKER, name="Nordwood Mills")
    Label.objects.bulk_create([Label(pk=1, name="birch"), Label(pk=2, name="oak")])
    Gadget.objects.create(pk=1, name="First")
    count_on(Label, Gadget)
    register_viewset_tools(mcp, GadgetViewSet, prefix="gadget", urlconf=URLS)
    return Caller(mcp, make_user())


@pytest.mark.parametrize(("field", "value"), VALUES)
def test_a_value_is_written_and_read_back(ada, field, value):
    made = ada.call("gadget_create", **({"name": "Lamp"} | {field: value}))
    assert made.structured_content[field] == value
    changed = ada.call("gadget_update", id=1, **{field: value})
    assert changed.structured_content[field] == value
    read = ada.call("gadget_retrieve", id=1)
    assert read.structured_content[field] == value


def test_a_moment_in_another_zone_is_the_same_moment(ada):
    made = ada.call("gadget_create", name="Lamp", seen_at="2026-03-01T12:00:00+02:00")
    assert made.structured_content["seen_at"] == "2026-03-01T10:00:00Z"


def test_a_file_is_sent_with_other_fields(ada):
    file = {"name": "lamp.txt", "content": base64.b64encode(b"Screw it in.").decode()}
    fields = {"name": "Lamp", "in_use": True, "extra": {"a": [1]}, "labels": [1, 2], "sizes": [1, 2], "approved": None}
    parts = [{"name": "Shade", "quantity": 2}]
    made = ada.call("gadget_create", manual=file, parts=parts, **fields).structured_content
    assert {name: made[name] for name in fields} == fields
    assert made["parts"] == parts
    assert made["manual"].startswith("http://localhost:8001/media/manuals/lamp")
    with Gadget.objects.get(pk=made["id"]).manual as manual:
        assert manual.read() == b"Screw it in."


def test_a_file_is_taken_away_where_the_serializer_allows_it(ada):
    register_viewset_tools(ada.server, ProductViewSet)
    boss = Caller(ada.server, make_user("boss", superuser=True))
    product = make_product(datasheet="datasheets/desk.txt")
    assert boss.call("product_update", id=product.pk, datasheet=None).structured_content["datasheet"] is None
    assert text_of(ada.call("gadget_update", id=1, manual=None)) == "manual: This field may not be null."


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("lamp.txt", "give a file as an object"),
        ({"name": "lamp.txt", "content": "?"}, "not base64"),
        ({"name": "lamp.txt", "content": "A" * (4 * 1024 * 1024 + 4)}, "bytes; at most 3145728"),
        ({"name": "lamp.txt", "content": ""}, "The submitted file is empty."),
    ],
)
def test_a_bad_file_is_refused_by_name(ada, file, told):
    refused = ada.call("gadget_update", id=1, manual=file)
    assert refused.is_error
    assert text_of(refused).startswith("manual: ")
    assert told in text_of(refused)


def test_read_only_fields_are_no_arguments_and_write_only_ones_no_answer(ada):
    tool = ada.tools()["gadget_create"]
    taken, answered = tool.input_schema["properties"], tool.output_schema["properties"]
    assert not READ_ONLY & taken.keys()
    assert answered.keys() >= READ_ONLY
    assert "secret" in taken
    assert "secret" not in answered
    assert "marked" not in taken.keys() | answered.keys()
    made = ada.call("gadget_create", name="Lamp", secret="abc")
    assert "secret" not in made.structured_content
    assert Gadget.objects.get(pk=made.structured_content["id"]).secret == "abc"
    assert "views is not an argument" in text_of(ada.call("gadget_create", name="Lamp", views=3))


def test_a_method_without_a_type_hint_may_answer_anything(ada):
    assert ada.call("gadget_retrieve", id=1).structured_content["anything"] == {"parts": 0}


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("code", "x", "code: This value does not match the required pattern."),
        ("colours", ["blue"], 'colours: "blue" is not a valid choice.'),
        ("sizes", [0], "sizes.0: Ensure this value is greater than or equal to 1."),
        (
            "parts",
            [{"name": "Bulb", "quantity": -1}],
            "parts.0.quantity: Ensure this value is greater than or equal to 0.",
        ),
        ("maker", "x", "maker: “x” is not a valid UUID."),
        ("label", "elm", "label: Object with name=elm does not exist."),
        ("price", "1.234", "price: Ensure that there are no more than 2 decimal places."),
    ],
)
def test_a_bad_value_is_refused_by_field(ada, field, value, told):
    refused = ada.call("gadget_update", id=1, **{field: value})
    assert refused.is_error
    assert text_of(refused) == told


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"price__gte": 5}, ["Dear"]),
        ({"price__range": [1, 2]}, ["Cheap"]),
        ({"maker__in": [MAKER]}, ["Dear"]),
        ({"grade": 2}, ["Cheap"]),
        ({"seen_at__lt": "2026-01-01T00:00:00+01:00"}, ["Cheap"]),
    ],
)
def test_filters_are_typed_arguments(ada, filters, found):
    Gadget.objects.all().delete()
    Gadget.objects.create(name="Dear", price=9, maker_id=MAKER, seen_at="2026-02-01T00:00:00Z")
    Gadget.objects.create(name="Cheap", price=2, grade=2, seen_at="2025-12-31T22:00:00Z")
    rows = ada.call("gadget_list", **filters).structured_content["result"]
    assert [row["name"] for row in rows] == found
