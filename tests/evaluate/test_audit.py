"""The share of right rows among all, from a sample of them: by hand, and how often its interval holds the truth."""

from __future__ import annotations

import numpy as np
import pytest

from slmbatch.evaluate.audit import share_of_all
from slmbatch.evaluate.scores import Doubles

ROWS, JUDGED, DRAWS = 1000, 120, 2000


def test_scores_that_tell_nothing_leave_the_sample_s_own_share() -> None:
    right = np.arange(100) < 80
    value, low, high = share_of_all(right, np.full(100, 0.5), np.full(400, 0.5)) or pytest.fail("no estimate")
    error = (0.75 * 16 / 98 / 100) ** 0.5  # 300 of 400 weren't judged; 80 * 20 / 100 = 16 is the sum of squares
    assert value == pytest.approx(0.8)
    assert (high - value, value - low) == pytest.approx((1.9845 * error, 1.9845 * error), rel=1e-4)


def test_a_sample_that_is_surer_than_all_rows_is_corrected_for_that() -> None:
    sure = np.array([0.9] * 50 + [0.1] * 50)
    right = np.array([True] * 45 + [False] * 5 + [True] * 5 + [False] * 45)
    value, _, _ = share_of_all(right, sure, np.array([0.9] * 300 + [0.1] * 700)) or pytest.fail("no estimate")
    assert value == pytest.approx(0.3 * 0.9 + 0.7 * 0.1)


def drawn(useful: bool) -> tuple[float, float]:
    """How often the interval holds the truth, and how wide it is on the average."""
    random = np.random.default_rng(1)
    held, widths = [], []
    for _ in range(DRAWS):
        chances: Doubles = random.beta(3, 1, ROWS)
        right = random.random(ROWS) < chances
        sure = chances if useful else random.random(ROWS)
        places = random.choice(ROWS, JUDGED, replace=False)
        found = share_of_all(right[places], sure[places], sure)
        assert found is not None
        held.append(found[1] <= right.mean() <= found[2])
        widths.append(found[2] - found[1])
    return float(np.mean(held)), float(np.mean(widths))


def test_nineteen_intervals_of_twenty_hold_the_truth_and_scores_make_them_narrower() -> None:
    (with_scores, narrow), (without, wide) = drawn(useful=True), drawn(useful=False)
    assert 0.935 < with_scores < 0.97
    assert 0.935 < without < 0.97
    assert narrow < 0.93 * wide


@pytest.mark.parametrize(("rights", "rows"), [(97, 400), (3, 400), (50, 100)])
def test_few_mistakes_few_hits_or_nothing_left_to_estimate_give_none(rights: int, rows: int) -> None:
    assert share_of_all(np.arange(100) < rights, np.full(100, 0.5), np.full(rows, 0.5)) is None
