import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmbatch.certificates.calibration import auroc, fit_logistic, isotonic

ROWS = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=40)


@given(ROWS)
def test_isotonic_is_the_max_min_formula(rows: list[tuple[int, bool]]) -> None:
    """Of all means over runs of scores, the largest to the right of the smallest to the left (Barlow et al. 1972)."""
    scores = np.array([score for score, _ in rows], float)
    wrong = np.array([bad for _, bad in rows])
    values, chances = isotonic(scores, wrong)
    assert values.tolist() == sorted(set(scores))
    for at in range(len(values)):
        wanted = max(
            min(wrong[(scores >= left) & (scores <= right)].mean() for left in values[: at + 1])
            for right in values[at:]
        )
        assert chances[at] == pytest.approx(wanted)


@given(ROWS)
def test_auroc_counts_pairs(rows: list[tuple[int, bool]]) -> None:
    good = [score for score, bad in rows if not bad]
    bad = [score for score, bad in rows if bad]
    found = auroc(np.array([score for score, _ in rows], float), np.array([one for _, one in rows]))
    if not good or not bad:
        assert found is None
        return
    pairs = [(one > other) + (one == other) / 2 for one in good for other in bad]
    assert found is not None
    assert found.value == pytest.approx(np.mean(pairs))
    assert found.least <= found.value


def test_the_bound_of_auroc_is_hanley_and_mcneils() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2])
    found = auroc(scores, np.array([False, False, False, True, False, False, True, True]))
    assert found is not None
    assert found.value == pytest.approx(13 / 15)
    # A = .86667: Q1 = A/(2-A) = .76471, Q2 = 2A^2/(1+A) = .80476; variance (.11556+4*.01359+2*.05365)/15 = .018481
    assert found.least == pytest.approx(13 / 15 - 1.645 * 0.13594, abs=2e-4)


def test_logistic_regression_finds_the_odds_that_made_the_rows() -> None:
    random = np.random.default_rng(2)
    features = random.normal(size=(20_000, 2)) * [1.0, 3.0] + [5.0, 0.0]
    odds = 1.5 * (features[:, 0] - 5) - 0.4 * features[:, 1] - 1
    wrong = random.random(20_000) < 1 / (1 + np.exp(-odds))
    told = fit_logistic(features, wrong).probability(features)
    assert np.abs(told - 1 / (1 + np.exp(-odds))).mean() < 0.01


def test_logistic_regression_stays_finite_where_rows_can_be_separated_or_are_all_alike() -> None:
    column = np.linspace(-1, 1, 50)[:, None]
    told = fit_logistic(column, column[:, 0] > 0).probability(column)
    assert told[0] < 0.1 < 0.9 < told[-1]
    alike = fit_logistic(np.ones((50, 1)), np.zeros(50, bool)).probability(np.ones((1, 1)))
    assert alike[0] == pytest.approx(1 / 52, abs=1e-6)
