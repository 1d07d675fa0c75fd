"""Labels against expected labels, counted by hand and by scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from slmbatch.errors import InputError
from slmbatch.evaluate.classify import judge_labels
from slmbatch.evaluate.judged import Judged, Mistake
from slmbatch.heads.text.quality import measure

from .made import classified, values

GOLD = Path("gold.csv")
# expected, told, score
ROWS = [
    ("cat", "cat", 0.95),
    ("cat", "cat", 0.85),
    ("cat", "dog", 0.60),
    ("dog", "dog", 0.90),
    ("dog", "cow", 0.82),
    ("cow", None, None),
]


def judged(folder: Path, gold: dict[str, object] | None = None) -> Judged:
    root = classified(folder / "out", [(told, score) for _, told, score in ROWS])
    expected = {str(number): label for number, (label, _, _) in enumerate(ROWS)}
    return judge_labels(root, expected if gold is None else gold, 0.01, where=GOLD)


def test_every_measure_of_a_small_run(tmp_path: Path) -> None:
    found = values(judged(tmp_path))
    assert found["accuracy", None] == 3 / 6
    assert found["accepted", None] == 4 / 6
    assert found["accepted_accuracy", None] == 3 / 4
    assert found["usd_per_right", None] == pytest.approx(0.06 / 3)
    assert (found["precision", "cat"], found["recall", "cat"]) == (1.0, pytest.approx(2 / 3))
    assert (found["precision", "dog"], found["recall", "dog"]) == (0.5, 0.5)
    assert (found["precision", "cow"], found["recall", "cow"], found["f1", "cow"]) == (0.0, 0.0, 0.0)
    assert found["macro_f1", None] == pytest.approx((0.8 + 0.5 + 0) / 3)
    assert (found["accuracy_from", "0.8"], found["share_from", "0.8"]) == (3 / 4, pytest.approx(4 / 6))
    assert ("accuracy_from", "0.99") not in found
    assert found["auroc", None] == 1.0
    assert found["coverage_at", "0.95"] == 3 / 6  # 0.95, 0.90, 0.85 are right, of six rows


def test_confusions_are_counted_with_rows_that_have_no_answer(tmp_path: Path) -> None:
    assert set(judged(tmp_path).confusion) == {
        Mistake("cat", "cat", 2),
        Mistake("cat", "dog", 1),
        Mistake("dog", "dog", 1),
        Mistake("dog", "cow", 1),
        Mistake("cow", None, 1),
    }


def test_what_is_not_in_both_is_told(tmp_path: Path) -> None:
    one = judged(tmp_path, {"1": "cat", "0": "cat", "9": "cat", "2": None})
    assert (list(one.ids), one.missing, one.unjudged) == (["1", "0"], ["9"], 4)


def test_an_id_that_two_results_have_is_judged_once(tmp_path: Path) -> None:
    root = classified(tmp_path / "out", [("cat", 0.9), ("dog", 0.9), ("cow", 0.9)], ["a", "a", "b"])
    one = judge_labels(root, {"a": "cat", "b": "cow"}, 0, where=GOLD)
    assert values(one)["accuracy", None] == 1.0
    assert one.repeated == 1


def test_several_labels_in_any_order(tmp_path: Path) -> None:
    root = classified(tmp_path / "out", [("a|b", 0.9), ("a", 0.9), ("b|c", 0.9)])
    found = values(judge_labels(root, {"0": "b|a", "1": ["b", "a"], "2": "c|b"}, 0, where=GOLD))
    assert found["accuracy", None] == pytest.approx(2 / 3)
    assert (found["recall", "b"], found["precision", "b"], found["recall", "a"]) == (pytest.approx(2 / 3), 1.0, 1.0)


def test_a_label_that_is_no_text_is_refused_with_its_id(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gold.csv: the label of 1 is not a text"):
        judged(tmp_path, {"0": "cat", "1": {"total": "12"}})


def made_rows() -> tuple[list[str], list[str]]:
    generator = np.random.default_rng(11)
    names = np.array(["a", "b", "c", "d"])
    expected = generator.choice(names, 300, p=[0.5, 0.3, 0.15, 0.05])
    told = np.where(generator.random(300) < 0.7, expected, generator.choice(names, 300))
    return expected.tolist(), told.tolist()


def test_the_head_card_has_the_same_figures(tmp_path: Path) -> None:
    expected, told = made_rows()
    root = classified(tmp_path / "out", [(label, 0.5) for label in told])
    found = values(judge_labels(root, {str(at): label for at, label in enumerate(expected)}, 0, where=GOLD))
    names = sorted(set(expected))
    places = [np.array([[label == name for name in names] for label in labels]) for labels in (told, expected)]
    card = measure(names, places[0], places[1], np.full(300, 0.5))
    assert found["accuracy", None] == pytest.approx(card.accuracy)
    assert found["macro_f1", None] == pytest.approx(card.macro_f1)
    for one in card.by_label:
        assert found["precision", one.label] == pytest.approx(one.precision)
        assert found["recall", one.label] == pytest.approx(one.recall)


def test_scikit_learn_has_the_same_figures(tmp_path: Path) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    expected, told = made_rows()
    root = classified(tmp_path / "out", [(label, 0.5) for label in told])
    one = judge_labels(root, {str(at): label for at, label in enumerate(expected)}, 0, where=GOLD)
    found, names = values(one), sorted(set(expected))
    assert found["macro_f1", None] == pytest.approx(metrics.f1_score(expected, told, average="macro"))
    by_label = metrics.precision_recall_fscore_support(expected, told, labels=names)
    for place, name in enumerate(names):
        for metric, figures in zip(("precision", "recall", "f1"), by_label, strict=False):
            assert found[metric, name] == pytest.approx(figures[place])
    matrix = metrics.confusion_matrix(expected, told, labels=names)
    for cell in one.confusion:
        assert cell.rows == matrix[names.index(cell.expected), names.index(str(cell.told))]
