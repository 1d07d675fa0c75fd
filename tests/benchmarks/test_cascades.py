from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.cascades import Known, cascade, cheapest_cascade, last_step
from slmbatch.certificates.counting import Target, risk
from slmbatch.certificates.gates import Refusal
from slmbatch.certificates.planning import Batch
from tests.certificates.worlds import frequency_of_misses, within

PRICES = (Decimal("0.0005"), Decimal("0.003"), Decimal("0.03"))
FAMILIES = [(0, 1, 2), (0, 2), (1, 2)]


def rows(number: int, seed: int, *, first: float = 0.5, second: float = 0.2) -> Known:
    """Rows with calibrated P(wrong) of two tiers, up to `first` and `second`."""
    random = np.random.default_rng(seed)
    chances = first * random.random(number) ** 2, second * random.random(number) ** 2
    return Known(chances, (random.random(number) < chances[0], random.random(number) < chances[1]))


@pytest.mark.parametrize("tiers", FAMILIES)
def test_a_family_goes_from_the_top_tier_for_all_to_the_cheapest_for_all(tiers: tuple[int, ...]) -> None:
    known = rows(600, 1)
    settled = cascade(tiers, known, PRICES).settles(*known.chances)
    assert set(settled[0].tolist()) == {2}
    assert set(settled[-1].tolist()) == {tiers[0]}
    assert set(np.unique(settled).tolist()) == set(tiers)
    assert (np.diff((settled == 2).mean(axis=1)) <= 0).all()


@pytest.mark.parametrize("tiers", FAMILIES)
def test_surer_rows_settle_with_cheaper_tiers(tiers: tuple[int, ...]) -> None:
    known = rows(600, 2)
    family = cascade(tiers, known, PRICES)
    second = np.full(50, 0.1)
    for step in range(0, 200, 20):
        told = family.at(step).settles(np.full(50, 0.3), np.linspace(0, 0.3, 50))[0]
        assert (np.diff(told) >= 0).all()
        if tiers[0] == 0:
            taken = family.at(step).takes_first(np.linspace(0, 0.02, 50))[0]
            assert (np.diff(taken.astype(int)) <= 0).all()
        assert np.array_equal(family.at(step).settles(second, second)[0], family.settles(second, second)[step])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1_000), st.sampled_from(FAMILIES))
def test_a_row_counts_from_the_first_step_at_which_it_would_go_out_wrong(seed: int, tiers: tuple[int, ...]) -> None:
    known, batch = rows(200, seed), rows(30, seed + 1)
    family = cascade(tiers, known, PRICES)
    settled = family.settles(*batch.chances)
    for row, first in enumerate(family.first_wrong(batch.chances, batch.wrong).tolist()):
        wrong = [tier < 2 and bool(batch.wrong[tier][row]) for tier in settled[:, row].tolist()]
        assert first == (wrong.index(True) if True in wrong else len(wrong))
        assert first > 0


def test_the_last_step_is_the_last_that_labels_tolerate() -> None:
    first = np.array([3, 7, 7, 9, 20])
    assert [last_step(first, steps=20, tolerated=errors) for errors in range(6)] == [2, 6, 6, 8, 19, 19]
    assert last_step(np.array([0]), steps=20, tolerated=0) == 0


@settings(max_examples=6, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.sampled_from(FAMILIES))
def test_the_joint_promise_of_both_gates_holds(seed: int, tiers: tuple[int, ...]) -> None:
    """Even for rows whose guessed chances are nonsense: here tier 2 is wrong more often than it is said to be."""
    family = cascade(tiers, rows(400, seed), PRICES)
    batch = rows(150, seed + 1)
    worse = (batch.wrong[0], batch.wrong[1] | (np.random.default_rng(seed).random(150) < 0.3))
    first = family.first_wrong(batch.chances, worse).astype(float)
    first[first == len(family.penalties)] = np.inf
    numbers = {"allowed": 15, "sample": 50, "tolerated": 2}
    chance = risk(pool=150, **numbers)
    assert chance <= 0.1
    assert frequency_of_misses(first, **numbers, seed=seed) <= chance + within(chance)


@pytest.mark.parametrize(
    ("useless", "wanted"), [(None, (0, 1, 2)), (1, (0, 2)), (0, (1, 2))], ids=["neither", "the second", "the first"]
)
def test_the_cheapest_family_leaves_a_useless_tier_out(useless: int | None, wanted: tuple[int, ...]) -> None:
    known = rows(3_000, 4)
    if useless is not None:
        chances, wrong = list(known.chances), list(known.wrong)
        chances[useless] = np.full(3_000, 0.6)
        wrong[useless] = np.random.default_rng(8).random(3_000) < 0.6
        known = Known((chances[0], chances[1]), (wrong[0], wrong[1]))
    found = cheapest_cascade(dict.fromkeys(FAMILIES, known), Batch(3_000, 3_000), Target(0.95), PRICES)
    assert not isinstance(found, Refusal)
    family, made = found
    assert family.tiers == wanted
    assert [tier.expected > 0 for tier in made.asked] == [tier in wanted for tier in range(3)]
    assert made.usd is not None
    assert made.usd < Decimal(3_000) * PRICES[2]


def test_a_hopeless_batch_is_refused() -> None:
    known = rows(100, 5)
    found = cheapest_cascade(dict.fromkeys(FAMILIES, known), Batch(60, 60), Target(0.99), PRICES)
    assert isinstance(found, Refusal)
