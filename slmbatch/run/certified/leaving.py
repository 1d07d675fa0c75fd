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
from slmbatch.certificates.gates import Refusal
from slmbatch.certificates.planning import Batch
from slmbatch.certificates.planning import plan as plan_labels
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

RESAMPLES = 100
SURE = 0.95  # of the resamples must be cheaper without the tier: else chance may have done it
MOST_ROWS = 10_000  # of a batch that is planned for: shares of larger ones differ little, and take long to plan


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
class Costing:
    """A batch of so many rows to certify, and what the top tier takes for one (None: its answers alone count)."""

    rows: int
    target: Target
    top_usd: Decimal | None

    def share(self, walked: Walked) -> float:
        """Return the cost of the cheapest plan where all rows are like these, of asking the top tier about every row.

        Where no certificate can be planned, all rows go up after the cheap tiers.
        """
        usd = (Decimal(0), Decimal(1)) if self.top_usd is None else (Decimal(float(walked.usd.mean())), self.top_usd)
        batch = Batch(self.rows, round(self.rows * float(walked.usable.mean())))
        made = plan_labels(_way(walked), batch, self.target, prices=usd)
        return 1 + float(usd[0] / usd[1]) if isinstance(made, Refusal) else 1 - made.saving

    def certainty(self, one: Walked, other: Walked, *, seed: int) -> float:
        """Return in which share of resamples of the drawn rows the one way costs less (paired bootstrap)."""
        random, drawn = np.random.default_rng(seed), len(one.scores)
        draws = (random.integers(0, drawn, drawn) for _ in range(RESAMPLES))
        return float(np.mean([self.share(one.at(places)) < self.share(other.at(places)) for places in draws]))


def _way(walked: Walked) -> Way:
    """Return the way down the rows that have an answer, by their own labels; those without a score come last."""
    if not walked.usable.any():
        return ranked_way([np.empty(0)])
    scores = np.nan_to_num(walked.scores[walked.usable], nan=-1.0)
    values, chances = isotonic(scores, walked.wrong[walked.usable])
    return ranked_way([np.sort(chances[np.searchsorted(values, scores)])])


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
    told: dict[tuple[str, ...], Walked] = {}  # by the tiers that are left out
    for left_out in [(), *fewer]:
        walked = walk(whole, [one for one in cheap if one not in left_out], plan)
        if walked is not None:
            told[left_out] = walked
    notes = tuple(
        f"What a run without {' and '.join(one)} would say of every row isn't known."
        for one in fewer
        if one not in told
    )
    priced = per_row(plan, whole[-1].folder.stage("answers").parts)
    costing = Costing(min(whole[-1].rows, MOST_ROWS), target, None if priced is None else priced[1])
    if () not in told or len(told) == 1:
        return Choice((), notes if promise.leave_out else ())
    alone = f"the {'answers' if priced is None else 'cost'} of {plan.tiers[-1].name} alone"
    return _judged(told, costing, promise, alone, notes)


def _as_before(runs: Sequence[EarlierRun], promise: Promise) -> Choice:
    """Leave out what the last run did, where too few rows tell what all tiers would say."""
    left_out = runs[-1].left_out if runs and promise.leave_out else ()
    if not left_out:
        return Choice()
    where = f"as in {runs[-1].folder.root}: only runs that ask it can tell whether it pays by now"
    return Choice(left_out, (f"{' and '.join(left_out)} stays left out, {where}.",))


def _judged(
    told: Mapping[tuple[str, ...], Walked], costing: Costing, promise: Promise, alone: str, notes: tuple[str, ...]
) -> Choice:
    """Compare the cheapest run without some tiers to the run with all."""
    shares = {left_out: costing.share(walked) for left_out, walked in told.items()}
    left_out = min((one for one in told if one), key=lambda one: shares[one])
    cheaper = costing.certainty(told[left_out], told[()], seed=promise.seed)
    names = " and ".join(left_out)
    said = (
        f"by {len(told[()].scores):,} earlier rows a run takes {shares[left_out]:.1%} of {alone} without {names}, "
        f"{shares[()]:.1%} with all tiers (less in {cheaper:.0%} of resamples)"
    )
    if cheaper < SURE:
        return Choice((), (f"No tier is left out: {said}.", *notes) if promise.leave_out else ())
    if promise.leave_out:
        return Choice(left_out, (f"{names} is left out: {said}.", *notes))
    return Choice((), (f"{names} doesn't pay: {said}. With --leave-out it isn't asked.",))
