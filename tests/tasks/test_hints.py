"""Hints: what a schema says of its leaves, and what is implied where it says nothing."""

from typing import Any

import pytest

from slmbatch.errors import TaskError
from slmbatch.tasks.hints import Hint, HintKind, Pick
from slmbatch.tasks.schema import Field, compile_schema


def leaf(field: dict[str, Any], name: str = "a") -> Field:
    schema = compile_schema({"type": "object", "properties": {name: field}}, name="s", where="s.json")
    return dict(schema.fields())[name]


def test_hints_are_read_from_the_leaf() -> None:
    field = {"type": "string", "x-slmbatch": {"kind": "iban", "labels": ["IBAN", "Konto"], "pick": "first"}}
    assert leaf(field).hint == Hint(HintKind.IBAN, ("IBAN", "Konto"), Pick.FIRST)


def test_what_a_leaf_leaves_out_is_implied() -> None:
    assert leaf({"type": "string", "format": "date"}, "shipping_date").hint == Hint(HintKind.DATE, ("shipping date",))
    assert leaf({"type": "number", "description": "Net weight."}, "weight").hint == Hint(
        HintKind.AMOUNT, ("weight", "Net weight")
    )
    assert leaf({"type": "string"}, "order_number").hint == Hint(HintKind.IDENTIFIER, ("order number",))
    assert leaf({"type": "string"}, "supplierIban").hint == Hint(HintKind.IBAN, ("supplier iban",))
    assert leaf({"type": "string"}, "remarks").hint == Hint(HintKind.TEXT, ("remarks",))
    assert leaf({"type": "string", "x-slmbatch": {"pick": "last"}}, "vendor").hint == Hint(
        HintKind.PARTY, ("vendor",), Pick.LAST
    )


def test_a_conclusion_has_no_hint() -> None:
    assert leaf({"type": "boolean"}).hint is None
    assert leaf({"enum": ["a", "b"]}).hint is None


@pytest.mark.parametrize(
    ("hint", "said"),
    [
        ({"kind": "money"}, r"s\.json: a: x-slmbatch\.kind"),
        ({"labels": "Total"}, r"x-slmbatch\.labels"),
        ({"labels": ["::"]}, "a label has no letters"),
        ({"lables": ["Total"]}, r"x-slmbatch\.lables"),
        ({"pick": "best"}, r"x-slmbatch\.pick"),
        ({}, "says nothing"),
        ("amount", "says nothing"),
        ({"kind": "date"}, "date doesn't fit a leaf of type decimal"),
    ],
)
def test_a_wrong_hint_is_refused_with_its_place(hint: Any, said: str) -> None:
    with pytest.raises(TaskError, match=said):
        leaf({"type": "number", "x-slmbatch": hint})


@pytest.mark.parametrize(
    ("term", "listed", "what"),
    [
        ("BT-999", False, "no known business term"),
        ("BT-11O", False, "BT-110 (Total VAT)"),
        ("BT-131", False, "several"),
        ("BT-112", True, "once"),
    ],
)
def test_a_business_term_has_to_be_known_and_in_its_place(term: str, listed: bool, what: str) -> None:
    leaf: dict[str, Any] = {"type": "string", "x-slmbatch": {"en16931": term}}
    items = {"type": "array", "items": {"type": "object", "properties": {"a": leaf}}}
    with pytest.raises(TaskError) as caught:
        compile_schema({"type": "object", "properties": {"b": items if listed else leaf}}, name="t", where="t.json")
    assert what in f"{caught.value.message} {caught.value.remedy}"
    assert "t.json: b" in caught.value.message
