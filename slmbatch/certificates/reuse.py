"""Last night's labels for tonight's rows: valid only if tonight's rows are like the labelled ones.

Labelled and new rows form one pool of which the labelled ones are a random sample. That is an assumption about the
world and no test makes it safe: the drift alarm sees gross change, not two points of accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import kolmogorov

from slmbatch.certificates.calibration import Doubles, Flags
from slmbatch.certificates.counting import Target, risk, tolerated_errors

ALARM = 0.01  # p-value below which scores are said to have drifted


@dataclass(frozen=True, slots=True)
class Reuse:
    """New rows that score *above* `threshold` keep their cheap answer. One such promise covers one next batch."""

    labelled: int
    rows: int
    allowed: int
    tolerated: int
    risk: float
    threshold: float
    drift: Drift


@dataclass(frozen=True, slots=True)
class Drift:
    """Two-sample Kolmogorov-Smirnov: the largest gap between the distributions of scores, and its p-value."""

    gap: float
    p_value: float

    @property
    def alarm(self) -> bool:
        return self.p_value < ALARM


def reuse(scores: Doubles, wrong: Flags, new_scores: Doubles, target: Target) -> Reuse | None:
    """Find the threshold for a new batch from the labelled rows of an earlier one, drawn at random from it.

    None where so few labels promise nothing. Rows that tie with the threshold go up, so no tie needs breaking. An alarm
    in `drift` says to label the new batch instead.
    """
    labelled, rows = len(scores), len(new_scores)
    allowed = target.allowed(rows)
    tolerated = tolerated_errors(pool=labelled + rows, allowed=allowed, sample=labelled, delta=target.delta)
    if tolerated is None:
        return None
    errors = -np.sort(-scores[wrong])
    return Reuse(
        labelled=labelled,
        rows=rows,
        allowed=allowed,
        tolerated=tolerated,
        risk=risk(pool=labelled + rows, allowed=allowed, sample=labelled, tolerated=tolerated),
        threshold=float(errors[tolerated]) if len(errors) > tolerated else -np.inf,
        drift=drift(scores, new_scores),
    )


def drift(old: Doubles, new: Doubles) -> Drift:
    """Compare two samples of scores. The p-value is asymptotic (Stephens' correction for small samples).

    Raises ValueError when one of them is empty.
    """
    if not len(old) or not len(new):
        raise ValueError("drift between scores needs some of both")
    points = np.concatenate([old, new])
    below = [np.searchsorted(np.sort(one), points, side="right") / len(one) for one in (old, new)]
    gap = float(np.abs(below[0] - below[1]).max())
    root = np.sqrt(len(old) * len(new) / (len(old) + len(new)))
    return Drift(gap, float(kolmogorov((root + 0.12 + 0.11 / root) * gap)))
