import json
from fractions import Fraction
from itertools import pairwise
from math import comb
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from slmbatch.certificates.counting import Target, misses, most_wrong, risk, smallest_sample, tolerated_errors
from slmbatch.certificates.settling import draw_line
from slmbatch.errors import ConfigError

RECORDED = json.loads((Path(__file__).parent / "recorded.json").read_text())


@st.composite
def counts(draw: st.DrawFn) -> dict[str, int]:
    pool = draw(st.integers(1, 400))
    sample = draw(st.integers(0, pool))
    return {
        "pool": pool,
        "allowed": draw(st.integers(0, pool - 1)),
        "sample": sample,
        "tolerated": draw(st.integers(0, sample)),
    }


def exact(pool: int, marked: int, draws: int, hits: int) -> Fraction:
    """P(at most `hits` marked rows drawn), in integers."""
    ways = sum(comb(marked, one) * comb(pool - marked, draws - one) for one in range(min(hits, draws) + 1))
    return Fraction(ways, comb(pool, draws))


@given(counts())
def test_risk_is_the_tail_in_exact_integers(one: dict[str, int]) -> None:
    marked = one["allowed"] + 1 + one["tolerated"]
    assume(marked <= one["pool"])
    wanted = float(exact(one["pool"], marked, one["sample"], one["tolerated"]))
    assert risk(**one) == pytest.approx(wanted, rel=1e-9, abs=1e-290)


def test_risk_is_right_for_a_million_rows() -> None:
    pool, allowed, sample, tolerated = 1_000_000, 50_000, 10_696, 511
    marked = allowed + 1 + tolerated
    term = total = comb(pool - marked, sample)
    for hit in range(tolerated):  # each term from the one before, without rounding
        term = term * (marked - hit) * (sample - hit) // ((hit + 1) * (pool - marked - sample + hit + 1))
        total += term
    wanted = float(Fraction(total, comb(pool, sample)))
    assert risk(pool=pool, allowed=allowed, sample=sample, tolerated=tolerated) == pytest.approx(wanted, rel=1e-7)


@given(counts())
def test_risk_grows_with_what_is_tolerated_and_falls_with_labels(one: dict[str, int]) -> None:
    assume(one["sample"] < one["pool"])
    more_labels = one | {"sample": one["sample"] + 1}
    assert risk(**more_labels) <= risk(**one) * (1 + 1e-9)
    assert risk(**(more_labels | {"tolerated": one["tolerated"] + 1})) >= risk(**more_labels) * (1 - 1e-9)


@given(counts(), st.sampled_from([0.01, 0.05, 0.1, 0.3]))
def test_smallest_samples_and_tolerated_errors_can_not_be_bettered(one: dict[str, int], delta: float) -> None:
    pool, allowed = one["pool"], one["allowed"]
    size = smallest_sample(pool=pool, allowed=allowed, tolerated=one["tolerated"], delta=delta)
    brute = [n for n in range(one["tolerated"], pool + 1) if risk(**(one | {"sample": n})) <= delta]
    assert size == (brute[0] if brute else None)
    errors = tolerated_errors(pool=pool, allowed=allowed, sample=one["sample"], delta=delta)
    brute = [c for c in range(one["sample"] + 1) if risk(**(one | {"tolerated": c})) <= delta]
    assert errors == (brute[-1] if brute else None)
    assert most_wrong(pool=pool, sample=one["sample"], tolerated=one["tolerated"], delta=delta) == next(
        a for a in range(pool + 1) if risk(**(one | {"allowed": a})) <= delta
    )


@pytest.mark.parametrize("agreement", [0.85, 0.9, 0.95, 0.98, 0.99])
def test_counts_are_those_recorded_from_another_program(agreement: float) -> None:
    cases = [case for case in RECORDED["counts"] if case[1] == agreement]
    assert len(cases) == 40
    for rows, _, delta, sample, wanted in cases:
        allowed = Target(agreement, delta).allowed(rows)
        found = tolerated_errors(pool=rows, allowed=allowed, sample=sample, delta=delta)
        assert (-1 if found is None else found) == wanted, (rows, delta, sample)


@pytest.mark.parametrize("run", RECORDED["runs"], ids=lambda run: f"{run['set']} {run['T']:g} {run['n']}")
def test_runs_are_those_recorded_from_another_program(run: dict[str, float]) -> None:
    rows = RECORDED["wrong"][run["set"]]["rows"]
    wrong = np.zeros(rows, bool)
    wrong[RECORDED["wrong"][run["set"]]["ranks"]] = True
    sample = np.sort(np.random.default_rng(run["seed"]).permutation(rows)[: run["n"]])
    allowed = Target(run["T"], run["delta"]).allowed(rows)
    tolerated = tolerated_errors(pool=rows, allowed=allowed, sample=run["n"], delta=run["delta"])
    assert tolerated is not None
    line = draw_line(sample, (~wrong[sample]).tolist(), pool=rows, tolerated=tolerated)
    assert line.rank == run["accept_ranks_below"]
    assert line.kept / rows == pytest.approx(run["avoided"], abs=1e-12)
    assert 1 - wrong[line.keeps(sample)].sum() / rows == pytest.approx(run["agreement"], abs=1e-12)


def test_what_may_differ_is_counted_in_decimals() -> None:
    assert [Target(0.9).allowed(200), Target(0.98).allowed(1_000), Target(0.85).allowed(199)] == [20, 20, 29]


@pytest.mark.parametrize("bad", [0.0, 1.0, -0.1, float("nan")])
def test_targets_outside_0_and_1_are_refused(bad: float) -> None:
    with pytest.raises(ConfigError, match="target"):
        Target(bad)
    with pytest.raises(ConfigError, match="delta"):
        Target(0.9, bad)


@settings(max_examples=30)
@given(counts())
def test_worse_misses_are_less_probable(one: dict[str, int]) -> None:
    target = Target(0.9)
    sizes = {"pool": one["pool"], "sample": one["sample"], "tolerated": one["tolerated"]}
    told = misses(target, rows=one["pool"], **sizes)
    chances = [miss.probability for miss in told]
    assert all(worse <= better + 1e-9 for better, worse in pairwise(chances))
    assert chances[0] == risk(allowed=target.allowed(one["pool"]), **sizes)
