"""The other kinds of values, and that no text makes parsing fail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmbatch.checks.currencies import ISO_4217
from slmbatch.checks.values import parse_value
from slmbatch.types import Kind

READ = {
    Kind.INTEGER: {"12": 12, "12.00": 12, "1.000": 1000, "-3": -3, "12,5": None, "twelve": None},
    Kind.BOOLEAN: {"true": True, " Yes ": True, "ja": True, "oui": True, "false": False, "NEIN": False, "maybe": None},
    Kind.CURRENCY: {"eur": "EUR", "€": "EUR", "$": "USD", "£": "GBP", "RM": "MYR", "Fr.": "CHF", "zł": "PLN"},
    Kind.TEXT: {
        "  a \n b\t": "a b",
        "": None,
        " ": None,
        "null": None,
        "N/A": None,
        "none": None,
        "--": None,
        "No": "No",
    },
}
READ[Kind.CURRENCY] |= dict.fromkeys(["kr", "¥", "XXX", "ABC", "", "12 EUR"])


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in READ.items() for text in texts])
def test_every_kind_is_read_as_its_own_type(kind: Kind, text: str) -> None:
    found, value = parse_value(text, kind), READ[kind][text]
    assert found == value
    assert type(found) is type(value)


def test_an_enum_value_gets_the_schemas_spelling() -> None:
    assert parse_value("credit note", Kind.ENUM, enum=("Invoice", "CreditNote")) == "CreditNote"
    assert parse_value("receipt", Kind.ENUM, enum=("Invoice", "CreditNote")) is None


def test_an_enum_value_between_two_alike_members_must_be_exact() -> None:
    assert parse_value("ab", Kind.ENUM, enum=("ab", "AB")) == "ab"
    assert parse_value("Ab", Kind.ENUM, enum=("ab", "AB")) is None


def test_the_currency_codes_are_codes() -> None:
    assert all(len(code) == 3 and code.isalpha() and code.isupper() for code in ISO_4217)
    assert len(ISO_4217) == 176


@given(st.text(max_size=60), st.sampled_from(Kind), st.booleans())
def test_no_text_makes_parsing_fail(text: str, kind: Kind, literal: bool) -> None:
    parse_value(text, kind, literal=literal, enum=("a", "b"))
