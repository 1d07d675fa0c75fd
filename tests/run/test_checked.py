"""A head's leaves get the same checks as a model's: formats, what is missing, rules, the row's score."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from slmbatch.confidence.gate import UNSURE_OCR
from slmbatch.run.checked import NOT_FOUND, FieldChecks
from slmbatch.tasks.extract import ExtractTask
from slmbatch.tasks.schema import compile_schema
from slmbatch.types import Grounded, Grounding, Leaf, Scalar

from .test_answers import PROPERTIES, RULE

HERE = Grounding(Grounded.EXACT, 1, 0, 3)


def checks(required: tuple[str, ...] = ("number", "total"), **extension: Any) -> FieldChecks:
    schema = {"type": "object", "properties": PROPERTIES, "required": list(required), "x-slmbatch": extension}
    return FieldChecks(ExtractTask(compile_schema(schema, name="t", where="t")))


def leaf(path: str, value: Scalar | None, score: float | None = 0.9, confidence: float | None = 0.8) -> Leaf:
    raw = None if value is None else str(value)
    return Leaf(path, value, raw, score, confidence, grounding=HERE if value is not None else Grounding(Grounded.NONE))


def test_every_field_of_the_schema_has_its_leaf_in_the_schemas_order() -> None:
    given = [leaf("lines[1].amount", Decimal(2)), leaf("total", Decimal(3)), leaf("number", "4711")]
    answer = checks().checked(given)
    paths = ["number", "day", "net", "tax", "total", "lines[0].amount", "lines[1].amount"]
    assert [one.path for one in answer.leaves] == paths
    assert [one.required for one in answer.leaves] == [True, False, False, False, True, False, False]
    assert answer.problems == ()
    assert (answer.score, answer.confidence) == (0.9, 0.8)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (leaf("number", "47-11"), r"number: '47-11' doesn't fit the pattern ^\d+$"),
        (leaf("number", None), "number: required, and missing"),
        (Leaf("number", "4711", "4711", 0.9), f"number: {NOT_FOUND}"),
        (
            leaf("total", Decimal("0.0000000001")),
            "total: '1E-10' is not a number",
        ),  # more decimals than the column holds
        (
            replace(leaf("net", Decimal(2)), grounding=replace(HERE, ocr=UNSURE_OCR - 0.01)),
            f"net: OCR is unsure of it ({UNSURE_OCR - 0.01:.2f})",
        ),
        (Leaf("total", None, "much", 0.9), "total: 'much' is not a number"),
        (leaf("net", Decimal(7)), "rule sum is broken: net + tax == total"),
    ],
)
def test_what_a_head_found_is_refused_as_a_models_answer_is(given: Leaf, problem: str) -> None:
    right = {one.path: one for one in (leaf("number", "4711"), leaf("total", Decimal(3)), leaf("tax", Decimal(1)))}
    answer = checks(rules=[RULE]).checked(list((right | {given.path: given}).values()))
    assert answer.problems == (problem,)


def test_what_the_tables_cannot_hold_is_no_value() -> None:
    answer = checks().checked([leaf("total", Decimal(10) ** 40)])
    total = next(one for one in answer.leaves if one.path == "total")
    assert (total.value, total.grounding.found) == (None, Grounded.NONE)


@pytest.mark.parametrize(
    ("required", "leaves", "score", "confidence"),
    [
        (("number", "total"), [("number", 0.9, 0.7), ("total", 0.8, 0.95), ("day", 0.1, 0.1)], 0.8, 0.7),
        (("number", "total"), [("number", 0.9, None), ("total", 0.8, 0.95)], 0.8, None),
        (("number", "total"), [("number", 0.9, 0.7)], None, None),  # total is missing, and nothing is known of it
        ((), [("number", 0.9, 0.7), ("total", None, 0.6)], 0.6, 0.6),  # what rules find has no score of its own
    ],
)
def test_a_row_is_as_sure_as_the_least_sure_of_what_it_needs(
    required: tuple[str, ...],
    leaves: list[tuple[str, float | None, float | None]],
    score: float | None,
    confidence: float | None,
) -> None:
    values = {"number": "4711", "total": Decimal(3), "day": None}
    answer = checks(required).checked([leaf(path, values[path], *told) for path, *told in leaves])
    assert (answer.score, answer.confidence) == (score, confidence)


def test_a_leaf_that_the_schema_does_not_have_is_a_bug_and_not_dropped() -> None:
    with pytest.raises(ValueError, match="totl"):
        checks().checked([leaf("totl", Decimal(3))])
