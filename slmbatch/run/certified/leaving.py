"""Whether a run is cheaper without one of its tiers, by the rows that earlier certified runs drew at random.

Each run keeps what every tier said of a row until one was trusted. So it can be told what fewer tiers would have made
of the row, unless one of them wasn't asked about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations

import numpy as np
import pyarrow as pa

from slmbatch.certificates.calibration import Doubles, Flags, isotonic
from slmbatch.certificates.counting import Target
from slmbatch.certificates.gates import MIN_ACCEPTED_AGREEMENT, Refusal, fewest_kept
from slmbatch.certificates.planning import Batch, expected_cost
from slmbatch.certificates.planning import Plan as Design
from slmbatch.certificates.planning import plan as design
from slmbatch.certificates.ranking import Places
from slmbatch.certificates.ways import LEAST_HISTORY, Way, ranked_way
from slmbatch.confidence.gate import refusal
from slmbatch.errors import ConfigError
from slmbatch.run.calibrated import calibrated
from slmbatch.run.certified.lessons import EarlierRun
from slmbatch.run.certified.prices import per_row
from slmbatch.run.certified.tiers import Choice
from slmbatch.run.plan import Plan
from slmbatch.run.promise import Promise
from slmbatch.store.records import Record
from slmbatch.tasks.labels import in_order
from slmbatch.types import Answer

RESAMPLES = 200
SURE = 0.95  # of the resamples must be cheaper without the tier: else chance may have done it


@dataclass(frozen=True, slots=True)
class Walked:
    """What these cheap tiers say of drawn rows: scores (NaN: none), whether there's an answer, whether it's wrong.

    `usd` is what asking them has cost, per row.
    """

    scores: Doubles
    usable: Flags
    wrong: Flags
    usd: Doubles

    def at(self, places: Places) -> Walked:
        """Return these rows, some perhaps more than once."""
        return Walked(self.scores[places], self.usable[places], self.wrong[places], self.usd[places])


def walk(runs: Sequence[EarlierRun], tiers: Sequence[str], plan: Plan) -> Walked | None:
    """Take the drawn rows up these tiers, by what each is known to have said; None where that isn't known of a row."""
    told = []
    for run in runs:
        attempts = run.settled.filter(pa.array(run.drawn))["attempts"].to_pylist()
        right_ones = (right for right, drawn in zip(run.told, run.drawn.tolist(), strict=True) if drawn)
        for tried, right in zip(attempts, right_ones, strict=True):
            found = _settle(tried, tiers, plan)
            if found is None:
                return None
            answer, usd = found
            label = None if answer is None or answer.label is None else in_order(answer.label)
            told.append((_sureness(answer), label is not None, label != right, float(usd)))
    columns = zip(*told, strict=True) if told else [()] * 4
    kinds = (np.float64, bool, bool, np.float64)
    return Walked(*(np.array(one, kind) for one, kind in zip(columns, kinds, strict=True)))


def _settle(attempts: Sequence[Record], tiers: Sequence[str], plan: Plan) -> tuple[Answer | None, Decimal] | None:
    """Return the answer that these tiers settle on, and what they have cost."""
    told = {each["tier"]: each for each in attempts}
    answer, usd = None, Decimal(0)
    for tier in tiers:
        if tier not in told:
            return None
        usd += Decimal(told[tier]["usd"])
        if told[tier]["label"] is None:
            continue
        answer, curve = Answer(told[tier]["label"], score=told[tier]["score"]), plan.curves.tiers.get(tier)
        answer = answer if curve is None else calibrated(answer, curve, tier)
        if refusal(answer, threshold=plan.threshold, last=tier == tiers[-1]) is None:
            break
    return answer, usd


def _sureness(answer: Answer | None) -> float:
    known = None if answer is None else answer.score if answer.confidence is None else answer.confidence
    return np.nan if known is None else known


@dataclass(frozen=True, slots=True)
class Planned:
    """A certificate by these tiers for a batch of so many rows, and what it costs as a share of the top tier alone."""

    walked: Walked
    design: Design | Refusal
    rows: int
    costs: tuple[float, float]  # per row: of the cheap tiers together, of the top one; (0, 1) where that is free
    share: float

    def again(self, places: Places) -> float:
        """Return the share for other rows, drawn from these, with as many labels and tolerated errors."""
        some, top = self.walked.at(places), self.costs[1]
        costs = (float(some.usd.mean()) if self.costs[0] else 0.0, top)  # where the top tier is free, all are
        if isinstance(self.design, Refusal):
            return 1 + costs[0] / top
        numbers = {"sample": self.design.sample, "tolerated": self.design.tolerated}
        delta, pool = self.design.target.delta, self.design.pool
        kept = fewest_kept(pool=pool, **numbers, delta=delta, min_accepted_agreement=MIN_ACCEPTED_AGREEMENT)
        batch = Batch(self.rows, max(self.design.sample, round(self.rows * float(some.usable.mean()))))
        cost = expected_cost(_way(some), batch, np.array(costs), **numbers, kept=kept)
        return cost / (self.rows * top)


