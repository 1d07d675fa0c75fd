"""Cross-field rules: what they say, when they say nothing, and what a wrong one is told."""

from __future__ import annotations

import datetime as dt
import pickle
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmbatch.checks.rules import Rule, compile_rule, rule_names
from slmbatch.errors import TaskError

LISTED = "line_items.amount"
ITEM = ("line_items[].amount", "line_items[].quantity", "line_items[].price", "tax_lines[].rate")
KNOWN = rule_names(["net", "tax", "gross", "issued", "due", "paid", "seller.vat", *ITEM])
VALUES = {
    "net": Decimal("100.00"),
    "tax": Decimal("19.00"),
    "gross": Decimal("119.00"),
    "issued": dt.date(2024, 3, 12),
    "due": dt.date(2024, 4, 12),
    "paid": True,
    "seller.vat": 19,
    "line_items.amount": [Decimal("60.00"), 40],
}


def rule(expression: str, *, tolerance: str = "0") -> Rule:
    return compile_rule("r", expression, tolerance=Decimal(tolerance), known=KNOWN)


@pytest.mark.parametrize(
    ("expression", "verdict"),
    [
        ("net + tax == gross", True),
        ("net + tax != gross", False),
        ("net - tax < gross", True),
        ("gross <= net", False),
        ("gross >= net + 19", True),
        ("gross > net + 19", False),
        ("net * 0.19 == tax", True),
        ("net * seller.vat / 100 == tax", True),
        ("net + tax * 2 == 138", True),
        ("(net + tax) * 2 == 238", True),
        ("10 - 3 - 2 == 5", True),
        ("100 / 10 / 2 == 5", True),
        ("-net + gross == - -tax", True),
        ("1 / 3 * 3 == 1", True),
        ("0.1 + 0.2 == 0.3", True),
        ("sum(line_items.amount) == net", True),
        ("sum( line_items.amount ) + tax == gross and due >= issued", True),
        ("net == 100 and tax == 20", False),
        ("issued < due", True),
        ("due == issued", False),
    ],
)
def test_a_rule_says_whether_the_values_agree(expression: str, verdict: bool) -> None:
    assert rule(expression).check(VALUES) is verdict


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("net == 1", {"net": None}),
        ("net == 1", {}),
        ("net == 1", {"net": "one"}),
        ("net == 1", {"net": True}),
        ("net == 1", {"net": [1]}),
        ("net == 1", {"net": Decimal("NaN")}),
        ("net == due", {"net": 1, "due": dt.date(2024, 1, 1)}),
        ("due + 1 > due", {"due": dt.date(2024, 1, 1)}),
        ("net / tax == 1", {"net": 1, "tax": 0}),
        ("sum(line_items.amount) == 1", {"line_items.amount": []}),
        ("sum(line_items.amount) == 1", {"line_items.amount": [1, None]}),
        ("sum(line_items.amount) == 1", {"line_items.amount": ["1"]}),
        ("sum(line_items.amount) == 1", {"line_items.amount": 1}),
        ("net == 2 and tax == 1", {"net": 1}),
    ],
)
def test_a_rule_says_nothing_about_missing_or_foreign_values(expression: str, values: dict[str, object]) -> None:
    assert rule(expression).check(values) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("expression", "verdict"),
    [
        ("net == 100.01", True), ("net == 100.02", False), ("net != 100.01", False), ("net != 100.02", True),
        ("net >= 100.01", True), ("net >= 100.02", False), ("net <= 99.99", True), ("net <= 99.98", False),
        ("net < 100", True), ("net < 99.99", False), ("net > 100", True), ("net > 100.01", False),
        ("issued == due", False),
    ],
)  # fmt: skip
def test_the_tolerance_is_allowed_to_the_cent(expression: str, verdict: bool) -> None:
    assert rule(expression, tolerance="0.01").check(VALUES) is verdict


