"""When two answers are the same, as a certificate counts them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from slmbatch.run.certified.frozen import answers, sureness
from slmbatch.store.records import PART, Record
from slmbatch.types import Kind
from tests.store.made import settled


def leaf(value: str | None) -> dict[str, object]:
    members = [member.name for member in PART.field("leaves").type.value_type]
    return dict.fromkeys(members) | {"path": "rating", "value": value}


@pytest.mark.parametrize(
    ("one", "other", "kind", "same"),
    [
        ("ACME Ltd.", "acme ltd", Kind.TEXT, True),
        ("+", "-", Kind.TEXT, False),
        ("★★★", "★", Kind.TEXT, False),
        ("1.50", "1.5", Kind.DECIMAL, True),
        ("1.5", "15", Kind.TEXT, False),
        ("1.5 million", "15 million", Kind.TEXT, False),
        ("10:30", "1030", Kind.TEXT, False),
        ("1,5 l", "1.5 L", Kind.TEXT, True),
        ("DE89 3704 0044", "de8937040044", Kind.TEXT, True),
        ("Lane 12, 10115 Berlin", "lane 12 10115 berlin", Kind.TEXT, True),
        ("Mu\u0308ller", "Müller", Kind.TEXT, True),
    ],
)
def test_values_agree_by_meaning(one: str, other: str, kind: Kind, same: bool) -> None:
    rows: list[Record] = [settled(number) | {"leaves": [leaf(value)]} for number, value in enumerate((one, other))]
    told = answers(pa.Table.from_pylist(rows, PART), {"rating": kind})
    assert (told[0] == told[1]) is same


def test_rows_are_ranked_by_probability_where_one_is_known() -> None:
    told = [(0.99, 0.4), (0.6, None), (None, None)]  # a sure tier that is often wrong; one that isn't calibrated; none
    rows = [
        settled(number) | {"score": score, "confidence": probability}
        for number, (score, probability) in enumerate(told)
    ]
    assert sureness(pa.Table.from_pylist(rows, PART)).to_pylist() == [0.4, 0.6, None]
