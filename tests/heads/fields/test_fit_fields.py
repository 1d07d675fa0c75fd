"""Training: what was learned is kept, found again, and better on a vendor's own words."""

import dataclasses
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from slmbatch.errors import ModelError, TaskError
from slmbatch.heads.fields.fit_fields import fit_fields, split
from slmbatch.heads.fields.learned import load_fields
from slmbatch.heads.fields.scorer import Example, fit_calibration, fit_weights
from slmbatch.heads.fields.shipped import rules_head
from slmbatch.heads.folder import load_head, save_head
from slmbatch.tasks.schema import Schema, compile_schema
from slmbatch.types import Document, Page


def schema(*names: str) -> Schema:
    return compile_schema(
        {"type": "object", "properties": {name: {"type": "number"} for name in names}}, name="s", where="s"
    )


WEIGHT = schema("weight")


def slips(count: int) -> tuple[list[Document], list[dict[str, object]]]:
    """Slips that call the weight "Masse": no label of the schema, so that only the words around it tell."""
    documents, gold = [], []
    for number in range(count):
        text = f"Slip {number}\nHeight {number % 7 + 3}.10\nMasse {number % 11 + 2}.50\nWeight class 9.99\n"
        documents.append(Document(str(number), "", None, (Page(1, text),)))
        gold.append({"weight": f"{number % 11 + 2}.50"})
    return documents, gold


def test_a_trained_head_learns_what_stands_before_the_value(tmp_path: Path) -> None:
    documents, gold = slips(40)
    stored = fit_fields(documents, gold, WEIGHT)
    save_head(tmp_path, stored.kind, settings=stored.settings, card=stored.card, arrays=stored.arrays)
    head = load_fields(load_head(tmp_path), WEIGHT)
    fresh = Document("x", "", None, (Page(1, "Slip 99\nHeight 14.10\nMasse 17.50\nWeight class 9.99\n"),))
    (before,), (after,) = rules_head(WEIGHT).answer([fresh]), head.answer([fresh])
    assert [leaf.value for leaf in before.leaves] != [Decimal("17.50")]
    assert [leaf.value for leaf in after.leaves] == [Decimal("17.50")]
    assert (after.leaves[0].confidence or 0) > 0.8


def test_a_head_read_back_answers_as_before(tmp_path: Path) -> None:
    documents, gold = slips(20)
    stored = fit_fields(documents, gold, WEIGHT)
    save_head(tmp_path, stored.kind, settings=stored.settings, card=stored.card, arrays=stored.arrays)
    assert load_fields(load_head(tmp_path), WEIGHT).answer(documents) == load_fields(stored, WEIGHT).answer(documents)


def test_training_twice_gives_the_same_head() -> None:
    documents, gold = slips(20)
    assert fit_fields(documents, gold, WEIGHT).sha256 == fit_fields(documents, gold, WEIGHT).sha256


def test_a_head_of_other_fields_is_refused() -> None:
    stored = fit_fields(*slips(20), WEIGHT)
    with pytest.raises(ModelError, match="other fields"):
        load_fields(stored, schema("weight", "height"))
    with pytest.raises(ModelError, match="other fields"):
        load_fields(dataclasses.replace(stored, kind="labels"), WEIGHT)


def test_without_values_there_is_nothing_to_learn() -> None:
    documents, gold = slips(10)
    with pytest.raises(TaskError, match="no document has a value"):
        fit_fields(documents, [{"wieght": one["weight"]} for one in gold], WEIGHT)


def test_a_vendor_is_never_in_two_folds() -> None:
    vendors = [f"v{number % 13}" for number in range(100)]
    folds = split(vendors)
    assert len({(vendor, fold) for vendor, fold in zip(vendors, folds, strict=True)}) == 13
    assert max(map(folds.count, set(folds))) <= 2 * min(map(folds.count, set(folds)))


def test_a_few_documents_leave_weights_near_those_they_began_from() -> None:
    rows = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    few = [Example(rows, np.array([False, True, False]), 1.0)]
    towards = np.array([2.0, 0.0])
    near = fit_weights(few, ridge=10.0, towards=towards)
    far = fit_weights(few * 200, ridge=10.0, towards=towards)
    assert np.abs(near - towards).max() < 0.2
    assert far[1] > far[0]


def test_one_vendors_many_wrong_documents_count_less_than_those_of_many_vendors() -> None:
    rows = np.tile([1.0, 4.0, 0.0, 1.0], (60, 1))
    right = np.arange(60) >= 20
    prior = np.array([0.0, 1.0, 0.0, 0.0])
    chain = fit_calibration(rows, right, np.where(right, 1.0, 20**-0.5), prior=prior)
    many = fit_calibration(rows, right, np.ones(60), prior=prior)
    assert rows[0] @ chain > rows[0] @ many
