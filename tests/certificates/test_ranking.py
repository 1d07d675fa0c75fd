import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmbatch.certificates.ranking import freeze
from slmbatch.errors import InputError

IDS = [f"row {number}" for number in range(60)]
SCORES = [number % 7 / 7 for number in range(60)]


@given(st.permutations(range(60)), st.integers(0, 5))
def test_ranking_and_sample_are_the_same_in_any_input_order(places: list[int], seed: int) -> None:
    plain = freeze(IDS, SCORES, seed=seed)
    moved = freeze([IDS[place] for place in places], [SCORES[place] for place in places], seed=seed)
    assert [places[place] for place in moved.order] == plain.order.tolist()
    assert moved.sample(20).tolist() == plain.sample(20).tolist()
    assert moved.digest == plain.digest


def test_rows_are_ranked_by_score_and_those_without_one_come_last() -> None:
    ranking = freeze(["a", "b", "c", "d"], [0.1, float("nan"), 0.9, -1.0], seed=1)
    assert ranking.order.tolist() == [2, 0, 3, 1]


def test_ties_are_broken_by_the_seed_and_not_by_the_input() -> None:
    orders = {tuple(freeze(IDS[:5], [0.5, 0.5, 0.5, 0.0, -0.0], seed=seed).order.tolist()) for seed in range(300)}
    assert len({order[:3] for order in orders}) == 6
    assert len({order[3:] for order in orders}) == 2


def test_smaller_samples_are_part_of_larger_ones() -> None:
    ranking = freeze(IDS, SCORES, seed=9)
    assert set(ranking.sample(10).tolist()) < set(ranking.sample(11).tolist())
    assert ranking.sample(60).tolist() == list(range(60))
    with pytest.raises(ValueError, match="61 out of 60"):
        ranking.sample(61)


def test_every_row_is_drawn_as_often_as_any_other() -> None:
    draws = 3_000
    drawn = np.zeros(60)
    for seed in range(draws):
        ranking = freeze(IDS, SCORES, seed=seed)
        drawn[ranking.order[ranking.sample(15)]] += 1
    share = 15 / 60
    assert np.abs(drawn / draws - share).max() < 4.5 * np.sqrt(share * (1 - share) / draws)


def test_the_sample_knows_nothing_of_the_rank() -> None:
    means = [freeze(IDS, SCORES, seed=seed).sample(15).mean() for seed in range(3_000)]
    spread = np.sqrt((60**2 - 1) / 12 / 15 * 45 / 59 / 3_000)
    assert abs(np.mean(means) - 29.5) < 4.5 * spread


def test_the_digest_changes_with_anything_that_was_frozen() -> None:
    texts = ["x"] * 60
    ranking = freeze(IDS, SCORES, seed=1, answers=texts)
    changed = [
        freeze([*IDS[:-1], "row 59b"], SCORES, seed=1, answers=texts),
        freeze(IDS, [*SCORES[:-1], SCORES[-1] + 1e-12], seed=1, answers=texts),
        freeze(IDS, SCORES, seed=1, answers=[*texts[:-1], "y"]),
        freeze(IDS, SCORES, seed=1),
    ]
    assert len({one.digest for one in [ranking, *changed]}) == 5


def test_rows_that_can_not_be_told_apart_are_refused() -> None:
    with pytest.raises(InputError, match="a: two rows"):
        freeze(["a", "b", "a"], [1.0, 1.0, 1.0], seed=0)


def test_an_empty_batch_has_an_empty_ranking() -> None:
    assert freeze([], [], seed=0).sample(0).tolist() == []
