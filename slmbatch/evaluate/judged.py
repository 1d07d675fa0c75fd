"""A run's answers beside the expected ones, document by document, and the measures that they come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from slmbatch.evaluate.resample import edges, intervals
from slmbatch.evaluate.scores import Doubles, Scored
from slmbatch.evaluate.shares import Name, Shares

NOT_SHARES = ("usd_per_right",)  # may be 0 or 1 without being none or all


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure with its 95 % interval (None where it can't be told), and how many `documents` it rests on."""

    metric: str
    name: str | None
    value: float
    low: float | None
    high: float | None
    documents: int


@dataclass(frozen=True, slots=True)
class Mistake:
    """How many rows with this label were given that one; None: no answer. Right ones are among them."""

    expected: str
    told: str | None
    rows: int


@dataclass(frozen=True, slots=True)
class Judged:
    """`ids` of the documents that have both an answer and an expected one, and what their measures are made of.

    `missing` ids are expected and have no result; `unjudged` counts results without an expected answer, `repeated`
    those whose id an earlier one has; `not_asked` names the expected fields that the run's schema doesn't have.
    `confusion` is empty for extract.
    """

    ids: Sequence[str]
    shares: Shares
    scored: Sequence[Scored]
    missing: Sequence[str]
    unjudged: int
    repeated: int = 0
    not_asked: Sequence[str] = ()
    confusion: Sequence[Mistake] = ()

    @property
    def names(self) -> list[Name]:
        """The measures that `values` returns, in order."""
        return [*self.shares.names, MACRO, *(name for one in self.scored for name in one.names)]

    def values(self, weights: Doubles) -> Doubles:
        """Return all measures, (sets, names), for weights of (sets, documents); NaN where there is nothing."""
        shares = self.shares.values(weights)
        return np.hstack([shares, macro(self.shares.names, shares), *(one.values(weights) for one in self.scored)])

    def measures(self) -> list[Measure]:
        """Return every measure that could be measured, with its interval."""
        count = len(self.ids)
        values = self.values(np.ones((1, count)))[0]
        support = [*self.shares.support(), count, *(one.documents() for one in self.scored for _ in one.names)]
        bounds = intervals(replace(self, scored=[one.pooled() for one in self.scored]).values, count)
        shares = [metric not in NOT_SHARES for metric, _ in [*self.shares.names, MACRO]]
        shares += [False] * (len(self.names) - len(shares))
        bounds = np.where(shares, edges(values, bounds, support), bounds)
        return [
            Measure(metric, name, float(value), _known(low), _known(high), documents)
            for (metric, name), value, low, high, documents in zip(self.names, values, *bounds, support, strict=True)
            if not np.isnan(value)
        ]


def _known(figure: float) -> float | None:
    return None if np.isnan(figure) else float(figure)


MACRO: Name = ("macro_f1", None)


def macro(names: Sequence[Name], shares: Doubles) -> Doubles:
    """The mean F1 over labels, (sets, 1): every label counts alike, however few rows have it; NaN without labels."""
    of_labels = shares[:, [place for place, (metric, name) in enumerate(names) if metric == "f1" and name is not None]]
    known = ~np.isnan(of_labels)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nansum(of_labels, axis=1, keepdims=True) / known.sum(axis=1, keepdims=True))
