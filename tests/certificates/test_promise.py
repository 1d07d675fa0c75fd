"""The promise itself: over 20,000 draws of labels it breaks no more often than it says, wherever the errors lie."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from slmbatch.certificates.calibration import Doubles
from slmbatch.certificates.counting import Target, risk, tolerated_errors
from slmbatch.certificates.gates import Reason, Refusal
from slmbatch.certificates.planning import Batch
from slmbatch.certificates.ranking import freeze
from slmbatch.certificates.reuse import reuse
from tests.certificates.worlds import DRAWS, frequency_of_misses, within

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[np.ndarray, dict[str, int], float]:
    """Which ranks are wrong, the plan's numbers, and delta. Errors lie anyhow, or where they do most harm."""
    rows, delta = draw(st.integers(30, 160)), draw(st.sampled_from([0.05, 0.1, 0.2]))
    allowed = Target(draw(st.sampled_from([0.8, 0.9, 0.95])), delta).allowed(rows)
    sample = draw(st.integers(rows // 6, rows - 1))
    tolerated = tolerated_errors(pool=rows, allowed=allowed, sample=sample, delta=delta)
    assume(tolerated is not None)
    assert tolerated is not None
    worst = min(allowed + 1 + tolerated, rows)
    random = np.random.default_rng(draw(SEEDS))
    place = np.arange(rows)
    wrong = {
        "anyhow": random.random(rows) < draw(st.floats(0, 1)),
        "growing": random.random(rows) < place / rows,
        "just enough, at the top": place < worst,
        "just enough, at the bottom": place >= rows - worst,
        "all": np.ones(rows, bool),
        "one too many in one block": (place >= rows // 3) & (place < rows // 3 + worst),
    }[draw(st.sampled_from(["anyhow", "growing", "just enough, at the top", "just enough, at the bottom", "all",
                            "one too many in one block"]))]  # fmt: skip
    return wrong, {"allowed": allowed, "sample": sample, "tolerated": tolerated}, delta


@settings(max_examples=25, deadline=None, derandomize=True)
@given(worlds(), SEEDS)
def test_promises_break_no_more_often_than_they_say(world: tuple[np.ndarray, dict[str, int], float], seed: int) -> None:
    wrong, numbers, delta = world
    chance = risk(pool=len(wrong), **numbers)
    assert chance <= delta
    ranks = np.where(wrong, np.arange(len(wrong)), np.inf)
    assert frequency_of_misses(ranks, **numbers, seed=seed) <= chance + within(chance)


@pytest.mark.parametrize("first", [0, 40, 105])
def test_with_errors_enough_the_risk_is_met_exactly(first: int) -> None:
    rows, sample = 120, 40
    tolerated = tolerated_errors(pool=rows, allowed=12, sample=sample, delta=0.1)
    assert tolerated == 2
    numbers = {"allowed": 12, "sample": sample, "tolerated": tolerated}
    chance = risk(pool=rows, **numbers)
    ranks = np.full(rows, np.inf)
    ranks[first : first + 12 + 1 + tolerated] = np.arange(first, first + 12 + 1 + tolerated)
    assert frequency_of_misses(ranks, **numbers, seed=3) == pytest.approx(chance, abs=within(chance))


def test_one_more_tolerated_error_would_break_the_promise() -> None:
    numbers = {"allowed": 12, "sample": 40, "tolerated": 3}
    ranks = np.where(np.arange(120) < 16, np.arange(120), np.inf)
    assert frequency_of_misses(ranks, **numbers, seed=4) > 0.1 + within(0.1)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(SEEDS, st.integers(2, 6))
def test_promises_hold_where_many_rows_turn_wrong_at_one_step(seed: int, steps: int) -> None:
    """As in a family of cascades: a line before step s keeps every row that turned wrong before it."""
    rows, allowed, sample = 150, 15, 45
    tolerated = tolerated_errors(pool=rows, allowed=allowed, sample=sample, delta=0.1)
    assert tolerated is not None
    random = np.random.default_rng(seed)
    first = random.integers(1, steps + 1, rows).astype(float)
    first[random.random(rows) < 0.6] = np.inf
    numbers = {"allowed": allowed, "sample": sample, "tolerated": tolerated}
    chance = risk(pool=rows, **numbers)
    assert frequency_of_misses(first, **numbers, seed=seed) <= chance + within(chance)


@pytest.mark.parametrize("worst_rows_first", [False, True])
def test_reused_labels_keep_the_promise_when_rows_are_alike(*, worst_rows_first: bool) -> None:
    """A batch is split at random in labelled rows and new ones: the threshold of the first holds for the second."""
    random = np.random.default_rng(11)
    rows, labelled, target = 260, 120, Target(0.85, 0.1)
    scores: Doubles = np.round(random.random(rows), 2)  # with ties
    wrong = (scores > 0.75) if worst_rows_first else random.random(rows) < 0.6 * (1 - scores)
    broken = 0
    draws = DRAWS // 20
    for _ in range(draws):
        mixed = random.permutation(rows)
        old, new = mixed[:labelled], mixed[labelled:]
        both = np.concatenate([old, new])
        ranking = freeze([str(one) for one in both], scores[both], seed=0)
        found = reuse(ranking, scores[both], (~wrong[old]).tolist(), Batch(len(new), len(new)), target)
        if isinstance(found, Refusal):  # the alarm, now and then
            assert found.reason is Reason.SCORES_DRIFTED
            continue
        kept = ranking.order[: found.line.rank]
        broken += int(wrong[both][kept[kept >= labelled]].sum() > found.plan.allowed)
        chance = found.plan.risk
    assert broken / draws <= chance + 5 * np.sqrt(chance * (1 - chance) / draws)
