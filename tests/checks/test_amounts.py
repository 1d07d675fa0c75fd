"""Amounts from text: tables of spellings, and a property over every amount in many locales."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmbatch.checks.values import parse_value
from slmbatch.types import Kind

AMOUNTS = {
    "1.234,56 EUR": "1234.56",
    "1,234.56": "1234.56",
    "1 234,56 €": "1234.56",
    "1\u00a0234,56 €": "1234.56",
    "1\u2009234,56": "1234.56",
    "1\u202f234\u202f567,8": "1234567.8",
    "1'234.50": "1234.50",
    "1’234.50": "1234.50",
    "1,23,456.00": "123456.00",
    "1.234.567": "1234567",
    "CHF 12.-": "12",
    "Fr. 12.—": "12",
    "RM 3.90": "3.90",
    "RM3.90": "3.90",
    "$8.20": "8.20",
    "US$ 8.20": "8.20",
    "12,50 kr": "12.50",
    "19 %": "19",
    "7,7%": "7.7",
    "+5": "5",
    ".50": "0.50",
    "1,5": "1.5",
    "1234,567": "1234.567",
}
NEGATIVE = [
    "-218,48",
    "\u2212218,48",
    "218,48-",
    "218.48 -",
    "(218.48)",
    "-€218.48",
    "€-218.48",
    "218,48 EUR-",
    "(EUR 218.48)",
]
NOT_AMOUNTS = [
    "",
    "-",
    "€",
    "--1",
    "-(5)",
    "-5-",
    "12.5.3",
    "1,234,5",
    "1 2 3",
    "3 x 12.50",
    "12 March",
    "2024-03-12",
    "1e3",
    "NaN",
]


@pytest.mark.parametrize(("text", "amount"), AMOUNTS.items())
def test_an_amount_is_read_in_every_locale(text: str, amount: str) -> None:
    value = parse_value(text, Kind.DECIMAL)
    assert isinstance(value, Decimal)
    assert str(value) == amount


@pytest.mark.parametrize("text", NEGATIVE)
def test_a_minus_is_never_lost(text: str) -> None:
    assert parse_value(text, Kind.DECIMAL) == Decimal("-218.48")


@pytest.mark.parametrize("text", NOT_AMOUNTS)
def test_what_is_not_one_amount_is_none(text: str) -> None:
    assert parse_value(text, Kind.DECIMAL) is None


@pytest.mark.parametrize(
    ("text", "amount"),
    [("1.234", "1234"), ("1,234", "1234"), ("0.123", "0.123"), ("1234.567", "1234.567"), ("01,234", "1.234")],
)
def test_three_digits_after_one_separator_are_thousands_in_text(text: str, amount: str) -> None:
    assert parse_value(text, Kind.DECIMAL) == Decimal(amount)


@pytest.mark.parametrize(
    ("text", "amount"), [("1.234", "1.234"), ("1056.05", "1056.05"), ("-218.48", "-218.48"), ("1e3", "1000")]
)
def test_the_point_of_a_json_number_is_a_decimal_point(text: str, amount: str) -> None:
    assert parse_value(text, Kind.DECIMAL, literal=True) == Decimal(amount)


def test_an_enormous_literal_is_none() -> None:
    assert parse_value("1e999999999", Kind.INTEGER, literal=True) is None
    assert parse_value("9" * 100, Kind.DECIMAL, literal=True) is None


def grouped(digits: str, separator: str) -> str:
    return f"{int(digits):,}".replace(",", separator)


@given(
    cents=st.integers(0, 10**12),
    locale=st.sampled_from(
        [(".", ","), (",", "."), (" ", ","), ("\u00a0", ","), ("'", "."), ("’", "."), ("", "."), ("", ",")]
    ),
    dress=st.sampled_from([("", ""), ("", " EUR"), ("€ ", ""), ("$", ""), ("RM", ""), ("", " zł"), ("Fr. ", "")]),
    sign=st.sampled_from(["", "-", "after", "brackets"]),
)
def test_an_amount_formatted_in_any_locale_is_read_back(
    cents: int, locale: tuple[str, str], dress: tuple[str, str], sign: str
) -> None:
    number = grouped(str(cents // 100), locale[0]) + locale[1] + f"{cents % 100:02}"
    bare = dress[0] + number + dress[1]
    text = {"": bare, "-": "-" + bare, "after": bare + "-", "brackets": f"({bare})"}[sign]
    amount = Decimal(cents).scaleb(-2)
    assert parse_value(text, Kind.DECIMAL) == (-amount if sign else amount)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**20), max_value=10**20))
def test_every_decimal_literal_is_exact(amount: Decimal) -> None:
    assert parse_value(str(amount), Kind.DECIMAL, literal=True) == amount
