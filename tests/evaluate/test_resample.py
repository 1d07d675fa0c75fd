"""Intervals and tests, against values worked out otherwise."""

from __future__ import annotations

from math import comb, sqrt

import numpy as np
import pytest

from slmbatch.evaluate.resample import difference, edges, holm, intervals, mcnemar, swapped
from slmbatch.evaluate.scores import Doubles
from slmbatch.evaluate.shares import Columns, Shares


def share(right: Doubles, asked: Doubles) -> Shares:
    columns = Columns(len(right))
    columns.add(("share", None), right, asked)
    return columns.shares()


def test_the_interval_of_a_share_is_as_wide_as_theory_has_it() -> None:
    right = np.arange(400) % 2.0
    low, high = intervals(share(right, np.ones(400)).values, 400)[:, 0]
    half = 1.96 * sqrt(0.5 * 0.5 / 400)
    assert (low, high) == pytest.approx((0.5 - half, 0.5 + half), abs=0.01)


def test_fields_that_are_wrong_together_have_a_wider_interval() -> None:
    together = share(np.arange(40) % 2 * 10.0, np.full(40, 10.0))  # of each document all ten fields, or none
    apart = share(np.full(40, 5.0), np.full(40, 10.0))
    wide, narrow = (np.ptp(intervals(one.values, 40)) for one in (together, apart))
    assert narrow == 0
    assert wide == pytest.approx(2 * 1.96 * sqrt(0.25 / 40), abs=0.04)


def test_the_same_draws_are_made_every_time() -> None:
    one = share(np.arange(30) % 3.0, np.full(30, 2.0))
    assert (intervals(one.values, 30) == intervals(one.values, 30)).all()


def test_what_cannot_be_measured_has_no_interval() -> None:
    assert np.isnan(intervals(share(np.zeros(5), np.zeros(5)).values, 5)).all()


def test_no_mistake_in_few_documents_proves_little() -> None:
    bounds = edges(np.array([1.0, 0.0, 0.5]), np.array([[1.0, 0.0, 0.4], [1.0, 0.0, 0.6]]), [10, 10, 10])
    # of 10 coins that show heads with this probability all do, one time in forty
    assert bounds[0, 0] ** 10 == pytest.approx(0.025)
    assert (1 - bounds[1, 1]) ** 10 == pytest.approx(0.025)
    assert bounds[:, 2].tolist() == [0.4, 0.6]


@pytest.mark.parametrize(("gained", "lost"), [(2, 10), (10, 2), (0, 6), (3, 3), (0, 0)])
def test_mcnemar_counts_coins(gained: int, lost: int) -> None:
    new = np.array([True] * gained + [False] * lost + [True] * 5)
    old = np.array([False] * gained + [True] * lost + [True] * 5)
    tosses, least = gained + lost, min(gained, lost)
    expected = min(1.0, 2 * sum(comb(tosses, heads) for heads in range(least + 1)) / 2**tosses)
    assert mcnemar(new, old) == pytest.approx(expected)


def test_swapping_documents_comes_to_mcnemar_for_shares_of_documents() -> None:
    new, old = np.array([True] * 40 + [False] * 12 + [True] * 3), np.array([True] * 52 + [False] * 3)
    both = share(new.astype(float), np.ones(55)).beside(share(old.astype(float), np.ones(55)))
    assert swapped(both.values, 55)[0] == pytest.approx(mcnemar(new, old), abs=0.01)
    low, high = difference(both.values, 55)[:, 0]
    assert low < (3 - 12) / 55 < high < 0


def test_swapping_keeps_fields_of_a_document_together() -> None:
    # 30 fields lost in one document of ten: no more than a coin tossed once
    new, old = np.zeros(10), np.concatenate([[30.0], np.zeros(9)])
    both = share(new, np.full(10, 30.0)).beside(share(old, np.full(10, 30.0)))
    assert swapped(both.values, 10)[0] == 1.0
    # one field lost in each of ten documents: the coin falls the same way ten times
    spread = share(np.zeros(10), np.full(10, 30.0)).beside(share(np.ones(10), np.full(10, 30.0)))
    assert swapped(spread.values, 10)[0] == pytest.approx(2 / 2**10, abs=0.002)


def test_several_tests_are_corrected_for() -> None:
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([0.9, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
