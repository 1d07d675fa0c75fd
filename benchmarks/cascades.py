"""Three tiers under one certificate: a family of cascades, from asking the top tier always to never.

At each step a wrong row is priced at `penalty` and every row takes the tier that is cheapest with it. A labelled row
counts against a step when it would have gone out wrong there *or at any step before*: that makes the wrong rows of one
step part of those of the next, without which counting proves nothing. Both gates move together, so the whole batch has
one promise with the whole delta.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from slmbatch.certificates.calibration import Doubles, Flags
from slmbatch.certificates.counting import Target
from slmbatch.certificates.gates import Refusal
from slmbatch.certificates.planning import Batch, Plan, plan
from slmbatch.certificates.ways import Way

Steps = npt.NDArray[np.int64]
STEPS = 200
SUREST = 1e-4  # the least P(wrong) that steps tell apart
BINS = 4  # of tier 1's P(wrong), within which asking tier 2 is worth the same
TOP = 2  # the top tier's place


@dataclass(frozen=True, slots=True)
class Known:
    """Rows of an earlier batch with all three answers: guessed P(wrong) of tiers 1 and 2, and whether they were."""

    chances: tuple[Doubles, Doubles]
    wrong: tuple[Flags, Flags]


@dataclass(frozen=True, slots=True)
class Cascade:
    """A family of cascades, frozen before any label of the batch: `tiers` that it uses of 1-2-3, 1-3 and 2-3.

    `prices` are USD per row of the three tiers; `penalties` USD per wrong row, falling (the first is infinite); `worth`
    (steps, bins) what going on from tier 1 costs, in bins of tier 1's P(wrong) that end at `edges`.
    """

    tiers: tuple[int, ...]
    prices: tuple[float, float, float]
    penalties: Doubles
    edges: Doubles
    worth: Doubles

    def at(self, step: int) -> Cascade:
        """Return the family with this step alone: what a batch is settled with once the line is drawn."""
        one = slice(step, step + 1)
        return Cascade(self.tiers, self.prices, self.penalties[one], self.edges, self.worth[one])

    def settles(self, first: Doubles, second: Doubles) -> Steps:
        """Return the tier (0, 1 or 2) whose answer each row takes, (steps, rows), from P(wrong) of tiers 1 and 2."""
        told = np.full((len(self.penalties), len(first)), TOP)
        if 1 in self.tiers:
            told[self.takes_second(second)] = 1
        if 0 in self.tiers:
            told[self.takes_first(first)] = 0
        return told

    def takes_first(self, first: Doubles) -> Flags:
        """Return where tier 1's answer is taken, (steps, rows). Tier 2 needs asking only where it isn't."""
        taken: Flags = _priced(self.penalties, first) <= self.worth[:, np.searchsorted(self.edges, first)]
        return taken & (0 in self.tiers)

    def takes_second(self, second: Doubles) -> Flags:
        """Return where tier 2's answer is taken unless tier 1's is, (steps, rows)."""
        taken: Flags = _priced(self.penalties, second) <= self.prices[TOP]
        return taken & (1 in self.tiers)

    def first_wrong(self, chances: tuple[Doubles, Doubles], wrong: tuple[Flags, Flags]) -> Steps:
        """Return the first step at which each row would go out wrong; the number of steps where it never does."""
        settled = self.settles(*chances)
        out = (settled == 0) & wrong[0] | (settled == 1) & wrong[1]
        return np.where(out.any(axis=0), out.argmax(axis=0), len(self.penalties))

    def way(self, known: Known) -> Way:
        """Return the way down, as it would have been for rows of an earlier batch."""
        settled = self.settles(*known.chances)
        first = self.first_wrong(known.chances, known.wrong)
        wrong = (first[None, :] <= np.arange(len(self.penalties))[:, None]).mean(axis=1)
        above = (settled > 0).mean(axis=1)
        asked = np.column_stack(
            [
                np.full(len(wrong), float(0 in self.tiers)),
                above if 1 in self.tiers else above * 0,
                (settled > 1).mean(axis=1),
            ]
        )
        return Way(wrong[None, :], asked, np.array([float(tier in self.tiers) for tier in range(TOP)] + [1.0]))


def cascade(tiers: tuple[int, ...], known: Known, prices: Sequence[Decimal]) -> Cascade:
    """Lay out a family from prices and an earlier batch. `tiers` are (0, 1, 2), (0, 2) or (1, 2)."""
    cheap, middle, top = (float(one) for one in prices)
    last = max(min(middle, top), top * SUREST)  # so cheap an error that no row is worth a further tier
    penalties = np.concatenate([[np.inf], np.geomspace(top / SUREST, last, STEPS - 1)])
    first, second = known.chances
    edges = np.quantile(first, np.arange(1, BINS) / BINS)
    if 1 not in tiers:
        worth = np.full((STEPS, BINS), top)
    else:
        least = np.minimum(_priced(penalties, second), top)
        place = np.searchsorted(edges, first)
        means = [
            least[:, place == one].mean(axis=1) if (place == one).any() else least.mean(axis=1) for one in range(BINS)
        ]
        worth = middle + np.column_stack(means)
    return Cascade(tiers, (cheap, middle, top), penalties, edges, worth)


def cheapest_cascade(
    known: Mapping[tuple[int, ...], Known], batch: Batch, target: Target, prices: Sequence[Decimal]
) -> tuple[Cascade, Plan] | Refusal:
    """Plan every family and return the one that is expected to cost least, or the refusal of the last.

    `known` holds the earlier batch for each family, since P(wrong) of tier 2 may rest on tier 1's answer or not.
    """
    best: tuple[Cascade, Plan] | None = None
    refused: Refusal | None = None
    for tiers, rows in known.items():
        family = cascade(tiers, rows, prices)
        planned = plan(family.way(rows), batch, target, prices=prices)
        if isinstance(planned, Refusal):
            refused = planned
        elif best is None or planned.saving > best[1].saving:
            best = family, planned
    if best is not None:
        return best
    if refused is None:
        raise ValueError("no family to plan")
    return refused


def last_step(first_wrong: Steps, *, steps: int, tolerated: int) -> int:
    """Return the last step at which no more than `tolerated` labelled rows have ever been wrong.

    `first_wrong` is that of the labelled rows; count a missing answer of the top tier as wrong at both tiers. Step 0
    asks the top tier about every row.
    """
    over = np.sort(first_wrong)[tolerated] if len(first_wrong) > tolerated else steps
    return max(0, min(int(over), steps) - 1)


def _priced(penalties: Doubles, chances: Doubles) -> Doubles:
    """Return penalty times P(wrong), (steps, rows); infinite where the penalty is, whatever the row."""
    with np.errstate(invalid="ignore"):
        product = penalties[:, None] * chances[None, :]
    return np.where(np.isinf(penalties)[:, None], np.inf, product)