def _way(walked: Walked) -> Way:
    """Return the way down the rows that have an answer, by their own labels; those without a score come last."""
    if not walked.usable.any():
        return ranked_way([np.empty(0)])
    scores = np.nan_to_num(walked.scores[walked.usable], nan=-1.0)
    values, chances = isotonic(scores, walked.wrong[walked.usable])
    return ranked_way([np.sort(chances[np.searchsorted(values, scores)])])


def planned(walked: Walked, rows: int, target: Target, top_usd: Decimal | None) -> Planned:
    """Plan a certificate for a batch of so many rows that are like these; without a price the top's answers count."""
    usd = (Decimal(0), Decimal(1)) if top_usd is None else (Decimal(float(walked.usd.mean())), top_usd)
    made = design(_way(walked), Batch(rows, round(rows * float(walked.usable.mean()))), target, prices=usd)
    cheap, top = (float(one) for one in usd)
    share = 1 + cheap / top if isinstance(made, Refusal) else 1 - made.saving
    return Planned(walked, made, rows, (cheap, top), share)


def certainty(one: Planned, other: Planned, *, seed: int) -> float:
    """Return in which share of resamples of the drawn rows the one costs less than the other (paired bootstrap)."""
    drawn = len(one.walked.scores)
    random = np.random.default_rng(seed)
    draws = (random.integers(0, drawn, drawn) for _ in range(RESAMPLES))
    return float(np.mean([one.again(places) < other.again(places) for places in draws]))


def choose(runs: Sequence[EarlierRun], plan: Plan, target: Target) -> Choice:
    """Decide by earlier runs which cheap tiers are left out, or say what leaving one out would save.

    Raises ConfigError where that is asked for and can't be.
    """
    promise = plan.choices.promise
    assert promise is not None
    cheap = [tier.name for tier in plan.tiers[:-1]]
    if plan.schema is not None or len(cheap) < 2:
        if promise.leave_out:
            why = "there is only one below the last" if plan.schema is None else "runs keep fields of one tier alone"
            raise ConfigError(f"--leave-out: no tier can be left out: {why}.", "Leave out the flag.")
        return Choice()
    whole = [one for one in runs if not one.left_out]
    if sum(int(one.drawn.sum()) for one in whole) < LEAST_HISTORY:
        return _as_before(runs, promise)
    fewer = [some for count in range(1, len(cheap)) for some in combinations(cheap, count)]
    priced = per_row(plan, whole[-1].folder.stage("answers").parts)
    told: dict[tuple[str, ...], Planned] = {}  # by the tiers that are left out
    for left_out in [(), *fewer]:
        walked = walk(whole, [one for one in cheap if one not in left_out], plan)
        if walked is not None:
            told[left_out] = planned(walked, whole[-1].rows, target, None if priced is None else priced[1])
    notes = tuple(
        f"What a run without {' and '.join(one)} would say of every row isn't known."
        for one in fewer
        if one not in told
    )
    every = told.pop((), None)
    if every is None or not told:
        return Choice((), notes if promise.leave_out else ())
    alone = f"the {'answers' if priced is None else 'cost'} of {plan.tiers[-1].name} alone"
    return _judged(every, told, promise, alone, notes)


def _as_before(runs: Sequence[EarlierRun], promise: Promise) -> Choice:
    """Leave out what the last run did, where too few rows tell what all tiers would say."""
    left_out = runs[-1].left_out if runs and promise.leave_out else ()
    if not left_out:
        return Choice()
    where = f"as in {runs[-1].folder.root}: only runs that ask it can tell whether it pays by now"
    return Choice(left_out, (f"{' and '.join(left_out)} stays left out, {where}.",))


def _judged(
    every: Planned, others: Mapping[tuple[str, ...], Planned], promise: Promise, alone: str, notes: tuple[str, ...]
) -> Choice:
    """Compare the cheapest run without some tiers to the run with all."""
    left_out, best = min(others.items(), key=lambda one: one[1].share)
    drawn, cheaper = len(every.walked.scores), certainty(best, every, seed=promise.seed)
    names = " and ".join(left_out)
    said = (
        f"by {drawn:,} earlier rows a run takes {best.share:.1%} of {alone} without {names}, {every.share:.1%} with "
        f"all tiers (less in {cheaper:.0%} of resamples)"
    )
    if cheaper < SURE:
        return Choice((), (f"No tier is left out: {said}.", *notes) if promise.leave_out else ())
    if promise.leave_out:
        return Choice(left_out, (f"{names} is left out: {said}.", *notes))
    return Choice((), (f"{names} doesn't pay: {said}. With --leave-out it isn't asked.",))
