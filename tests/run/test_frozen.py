"""When two answers are the same, as a certificate counts them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from slmbatch.run.certified.frozen import answers
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
    ],
)
def test_values_agree_by_meaning(one: str, other: str, kind: Kind, same: bool) -> None:
    rows: list[Record] = [settled(number) | {"leaves": [leaf(value)]} for number, value in enumerate((one, other))]
    told = answers(pa.Table.from_pylist(rows, PART), {"rating": kind})
    assert (told[0] == told[1]) is same
