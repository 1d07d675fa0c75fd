"""Measures of scores, against their definitions spelled out answer by answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmbatch.evaluate.scores import BINS, WANTED, scored

ANSWERS = st.lists(st.tuples(st.integers(0, 8).map(lambda one: one / 8), st.booleans()), min_size=1, max_size=30)
Answers = list[tuple[float, bool]]


def measured(answers: Answers, weights: list[int] | None = None) -> dict[tuple[str, str | None], float]:
    score, right = np.array([one for one, _ in answers], float), np.array([one for _, one in answers], bool)
    one = scored("", np.arange(len(answers)), score, right)
    values = one.values(np.array([weights or [1] * len(answers)], dtype=np.float64))[0]
    return dict(zip(one.names, values.tolist(), strict=True))


def by_hand(answers: Answers) -> tuple[float, float, float]:
    """AUROC by comparing every right answer with every wrong one, AURC over many random orders of ties, as means."""
    rights, wrongs = ([score for score, ok in answers if ok is wanted] for wanted in (True, False))
    pairs = [(one > other) + (one == other) / 2 for one in rights for other in wrongs]
    among = {score: np.mean([ok for other, ok in answers if other == score]) for score, _ in answers}
    surest = [1 - among[score] for score in sorted((score for score, _ in answers), reverse=True)]
    aurc = float(np.mean([np.mean(surest[: k + 1]) for k in range(len(surest))]))
    coverage = [0.0]
    for score in among:
        taken = [ok for other, ok in answers if other >= score]
        if np.mean(taken) >= WANTED[0]:
            coverage.append(len(taken) / len(answers))
    return float(np.mean(pairs)) if pairs else np.nan, aurc, max(coverage)


@given(ANSWERS)
def test_measures_are_what_their_definitions_say(answers: Answers) -> None:
    found = measured(answers)
    auroc, aurc, coverage = by_hand(answers)
    assert found["auroc", None] == pytest.approx(auroc, nan_ok=True)
    assert found["aurc", None] == pytest.approx(aurc)
    assert found["coverage_at", "0.9"] == pytest.approx(coverage)


@given(ANSWERS, st.data())
def test_a_document_drawn_twice_counts_as_two(answers: Answers, data: st.DataObject) -> None:
    weights = [data.draw(st.integers(0, 3)) for _ in answers]
    weights[0] += 1
    repeated = [one for one, times in zip(answers, weights, strict=True) for _ in range(times)]
    assert measured(answers, weights) == pytest.approx(measured(repeated), nan_ok=True, abs=1e-9)


def test_a_known_case_of_each() -> None:
    found = measured([(0.9, True), (0.8, True), (0.7, False), (0.6, True), (0.5, False)])
    assert found["auroc", None] == pytest.approx(5 / 6)
    assert found["aurc", None] == pytest.approx((0 + 0 + 1 / 3 + 1 / 4 + 2 / 5) / 5)
    assert [found["coverage_at", f"{at:g}"] for at in WANTED] == [0.4, 0.4, 0.4]


def test_calibration_error_is_the_mean_gap_of_equally_full_bins() -> None:
    generator = np.random.default_rng(7)
    score = generator.permutation(np.linspace(0.01, 0.99, 20 * BINS))
    right = generator.random(len(score)) < score**2
    order = np.argsort(score)
    gaps = [abs(score[some].mean() - right[some].mean()) for some in np.split(order, BINS)]
    assert measured(list(zip(score.tolist(), right.tolist(), strict=True)))["ece", None] == pytest.approx(np.mean(gaps))
    assert measured([(0.75, True), (0.75, True), (0.75, True), (0.75, False)])["ece", None] == pytest.approx(0)
    assert measured([(0.9, False)] * 3)["ece", None] == pytest.approx(0.9)


def test_an_answer_without_a_score_is_asked_for_and_never_taken() -> None:
    one = scored("", np.arange(4), np.array([0.9, np.nan, 0.8, np.nan]), np.array([True, True, True, False]))
    values = dict(zip(one.names, one.values(np.ones((1, 4)))[0].tolist(), strict=True))
    assert values["coverage_at", "0.9"] == 0.5
    assert one.documents() == 2
    assert one.curve() == [(0.25, 0.0), (0.5, 0.0)]
    none = scored("", np.arange(2), np.array([np.nan, np.nan]), np.array([True, False]))
    assert np.isnan(none.values(np.ones((1, 2)))).all()


def test_pooling_neighbouring_levels_changes_little() -> None:
    generator = np.random.default_rng(3)
    score = generator.random(20_000)
    right = generator.random(20_000) < score
    one = scored("", np.arange(20_000), score, right)
    pooled = one.pooled()
    assert len(pooled.score) == 1000
    ones = np.ones((1, 20_000))
    assert pooled.values(ones) == pytest.approx(one.values(ones), abs=2e-3)
    assert pooled.answers.sum() == 20_000


def test_scikit_learn_finds_the_same_auroc() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(5)
    score = generator.integers(0, 20, 500) / 20
    right = generator.random(500) < score
    found = measured(list(zip(score.tolist(), right.tolist(), strict=True)))
    assert found["auroc", None] == pytest.approx(metrics.roc_auc_score(right, score))
