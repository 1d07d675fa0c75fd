"""Field values against expected values, counted by hand."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import pytest

from slmbatch.errors import InputError
from slmbatch.evaluate.evaluation import compare, judge
from slmbatch.evaluate.fields import field_names, judge_fields
from slmbatch.evaluate.sheets import flat, sheet
from slmbatch.report.summary import FORMAT
from slmbatch.tasks.schema import compile_schema

from .made import extracted, values

SCHEMA = compile_schema(
    {
        "type": "object",
        "properties": {
            "number": {"type": "string"},
            "total": {"type": "string", "format": "decimal"},
            "day": {"type": "string", "format": "date"},
            "seller": {"type": "object", "properties": {"name": {"type": "string"}}},
            "lines": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"what": {"type": "string"}, "amount": {"type": "string", "format": "decimal"}},
                },
            },
        },
    },
    name="made",
    where="made",
)
DAY = dt.date(2024, 3, 12)
DOCUMENTS = [
    {
        "number": ("A-1", 0.9),
        "total": (Decimal("30.00"), 0.95),
        "day": (DAY, 0.9),
        "seller.name": ("Acme", 0.99),
        "lines[0].what": ("Nails", 0.9),
        "lines[0].amount": (Decimal("10.00"), 0.9),
        "lines[1].what": ("Oak", 0.9),
        "lines[1].amount": (Decimal("20.00"), 0.9),
    },
    {"number": ("A-3", 0.7), "total": (Decimal("5.00"), 0.9), "day": (None, 0.3), "seller.name": ("Bolt", 0.5)},
]
GOLD = {
    "0": {
        "number": "a1",
        "total": "30",
        "day": "2024-03-12",
        "seller": {"name": "ACME"},
        "lines": [{"what": "Oak", "amount": "20"}, {"what": "Nails", "amount": "10"}],
    },
    "1": {"number": "A-2", "total": "5", "day": "2024-03-13", "seller": {"name": None}, "lines": [{"what": "Glue"}]},
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return extracted(tmp_path / "out", SCHEMA, DOCUMENTS)


def test_every_measure_of_a_small_run(run: Path) -> None:
    found = values(judge_fields(run, GOLD, 0.01, where=Path("gold.jsonl")))
    assert (found["document_accuracy", None], found["accepted", None]) == (0.5, 0.5)
    assert (found["accepted_accuracy", None], found["accepted_field_accuracy", None]) == (1.0, 1.0)
    assert found["field_accuracy", None] == 5 / 8  # four, and of the second document the total
    assert found["field_precision", None] == 5 / 7
    assert found["field_recall", None] == 5 / 7  # a seller isn't expected there
    assert (found["presence_precision", None], found["presence_recall", None]) == (6 / 7, 6 / 7)
    assert (found["field_f1", "number"], found["field_recall", "day"]) == (0.5, 0.5)
    assert found["field_accuracy", "seller.name"] == 0.5
    assert found["item_precision", None] == 1.0
    assert found["item_recall", "lines"] == pytest.approx(2 / 3)
    assert found["cell_recall", "lines[].what"] == pytest.approx(2 / 3)
    assert found["cell_recall", "lines[].amount"] == 1.0
    assert found["usd_per_right", None] == pytest.approx(0.02 / 9)  # five fields and four values in lists


def test_likeness_is_the_mean_over_documents(run: Path) -> None:
    found = values(judge_fields(run, GOLD, 0, where=Path("gold.jsonl")))
    second = (2 / 3 + 1 + 0 + 0 + 0) / 5  # number, total, day, seller, one missing value of the list
    first = (2 / 3 + 1 + 1 + 1 + 4) / 8  # "a1" for "A-1" lacks a sign
    assert found["anls", None] == pytest.approx((first + second) / 2)
    assert found["anls", "total"] == 1.0


def test_confidences_are_those_of_each_field(run: Path) -> None:
    found = values(judge_fields(run, GOLD, 0, where=Path("gold.jsonl")))
    # right: 0.99, 0.95, 0.9, 0.9, 0.9; wrong: 0.7, 0.5
    assert found["field_auroc", None] == 1.0
    assert found["field_coverage_at", "0.99"] == 5 / 8
    assert (found["field_accuracy_from", "0.5"], found["field_share_from", "0.5"]) == (5 / 7, 7 / 8)
    assert found["document_auroc", None] == 1.0


def test_fields_without_an_expected_value_are_not_judged(run: Path) -> None:
    one = judge_fields(run, {"0": {"total": "30", "vat": "5"}}, 0, where=Path("gold.jsonl"))
    assert values(one)["document_accuracy", None] == 1.0
    assert (one.not_asked, one.unjudged) == (["vat"], 1)


def test_documents_of_which_nothing_is_expected_are_not_judged(run: Path) -> None:
    one = judge_fields(run, {"0": {"lines": GOLD["0"]["lines"]}, "1": {"vat": "5"}}, 0, where=Path("gold.jsonl"))
    assert (list(one.ids), one.unjudged, one.not_asked) == (["0"], 1, ["vat"])
    found = values(one)
    assert (found["item_f1", None], found["document_accuracy", None]) == (1.0, 1.0)
    assert ("field_accuracy", None) not in found
    assert ("field_auroc", None) not in found


def test_documents_without_an_answer_are_wrong(tmp_path: Path) -> None:
    root = extracted(tmp_path / "out", SCHEMA, [{}])
    found = values(judge_fields(root, {"0": {"total": "30", "lines": []}}, 0, where=Path("gold.jsonl")))
    assert (found["field_accuracy", None], found["field_recall", None], found["document_accuracy", None]) == (0, 0, 0)
    assert ("field_precision", None) not in found


def test_names_of_fields_are_those_of_the_schema(run: Path) -> None:
    assert field_names(run) == {"number", "total", "day", "seller.name", "lines"}
    summary = {"task": "extract", "usd": "0", "rows": 2}
    only = judge(run, GOLD, summary, where=Path("gold.jsonl"), only=frozenset({"total"}))
    assert values(only)["field_accuracy", None] == 1.0


@pytest.mark.parametrize(("wanted", "what"), [({"lines": "two"}, "not a list"), ({"total": ["1"]}, "total is a list")])
def test_a_list_and_a_value_cannot_be_compared(run: Path, wanted: dict[str, object], what: str) -> None:
    with pytest.raises(InputError, match=f"gold.jsonl: 0: .*{what}"):
        judge_fields(run, {"0": wanted}, 0, where=Path("gold.jsonl"))


def test_a_document_without_values_is_refused(run: Path) -> None:
    with pytest.raises(InputError, match=r"gold.jsonl: 0 has no values"):
        judge_fields(run, {"0": "card"}, 0, where=Path("gold.jsonl"))


def test_lists_inside_items_go_by_position() -> None:
    found = flat({"lines": [{"what": "Oak", "tags": ["a", "b"]}], "seller": {"address": {"city": "Rome"}}})
    assert found["seller.address.city"] == "Rome"
    assert sheet(found, {"lines": [{"tags": ["a", "b"]}]}, where="gold").right
    assert not sheet(found, {"lines": [{"tags": ["b", "a"]}]}, where="gold").right


def test_runs_are_compared_by_the_measures_that_both_have(tmp_path: Path) -> None:
    """No lines are expected: only the run that has an answer has a measure of items."""
    found = {"some": {"total": (Decimal(30), 0.9), "lines[0].amount": (Decimal(10), 0.9)}, "none": {}}
    runs = [extracted(tmp_path / name, SCHEMA, [one]) for name, one in found.items()]
    for run in runs:
        (run / "report.json").write_text(json.dumps({"format": FORMAT, "task": "extract", "usd": "0", "rows": 1}))
    gold = {"0": {"total": "30", "lines": None}}
    for pair, accuracy in ((runs, (0.5, 1.0)), (runs[::-1], (1.0, 0.5))):
        changes = {one.metric: (one.old, one.new) for one in compare(*pair, gold, where=Path("gold.jsonl")).changes}
        assert "item_f1" not in changes
        assert changes["field_accuracy"] == accuracy
