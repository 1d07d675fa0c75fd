"""Curves from scores to probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmbatch.certificates.curves import Curve, cross_fitted, fit_curve

ANSWERS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


@given(ANSWERS, st.booleans(), st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_a_higher_score_is_never_less_probable_and_nothing_is_certain(
    answers: list[tuple[float, bool]], many: bool, asked: list[float]
) -> None:
    scores, right = np.array([one[0] for one in answers]), np.array([one[1] for one in answers])
    curve = fit_curve(scores, right, many=many)
    told = curve.probabilities(np.sort(asked))
    assert (np.diff(told) >= -1e-12).all()
    edge = 1 / (len(answers) + 2)
    assert ((told >= edge - 1e-12) & (told <= 1 - edge + 1e-12)).all()


@pytest.mark.parametrize("many", [True, False])
def test_a_curve_finds_the_probabilities_that_made_the_answers(many: bool) -> None:
    random = np.random.default_rng(3)
    scores = random.uniform(0.02, 0.98, 20_000)
    chance = 1 / (1 + np.exp(-(0.7 * np.log(scores / (1 - scores)) - 1)))
    told = fit_curve(scores, random.random(20_000) < chance, many=many).probabilities(scores)
    assert np.abs(told - chance).mean() < 0.015


def test_logistic_probabilities_can_be_far_from_the_scores() -> None:
    random = np.random.default_rng(4)
    scores = np.round(random.uniform(0.8, 0.999, 100), 3)  # all of them sure, and half of them wrong
    told = fit_curve(scores, scores > np.median(scores), many=False).probabilities(scores)
    assert told[scores < 0.85].max() < 0.1
    assert told[scores > 0.95].min() > 0.9
    assert told.max() <= 1 - 1 / 102


def test_a_score_that_is_higher_for_wrong_answers_gets_one_probability() -> None:
    scores = np.array([0.1, 0.2, 0.3, 0.7, 0.8, 0.9])
    right = scores < 0.5
    curve = fit_curve(scores, right, many=False)
    assert curve == Curve("constant", ((0.5, 0.5),))
    assert curve.probabilities(np.array([0.0, 0.9])).tolist() == [0.5, 0.5]


def test_isotonic_knots_are_the_shares_of_its_blocks() -> None:
    scores, right = np.array([0.2, 0.4, 0.4, 0.6, 0.9]), np.array([False, True, False, False, True])
    curve = fit_curve(scores, right, many=True)
    assert [told for _, told in curve.knots] == pytest.approx([1 / 7, 1 / 3, 6 / 7])
    assert curve.probabilities(np.array([0.0, 0.2, 0.9, 1.0, np.nan])) == pytest.approx(
        [1 / 7, 1 / 7, 6 / 7, 6 / 7, np.nan], nan_ok=True
    )


def test_no_answer_nor_another_of_its_document_helps_to_judge_it() -> None:
    random = np.random.default_rng(1)
    scores, groups = random.random(300), np.repeat(np.arange(100), 3)
    right, judged = random.random(300) < scores, np.ones(300, bool)
    told = cross_fitted(scores, right, judged=judged, groups=groups, seed=0)
    for group in range(10):
        own = groups == group
        other = cross_fitted(scores, right ^ own, judged=judged, groups=groups, seed=0)
        assert (told[own] == other[own]).all()
        assert (told != other).any()
