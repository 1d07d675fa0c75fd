"""The count rule: which promise so many labels and so many labelled errors allow. Exact; knows no scores and no rows.

Of `pool` rows, ranked surest first, `sample` are labelled at random. Every row ranked above the (tolerated + 1)-th
labelled error keeps its cheap answer. If more than `allowed` unlabelled rows above that line were wrong, then of the
first allowed + 1 + tolerated errors in rank order - a set that is fixed before the draw - at most `tolerated` would
have been drawn. How probable that is, is a hypergeometric tail: `risk`. No bound on a bound, no grid, any score.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from scipy.special import gammaln

from slmbatch.errors import ConfigError

SHORTFALLS = (0.0, 0.005, 0.01, 0.02)  # of agreement, for which a plan says how probable they are


@dataclass(frozen=True, slots=True)
class Target:
    """What is promised: agreement with the top tier over the batch, a share; `delta` bounds the chance of missing it.

    Raises ConfigError unless both lie strictly between 0 and 1.
    """

    agreement: float = 0.95
    delta: float = 0.1

    def __post_init__(self) -> None:
        for name, value in (("target", self.agreement), ("delta", self.delta)):
            if not 0 < value < 1:
                raise ConfigError(f"{name} {value:g} isn't between 0 and 1.", "Give a share, such as 0.95 and 0.1.")

    def allowed(self, rows: int) -> int:
        """Return how many of `rows` may differ: (1 - agreement) rows, rounded down, in the decimal that was given."""
        return int((1 - Decimal(str(self.agreement))) * rows)


def risk(*, pool: int, allowed: int, sample: int, tolerated: int) -> float:
    """Return the probability that more than `allowed` unlabelled rows are wrong above the line, in the worst batch.

    Worst is any batch with at least allowed + 1 + tolerated errors, wherever they are; for it this is the probability
    itself. Takes 0 <= tolerated <= sample <= pool.
    """
    marked = allowed + 1 + tolerated
    if marked > pool:  # then sample >= tolerated > pool - allowed - 1: no more than `allowed` rows are unlabelled
        return 0.0
    return hypergeometric_cdf(tolerated, pool=pool, marked=marked, draws=sample)


def hypergeometric_cdf(hits: int, *, pool: int, marked: int, draws: int) -> float:
    """Return P(at most `hits` marked rows among `draws` of `pool`), summed in log space.

    Right to 1e-7 of itself for a pool of a million, to 1e-10 for one of a thousand.
    """
    least, most = max(0, draws - (pool - marked)), min(draws, marked)
    if hits >= most:
        return 1.0
    if hits < least:
        return 0.0
    drawn = np.arange(least, hits + 1, dtype=np.float64)
    logs = _log_choose(marked, drawn) + _log_choose(pool - marked, draws - drawn)
    logs -= _log_choose(pool, np.float64(draws))
    top = float(logs.max())
    return min(1.0, float(np.exp(top) * np.exp(logs - top).sum()))


def tolerated_errors(*, pool: int, allowed: int, sample: int, delta: float) -> int | None:
    """Return how many labelled errors leave the promise true; None where not even none of them does."""
    return last_true(0, sample, lambda c: risk(pool=pool, allowed=allowed, sample=sample, tolerated=c) <= delta)


def smallest_sample(*, pool: int, allowed: int, tolerated: int, delta: float, above: int = 0) -> int | None:
    """Return the fewest labels with which `tolerated` errors among them leave the promise true.

    `above` is known to be too few. None where not even labelling all rows is enough (fewer rows than `tolerated`).
    """
    too_few = max(above, tolerated - 1)
    if too_few >= pool:
        return None
    step = max(1, too_few // 64)
    while True:  # each further error takes a few more labels, so the answer is near
        enough = min(too_few + step, pool)
        if risk(pool=pool, allowed=allowed, sample=enough, tolerated=tolerated) <= delta:
            break
        if enough == pool:
            return None
        too_few, step = enough, step * 2
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if risk(pool=pool, allowed=allowed, sample=middle, tolerated=tolerated) <= delta:
            enough = middle
        else:
            too_few = middle
    return enough


def most_wrong(*, pool: int, sample: int, tolerated: int, delta: float) -> int:
    """Return the fewest rows of which the rule says: no more are wrong above the line, except with probability delta.

    At most the `allowed` that the sample was planned for, since a plan rounds. It holds with the promise, not besides.
    """
    doubted = last_true(
        0, pool, lambda wrong: risk(pool=pool, allowed=wrong, sample=sample, tolerated=tolerated) > delta
    )
    return 0 if doubted is None else doubted + 1


@dataclass(frozen=True, slots=True)
class Miss:
    """The probability, at most, that agreement falls short of the target by more than `shortfall`."""

    shortfall: float
    probability: float


def misses(target: Target, *, rows: int, pool: int, sample: int, tolerated: int) -> tuple[Miss, ...]:
    """Return how bad a missed promise can be: it says more than delta does. `rows` may be more than the pool."""
    told = []
    for shortfall in SHORTFALLS:
        agreement = Decimal(str(target.agreement)) - Decimal(str(shortfall))
        allowed = int((1 - agreement) * rows)
        told.append(Miss(shortfall, risk(pool=pool, allowed=allowed, sample=sample, tolerated=tolerated)))
    return tuple(told)


def last_true(low: int, high: int, holds: Callable[[int], bool]) -> int | None:
    """Return the largest number in [low, high] that holds, if all below it do too; None where `low` doesn't."""
    if low > high or not holds(low):
        return None
    while low < high:
        middle = (low + high + 1) // 2
        if holds(middle):
            low = middle
        else:
            high = middle - 1
    return low


def _log_choose(rows: int, chosen: np.ndarray | np.float64) -> np.ndarray:
    logs: np.ndarray = gammaln(rows + 1.0) - gammaln(chosen + 1.0) - gammaln(rows - chosen + 1.0)
    return logs
