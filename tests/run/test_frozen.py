"""When two answers are the same, as a certificate counts them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from slmbatch.run.certified.frozen import answers, by_field, fields_of, sureness
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


def test_a_list_is_one_field_and_as_sure_as_its_least_sure_leaf() -> None:
    kinds = {"total": Kind.DECIMAL, "lines[].name": Kind.TEXT, "lines[].amount": Kind.DECIMAL}
    told = [
        [("total", "5.0", 0.9), ("lines[0].name", "Tea", 0.8), ("lines[0].amount", "5", 0.4)],
        [("total", "5", 0.7), ("lines[0].amount", "5.00", 0.6), ("lines[0].name", "tea", None)],
        [("total", "5", 0.7), ("lines[0].amount", "6", 0.6), ("lines[0].name", "tea", 0.9)],
        [("total", None, 0.2)],
    ]
    rows: list[Record] = [
        settled(number)
        | {"leaves": [leaf(value) | {"path": path, "score": score, "confidence": None} for path, value, score in some]}
        for number, some in enumerate(told)
    ]
    rows.append(settled(4) | {"tier": None, "leaves": []})
    found = by_field(pa.Table.from_pylist(rows, PART), kinds)
    assert fields_of(kinds) == list(found) == ["total", "lines"]
    assert [one["score"] if one else None for one in found["total"]] == [0.9, 0.7, 0.7, 0.2, None]
    assert [one["score"] if one else None for one in found["lines"]] == [0.4, None, 0.6, None, None]
    totals = [one["answer"] for one in found["total"] if one]
    assert totals[0] == totals[1] == totals[2] != totals[3]
    answers_of_lists = [one["answer"] for one in found["lines"] if one]
    assert answers_of_lists[0] == answers_of_lists[1]
    assert len(set(answers_of_lists)) == 3
    assert found["lines"][4] is None
