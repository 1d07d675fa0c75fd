"""What an e-invoice states becomes typed leaves, as written in XML Schema's way."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from slmbatch.errors import TaskError
from slmbatch.heads.embedded_xml import EmbeddedXml
from slmbatch.tasks.schema import Schema, compile_schema
from slmbatch.types import Document, Grounded, Page, Scalar
from tests.einvoice.made import minimum


def schema(**leaves: dict[str, Any]) -> Schema:
    return compile_schema({"type": "object", "properties": leaves}, name="t", where="t")


def leaf(term: str, **more: str) -> dict[str, Any]:
    return {"type": "string", "x-slmbatch": {"en16931": term}, **more}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("30.00000000000", "30.00"),
        ("158.1250000000", "158.125"),
        ("64.", "64"),
        ("-0.5", "-0.5"),
        ("1000", "1000"),
        ("100.10", "100.10"),
    ],
)
def test_numbers_are_those_of_xml_schema(written: str, value: str) -> None:
    document = Document("d", "d", None, (Page(1, "nothing"),), xml=minimum(total=written))
    [answer] = EmbeddedXml(schema(total=leaf("BT-112", format="decimal"))).answer([document])
    assert str(answer.leaves[0].value) == value
    assert answer.leaves[0].raw == written


@pytest.mark.parametrize(
    ("written", "value"), [("20260131", dt.date(2026, 1, 31)), ("202601310915", dt.date(2026, 1, 31)), ("202613", None)]
)
def test_days_are_compact_or_not_days(written: str, value: Scalar | None) -> None:
    document = Document("d", "d", None, (Page(1, "31 January 2026"),), xml=minimum(date=written))
    [answer] = EmbeddedXml(schema(day=leaf("BT-2", format="date"))).answer([document])
    assert answer.leaves[0].value == value
    assert answer.leaves[0].grounding.found is Grounded.XML
    assert answer.leaves[0].grounding.page == (None if value is None else 1)


def test_a_list_is_of_lines_or_of_tax_rates() -> None:
    mixed = {"type": "array", "items": {"type": "object", "properties": {"a": leaf("BT-131"), "b": leaf("BT-117")}}}
    with pytest.raises(TaskError, match="doesn't belong to the same lists"):
        EmbeddedXml(schema(rows=mixed))
