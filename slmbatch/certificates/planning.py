"""How many labels to buy, and what the run will cost, said before any money is spent - or why it isn't worth it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from scipy.special import pdtr

from slmbatch.certificates.calibration import Doubles
from slmbatch.certificates.counting import Miss, Target, misses, most_wrong, risk, smallest_sample, tolerated_errors
from slmbatch.certificates.gates import LEAST_SAVING, MIN_ACCEPTED_AGREEMENT, Reason, Refusal, fewest_kept
from slmbatch.certificates.ways import Way

MOST_LABELLED = 0.6  # of the pool: beyond it, labels cost more than the rest can save
PATIENCE = 20  # tolerated errors without a cheaper plan before the search ends; the cost has one valley
LOW, HIGH = 0.1, 0.9  # what a forecast's interval leaves out on each side


@dataclass(frozen=True, slots=True)
class Batch:
    """`rows` are promised about, `pool` of them may keep a cheap answer; the others go to the top tier anyway."""

    rows: int
    pool: int

    def __post_init__(self) -> None:
        if not 0 <= self.pool <= self.rows:
            raise ValueError(f"a pool of {self.pool} out of {self.rows} rows")


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is expected, and the interval in which it lies in 8 of 10 batches like the guessed one."""

    expected: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Plan:
    """`sample` rows to label, `tolerated` errors among them. Fixed before any label of the batch is seen.

    `asked` tells the rows that each tier answers, labels included; `usd` what they cost at the expected numbers,
    `usd_high` at the upper ends, `alone_usd` the top tier alone; None without prices.
    `saving` is the expected share of the latter (without prices: of the top tier's answers).
    """

    target: Target
    rows: int
    pool: int
    allowed: int
    sample: int
    tolerated: int
    risk: float
    asked: tuple[Forecast, ...]
    saving: float
    usd: Decimal | None
    usd_high: Decimal | None
    alone_usd: Decimal | None
    misses: tuple[Miss, ...]


def plan(
    way: Way,
    batch: Batch,
    target: Target,
    *,
    prices: Sequence[Decimal] | None = None,
    min_accepted_agreement: float | None = MIN_ACCEPTED_AGREEMENT,
) -> Plan | Refusal:
    """Return the cheapest certificate: for every tolerated number of errors the fewest labels, and of these the best.

    `prices` are USD per row of each tier, the top tier last; without them only its answers count. What
    `gates.refusal` will do with `min_accepted_agreement` is counted in: a line that it refuses saves nothing.
    """
    if not batch.pool:
        return Refusal(
            Reason.NOTHING_KEPT, f"none of {batch.rows:,} rows has an answer that may be kept.", {"pool": 0.0}
        )
    costs = _costs(prices, tiers=way.asked.shape[1])
    allowed = min(target.allowed(batch.rows), batch.pool - 1)
    found = _cheapest(way, batch, allowed, target.delta, costs, min_accepted_agreement)
    if found is None:
        return _too_few_rows(batch, allowed, target)
    cost, sample, tolerated, kept = found
    saving = 1 - cost / (batch.rows * float(costs[-1]))
    if saving < LEAST_SAVING:
        if min_accepted_agreement is not None:
            ungated = plan(way, batch, target, prices=prices, min_accepted_agreement=None)
            return _kept_rows_wrong(ungated, min_accepted_agreement) if isinstance(ungated, Plan) else ungated
        return _saves_too_little(batch, sample, saving)
    return _made(way, batch, target, (sample, tolerated, kept, saving), prices)


def widen(made: Plan, way: Way, sample: int, *, prices: Sequence[Decimal] | None = None) -> Plan:
    """Return a plan with a larger sample, which is bought for another's sake: it tolerates as many errors as it may."""
    pool, delta, least = made.pool, made.target.delta, MIN_ACCEPTED_AGREEMENT
    found = tolerated_errors(pool=pool, allowed=made.allowed, sample=sample, delta=delta)
    tolerated = made.tolerated if found is None else found
    kept = fewest_kept(pool=pool, sample=sample, tolerated=tolerated, delta=delta, min_accepted_agreement=least)
    return _made(way, Batch(made.rows, made.pool), made.target, (sample, tolerated, kept, made.saving), prices)


def _made(
    way: Way, batch: Batch, target: Target, found: tuple[int, int, int, float], prices: Sequence[Decimal] | None
) -> Plan:
    """Tell what follows from the sample, the tolerated errors and the fewest kept rows; the saving is as it is."""
    sample, tolerated, kept, saving = found
    allowed = min(target.allowed(batch.rows), batch.pool - 1)
    forecasts = _forecasts(way, batch, sample, tolerated, kept)
    return Plan(
        target=target,
        rows=batch.rows,
        pool=batch.pool,
        allowed=allowed,
        sample=sample,
        tolerated=tolerated,
        risk=risk(pool=batch.pool, allowed=allowed, sample=sample, tolerated=tolerated),
        asked=forecasts,
        saving=saving,
        usd=_bill([one.expected for one in forecasts], prices) if prices else None,
        usd_high=_bill([one.high for one in forecasts], prices) if prices else None,
        alone_usd=batch.rows * prices[-1] if prices else None,
        misses=misses(target, rows=batch.rows, pool=batch.pool, sample=sample, tolerated=tolerated),
    )


def _costs(prices: Sequence[Decimal] | None, *, tiers: int) -> Doubles:
    """Return what to weigh tiers with: their prices, or with the top tier's answers alone where these cost nothing."""
    if prices and prices[-1]:
        return np.array([float(one) for one in prices])
    return np.array([0.0] * (tiers - 1) + [1.0])


