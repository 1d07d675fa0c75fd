"""Which numbers of a page are amounts."""

from __future__ import annotations

from decimal import Decimal

import pytest

from slmbatch.heads.fields.money import find_amounts
from slmbatch.heads.fields.sheet import Sheet
from slmbatch.types import Document, Page


def amounts(text: str) -> list[Decimal]:
    return [one.value for one in find_amounts(Sheet(Document("d", "d", None, (Page(1, text),)))).candidates]


@pytest.mark.parametrize(
    "text", ["Please pay within 14 days.", "zahlbar in 30 Tagen", "à 30 jours", "30 giorni", "a 30 días", "in 8 dagen"]
)
def test_a_number_of_days_is_no_amount(text: str) -> None:
    assert amounts(text) == []


@pytest.mark.parametrize("text", ["Please pay 14 Dayton Street", "14 \nDays open", "14 EUR a day"])
def test_a_number_beside_other_words_may_be_one(text: str) -> None:
    assert amounts(text) == [Decimal(14)]
