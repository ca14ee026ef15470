"""Rate limits as they are written on a token."""

import pytest
from django.core.exceptions import ValidationError

from tests.tokens.people import make_token, make_user
from tokens.rates import parse_rates


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("", []),
        ("100/minute", [("", "100/minute")]),
        ("100/minute, place_order=5/hour,", [("", "100/minute"), ("place_order", "5/hour")]),
    ],
)
def test_rates_are_for_all_calls_or_for_one_tool(text, rates):
    assert list(parse_rates(text)) == rates


@pytest.mark.parametrize("text", ["often", "0/minute", "-1/day", "5/week", "5", "a b=5/day", "5/day 6/day", "=5/day"])
def test_anything_else_is_refused(text):
    with pytest.raises(ValidationError, match="is no rate"):
        list(parse_rates(text))


@pytest.mark.django_db
def test_a_token_takes_rates_and_nothing_else():
    token = make_token(make_user("ada"), rate_limits="often")
    with pytest.raises(ValidationError) as refused:
        token.full_clean()
    assert list(refused.value.message_dict) == ["rate_limits"]
    token.rate_limits = "2/minute"
    token.full_clean()