def test_a_rule_knows_the_fields_it_reads_and_travels_between_processes() -> None:
    made = compile_rule("total", "sum(line_items.amount) == net and net <= gross", level="warning", known=KNOWN)
    assert (made.id, made.level, made.names) == ("total", "warning", ("line_items.amount", "net", "gross"))
    assert pickle.loads(pickle.dumps(made)) == made


@pytest.mark.parametrize(
    ("expression", "position", "expected"),
    [
        ("", 1, "a number, a field or '('"),
        ("net", 4, "a comparison"),
        ("net = tax", 5, "a comparison"),
        ("net ==", 7, "a number, a field or '('"),
        ("net == tax)", 11, "'and' or the end"),
        ("(net + tax == gross", 12, "')'"),
        ("net == tax tax", 12, "'and' or the end"),
        ("net < tax < gross", 11, "'and' or the end"),
        ("sum(line_items.amount == 1", 23, "')'"),
        ("sum(net) == 1", 5, "'net' is one value"),
        ("line_items.amount == tax_lines.rate", 22, "are in different lists"),
        ("sum(3) == 1", 5, "a number, a field or '('"),
        ("net == 1 and", 13, "a number, a field or '('"),
        ("net == 'x'", 8, "a number, a field or '('"),
        ("__import__('os') == 1", 1, "there is no field '__import__'"),
    ],
)
def test_a_wrong_rule_is_told_where_and_what_was_expected(expression: str, position: int, expected: str) -> None:
    with pytest.raises(TaskError) as caught:
        rule(expression)
    assert f"rule 'r', position {position}:" in caught.value.message
    assert expected in caught.value.message


def test_an_unknown_field_is_told_its_nearest_name() -> None:
    with pytest.raises(TaskError, match=r"position 12: there is no field 'line_item\.amount'") as caught:
        rule("net == sum(line_item.amount)")
    assert caught.value.remedy == "Did you mean 'line_items.amount'?"


def test_a_very_long_rule_is_refused() -> None:
    with pytest.raises(TaskError, match="more than 150"):
        rule("(" * 5000 + "net" + ")" * 5000 + " == 1")
    assert rule("(" * 70 + "net" + ")" * 70 + " == 100").check(VALUES) is True


def check_or_refusal(expression: str) -> bool | str | None:
    """Return the verdict, or the remedy of the error."""
    try:
        return rule(expression).check(VALUES)
    except TaskError as error:
        return error.remedy


@given(st.text(max_size=80))
def test_no_text_makes_compiling_fail_otherwise(text: str) -> None:
    assert check_or_refusal(text) != ""


PIECES = ["net", "tax", "due", "sum", "sum(line_items.amount)", *"()+-*/<10", "==", "and", "2.5"]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join))
def test_no_pile_of_words_makes_a_rule_fail_otherwise(text: str) -> None:
    assert check_or_refusal(text) != ""


def test_a_rule_about_items_is_held_against_each_of_them() -> None:
    made = rule("line_items.quantity * line_items.price == line_items.amount and line_items.amount <= gross")
    columns = {"line_items.quantity": [2, 3, None], "line_items.price": [Decimal("30"), Decimal("10"), Decimal("5")]}
    wrong = VALUES | columns | {"line_items.amount": [Decimal("60.00"), Decimal("40.00"), Decimal("5.00")]}
    assert made.check(wrong) is False
    assert made.broken_items(wrong) == [1]
    right = wrong | {"line_items.amount": [Decimal("60.00"), Decimal("30.00"), Decimal("5.00")]}
    assert made.check(right) is None  # of the third item nothing can be said
    assert made.broken_items(right) == []
    two = {name: values[:2] if isinstance(values, list) else values for name, values in right.items()}
    assert made.check(two) is True
    assert made.check(VALUES | {name: [] for name in made.each}) is None


def test_a_rule_may_hold_a_sum_against_each_item() -> None:
    made = rule("line_items.amount < sum(line_items.amount)")
    assert made.check(VALUES) is True
    assert made.broken_items(VALUES | {"line_items.amount": [Decimal("5"), Decimal("-1")]}) == [0]
    assert rule("sum(line_items.amount) == 100").broken_items(VALUES) == []
