from math import comb

import numpy as np
import pytest

from slmbatch.certificates.noise import Noise, clopper_pearson


def at_least(hits: int, draws: int, share: float) -> float:
    """P(so many hits or more)."""
    return sum(comb(draws, one) * share**one * (1 - share) ** (draws - one) for one in range(hits, draws + 1))


@pytest.mark.parametrize(("hits", "draws"), [(48, 50), (1, 7), (30, 200)])
def test_beyond_the_interval_what_was_seen_has_a_chance_of_one_in_forty(hits: int, draws: int) -> None:
    low, high = clopper_pearson(hits, draws)
    assert at_least(hits, draws, low) == pytest.approx(0.025, abs=1e-4)
    assert 1 - at_least(hits + 1, draws, high) == pytest.approx(0.025, abs=1e-4)


def test_an_interval_reaches_its_end_where_all_or_none_are_hits() -> None:
    assert clopper_pearson(10, 10) == (pytest.approx(0.025**0.1, abs=1e-6), 1.0)
    assert clopper_pearson(0, 10) == (0.0, pytest.approx(1 - 0.025**0.1, abs=1e-6))


def test_of_nothing_no_share_is_told() -> None:
    facts = Noise(drawn=5, texts=0, same=0).facts()
    assert (facts["share"], facts["most"], facts["low"], facts["high"]) == (None, None, 0.0, 1.0)


def test_even_who_guesses_best_agrees_no_more_often_than_is_said() -> None:
    random = np.random.default_rng(1)
    for spread in (0.05, 0.3, 1.0, 5.0):
        chances = random.dirichlet(np.full(4, spread), 2_000)  # of four answers to each text
        twice = (chances**2).sum(axis=1).mean()
        best = chances.max(axis=1).mean()
        most = Noise(drawn=10**6, texts=10**6, same=round(twice * 10**6)).facts()["most"]
        assert twice < best <= most  # and more often than the top tier says the same twice