def expected_cost(way: Way, batch: Batch, costs: Doubles, *, sample: int, tolerated: int, kept: int = 0) -> float:
    """Return what all rows are expected to cost: labels, what is kept, and what goes up. The mean over the guesses.

    With fewer than `kept` rows to keep, all go up.
    """
    reached = _reached(way, batch, sample, tolerated, kept).mean(axis=0)
    per_row = way.asked @ costs
    each = per_row[0] + float(reached[1:] @ np.diff(per_row))
    labelled = float(way.labelled @ costs)
    return float((batch.pool - sample) * each + (sample + batch.rows - batch.pool) * labelled)


def _cheapest(
    way: Way, batch: Batch, allowed: int, delta: float, costs: Doubles, least: float | None
) -> tuple[float, int, int, int] | None:
    """Return cost, sample, tolerated errors and fewest kept rows of the best plan; None where every sample is large."""
    best: tuple[float, int, int, int] | None = None
    sample = 0
    for tolerated in range(batch.pool):
        found = smallest_sample(
            pool=batch.pool, allowed=allowed, tolerated=tolerated, delta=delta, above=max(0, sample - 1)
        )
        if found is None or found > MOST_LABELLED * batch.pool:
            break
        sample = found
        kept = fewest_kept(
            pool=batch.pool, sample=sample, tolerated=tolerated, delta=delta, min_accepted_agreement=least
        )
        cost = expected_cost(way, batch, costs, sample=sample, tolerated=tolerated, kept=kept)
        if best is None or cost < best[0]:
            best = (cost, sample, tolerated, kept)
        elif tolerated > best[2] + max(PATIENCE, best[2] // 2):
            break
    return best


def _reached(way: Way, batch: Batch, sample: int, tolerated: int, kept: int) -> Doubles:
    """Return P(the line lies at a step or below it), (guesses, steps): no more labelled errors than tolerated above.

    A line that keeps fewer than `kept` rows is refused, and lies at step 0.
    """
    chances: Doubles = pdtr(tolerated, sample * way.wrong)
    keeps = (1 - way.asked[:, -1]) * (batch.pool - sample)
    first = int(np.searchsorted(keeps, kept))
    chances[:, 1:first] = chances[:, [first]] if first < len(keeps) else 0.0
    return chances


def _forecasts(way: Way, batch: Batch, sample: int, tolerated: int, kept: int) -> tuple[Forecast, ...]:
    reached = _reached(way, batch, sample, tolerated, kept).mean(axis=0)
    expected = way.asked[0] + reached[1:] @ np.diff(way.asked, axis=0)
    ends = [way.asked[np.flatnonzero(reached >= share)[-1]] for share in (LOW, HIGH)]
    labelled = (sample + batch.rows - batch.pool) * way.labelled
    told = []
    for tier, always in enumerate(labelled):
        numbers = [round((batch.pool - sample) * float(one[tier]) + always) for one in (expected, *ends)]
        told.append(Forecast(numbers[0], min(numbers), max(numbers)))
    return tuple(told)


def _bill(asked: Sequence[int], prices: Sequence[Decimal]) -> Decimal:
    return sum((count * price for count, price in zip(asked, prices, strict=True)), Decimal(0))


def _too_few_rows(batch: Batch, allowed: int, target: Target) -> Refusal:
    needed = smallest_sample(pool=batch.pool, allowed=allowed, tolerated=0, delta=target.delta) or batch.pool
    enough = _enough_rows(target)
    return Refusal(
        Reason.TOO_FEW_ROWS,
        f"agreement of {target.agreement:g} with delta {target.delta:g} needs at least {needed:,} labels of "
        f"{batch.pool:,} rows, more than {MOST_LABELLED:.0%} of them: ask for less, or of {enough:,} rows or more.",
        {"labels": float(needed), "rows": float(batch.rows), "pool": float(batch.pool), "enough": float(enough)},
    )


def _enough_rows(target: Target) -> int:
    """Return about how many rows a batch needs for a sample that is a part of it, if all may keep their answers."""
    rows = 2
    while True:
        sample = smallest_sample(pool=rows, allowed=target.allowed(rows), tolerated=0, delta=target.delta)
        if sample is not None and sample <= MOST_LABELLED * rows:
            return rows
        rows += 1 + rows // 10


def _saves_too_little(batch: Batch, sample: int, saving: float) -> Refusal:
    said = f"a certificate is expected to save {saving:.1%} of what the top tier alone costs"
    return Refusal(
        Reason.SAVES_TOO_LITTLE,
        f"{said}, with {sample:,} labels for {batch.rows:,} rows.",
        {"labels": float(sample), "rows": float(batch.rows), "saving": saving},
    )


def _kept_rows_wrong(ungated: Plan, least: float) -> Refusal:
    """Refuse what the gate after labelling would: `ungated` is the plan that knows nothing of it."""
    numbers = {"pool": ungated.pool, "sample": ungated.sample, "tolerated": ungated.tolerated}
    wrong = most_wrong(**numbers, delta=ungated.target.delta)
    kept = fewest_kept(**numbers, delta=ungated.target.delta, min_accepted_agreement=least)
    expected = ungated.rows - ungated.asked[-1].expected
    said = f"a target of {ungated.target.agreement:g} lets up to {wrong:,} kept rows differ"
    return Refusal(
        Reason.KEPT_ROWS_WRONG,
        f"{said}. For {least:.0%} of them to be sure to agree {kept:,} must be kept, and of {ungated.rows:,} rows "
        f"about {expected:,} would be: ask for a higher target.",
        {"labels": float(ungated.sample), "wrong": float(wrong), "needed": float(kept), "kept": float(expected)},
    )
