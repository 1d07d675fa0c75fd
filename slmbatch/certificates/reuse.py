"""Last night's labels for tonight's rows: valid only if tonight's rows are like the labelled ones.

Labelled and new rows form one pool of which the labelled ones are taken for a random sample; the count rule does the
rest. That they are one is an assumption about the world and no test makes it safe: the drift alarm sees gross change,
not two points of accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import kolmogorov

from slmbatch.certificates.calibration import Doubles
from slmbatch.certificates.counting import Target, misses, risk, tolerated_errors
from slmbatch.certificates.gates import Reason, Refusal
from slmbatch.certificates.planning import Batch, Forecast, Plan
from slmbatch.certificates.ranking import Places, Ranking
from slmbatch.certificates.settling import Contents, Line, draw_line

ALARM = 0.01  # p-value below which scores are said to have drifted


@dataclass(frozen=True, slots=True)
class Drift:
    """Two-sample Kolmogorov-Smirnov: the largest gap between the distributions of scores, and its p-value."""

    gap: float
    p_value: float

    @property
    def alarm(self) -> bool:
        return self.p_value < ALARM


@dataclass(frozen=True, slots=True)
class Reuse:
    """A promise without new labels: its pool holds the labelled rows of before, too. It covers one next batch.

    `sample` are the ranks of these rows, ascending, and `agrees` their labels.
    """

    plan: Plan
    line: Line
    sample: Places
    agrees: tuple[bool | None, ...]
    drift: Drift


def reuse(
    ranking: Ranking,
    scores: Doubles,
    agrees: Sequence[bool | None],
    batch: Batch,
    target: Target,
    *,
    contents: Contents | None = None,
) -> Reuse | Refusal:
    """Draw the line for a new batch by labels of an earlier one; ask `gates.refusal` whether it's worth a certificate.

    `ranking` and `scores` (NaN: none) are of both together, in input order the labelled rows first: `agrees` are their
    labels, None for one that never came. `batch` is the new one; of its rows `contents` tell which are copies, in the
    order of `scores`, while no labelled row is one of another. Refuses where scores drifted or labels are too few.
    """
    labelled, rows, pool = len(agrees), batch.rows, len(ranking)
    if not labelled or not batch.pool:
        return Refusal(Reason.NOTHING_KEPT, "there is no labelled row, or no new one with an answer that may be kept.")
    moved = drift(scores[:labelled], scores[labelled:])
    if moved.alarm:
        said = f"scores aren't as they were (Kolmogorov-Smirnov: gap {moved.gap:.3f}, p {moved.p_value:.2g})."
        return Refusal(Reason.SCORES_DRIFTED, said, {"gap": moved.gap, "p_value": moved.p_value})
    allowed = min(target.allowed(rows), pool - 1)
    tolerated = tolerated_errors(pool=pool, allowed=allowed, sample=labelled, delta=target.delta)
    if tolerated is None:
        said = f"{labelled:,} labels are too few for agreement of {target.agreement:g} with delta {target.delta:g}."
        return Refusal(Reason.TOO_FEW_LABELS, said, {"labels": float(labelled), "rows": float(rows)})
    sample: Places = np.flatnonzero(ranking.order < labelled)
    told = tuple(agrees[place] for place in ranking.order[sample].tolist())
    ranked = None if contents is None else contents[ranking.order]
    line = draw_line(sample, told, pool=pool, tolerated=tolerated, contents=ranked)
    plan = _planned(line, batch, target, allowed=allowed, tolerated=tolerated)
    return Reuse(plan, line, sample, told, moved)


def _planned(line: Line, batch: Batch, target: Target, *, allowed: int, tolerated: int) -> Plan:
    """What could have been planned, had the line been known: it is, since the labels are there already."""
    numbers = {"pool": line.pool, "sample": line.sample, "tolerated": tolerated}
    up = batch.rows - line.kept
    return Plan(
        target=target,
        rows=batch.rows,
        allowed=allowed,
        **numbers,
        risk=risk(**numbers, allowed=allowed),
        asked=(Forecast(batch.rows, batch.rows, batch.rows), Forecast(up, up, up)),
        saving=line.kept / batch.rows,
        usd=None,
        usd_high=None,
        alone_usd=None,
        misses=misses(target, rows=batch.rows, **numbers),
    )


def drift(old: Doubles, new: Doubles) -> Drift:
    """Compare two samples of scores; a missing one (NaN) is the lowest. The p-value is asymptotic, after Stephens.

    Raises ValueError when one of them is empty.
    """
    if not len(old) or not len(new):
        raise ValueError("drift between scores needs some of both")
    known = [np.sort(np.nan_to_num(one, nan=-np.inf)) for one in (old, new)]
    points = np.concatenate(known)
    below = [np.searchsorted(one, points, side="right") / len(one) for one in known]
    gap = float(np.abs(below[0] - below[1]).max())
    root = np.sqrt(len(old) * len(new) / (len(old) + len(new)))
    return Drift(gap, float(kolmogorov((root + 0.12 + 0.11 / root) * gap)))
