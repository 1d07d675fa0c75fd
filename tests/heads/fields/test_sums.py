"""Amounts that must add up: the combination that obeys the schema's equation beats likelier ones that don't."""

from decimal import Decimal
from pathlib import Path

import numpy as np

from slmbatch.heads.fields.sums import Choices, equations, settle
from slmbatch.tasks.schema import compile_schema
from slmbatch.tasks.schema_files import load_schema

INVOICE = load_schema(str(Path(__file__).parents[3] / "schemas" / "invoice.schema.json"))


def choices(*pairs: tuple[str, float], none: float = 0.0) -> Choices:
    return Choices([Decimal(value) for value, _ in pairs], np.array([*(logit for _, logit in pairs), none]))


def test_the_schemas_equation_is_read_and_its_other_rule_left_out() -> None:
    (equation,) = equations(INVOICE)
    assert dict(zip(equation.paths, equation.signs, strict=True)) == {
        "net_amount": 1,
        "total_tax_amount": 1,
        "total_amount": -1,
    }


def test_rules_that_are_no_sums_of_amounts_are_left_out() -> None:
    fields = {name: {"type": "number"} for name in "abc"}
    rules = [
        {"id": str(number), "expr": expr} for number, expr in enumerate(["a * b == c", "a + 1 == c", "a + b <= c"])
    ]
    schema = compile_schema(
        {"type": "object", "properties": fields, "x-slmbatch": {"rules": rules}}, name="s", where="s"
    )
    assert equations(schema) == ()


def test_a_rule_about_items_stands_in_no_equations_way() -> None:
    fields: dict[str, object] = {name: {"type": "number"} for name in "abc"}
    rules = [{"id": "each", "expr": "a + b == fees"}, {"id": "sum", "expr": "a + b == c"}]
    listed = {"fees": {"type": "array", "items": {"type": "number"}}}
    schema = compile_schema(
        {"type": "object", "properties": fields | listed, "x-slmbatch": {"rules": rules}}, name="s", where="s"
    )
    assert [one.paths for one in equations(schema)] == [("a", "b", "c")]


def test_what_adds_up_beats_what_is_a_little_likelier() -> None:
    (equation,) = equations(INVOICE)
    after, found = settle(
        equation,
        {
            "net_amount": choices(("100.00", 1.0), ("90.00", 1.5)),
            "total_tax_amount": choices(("20.00", 1.0), ("19.00", 1.5)),
            "total_amount": choices(("120.00", 2.0), ("500.00", 2.5)),
        },
    )
    assert found == {"net_amount": 0, "total_tax_amount": 0, "total_amount": 0}
    for chances in after.values():
        assert chances.argmax() == 0
        assert abs(chances.sum() - 1) < 1e-9


def test_a_sum_with_a_zero_tax_proves_nothing() -> None:
    (equation,) = equations(INVOICE)
    _, found = settle(
        equation,
        {
            "net_amount": choices(("120.00", 3.0)),
            "total_tax_amount": choices(("0.00", 3.0)),
            "total_amount": choices(("120.00", 3.0)),
        },
    )
    assert found is None
