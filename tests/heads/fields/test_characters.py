"""Counts of characters: what lies between two places of any text, told without looking at it again."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmbatch.heads.fields.characters import Tally
from slmbatch.heads.fields.money import find_currencies
from slmbatch.heads.fields.sheet import Sheet
from slmbatch.types import Document, Page


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("aÜ1²½ \t\u00a0𝟙")), max_size=60))
def test_letters_and_digits_are_those_of_python(text: str) -> None:
    tally = Tally.of(text)
    for place in range(len(text) + 1):
        assert tally.letters[place] == sum(map(str.isalnum, text[:place]))
        assert tally.digits[place] == sum(map(str.isdecimal, text[:place]))
        assert tally.raised[place] == sum(map("¹²³".count, text[:place]))


@given(st.text(alphabet="a: \t\u00a0", max_size=20))
def test_blanks_after_a_letter_are_counted_but_for_pairs_of_spaces(gap: str) -> None:
    blanks = Tally.of("x" + gap).blanks
    assert blanks[-1] - blanks[1] == len(re.findall(r"\s", gap.replace("  ", "")))


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("Total EUR 5", ["EUR"]),
        ("US$ 5, $5 and 5 EURO", ["USD", "USD", "EUR"]),
        ("Fr. 5, SFr. 5, 5 CHF", ["CHF", "CHF", "CHF"]),
        ("5 zł, 5 Kč, RM5, 5€", ["PLN", "CZK", "MYR", "EUR"]),
        ("EUROPA, aEUR, Kčs, RMS", []),
    ],
)
def test_currencies_are_whole_words_or_signs(text: str, codes: list[str]) -> None:
    sheet = Sheet(Document("d", "d", None, (Page(1, text),)))
    assert [one.value for one in find_currencies(sheet).candidates] == codes
