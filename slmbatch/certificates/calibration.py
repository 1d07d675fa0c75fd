"""From scores to probabilities of being wrong, and how well a score ranks. Everything here is a guess that costs money

when it is bad, never validity: it plans samples, and ranks rows, before any label of the batch is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

Z = 1.645  # one-sided 95 %
NEWTON_STEPS = 30
RIDGE = 1.0  # of standardised features: a prior that keeps separable data finite
FOLDS = 5
CLIP = 1e-6


def isotonic(scores: Doubles, wrong: Flags) -> tuple[Doubles, Doubles]:
    """Fit P(wrong) as a function of the score that never rises with it (pool adjacent violators).

    Returns distinct scores, ascending, and the probability at each; interpolate between them.
    """
    values, places = np.unique(scores, return_inverse=True)
    rows = np.bincount(places).astype(np.float64)
    shares = np.bincount(places, wrong) / rows
    blocks: list[tuple[float, float, int]] = []  # share, rows, distinct scores
    for share, count in zip(shares.tolist(), rows.tolist(), strict=True):
        block = (share, count, 1)
        while blocks and blocks[-1][0] < block[0]:
            last = blocks.pop()
            together = last[1] + block[1]
            block = ((last[0] * last[1] + block[0] * block[1]) / together, together, last[2] + block[2])
        blocks.append(block)
    return values, np.repeat([block[0] for block in blocks], [block[2] for block in blocks])


@dataclass(frozen=True, slots=True)
class Logistic:
    """P(wrong) by logistic regression on standardised features; `weights` has the intercept last."""

    means: Doubles
    scales: Doubles
    weights: Doubles

    def probability(self, features: Doubles) -> Doubles:
        """Return P(wrong) of each row of `features` (rows, columns)."""
        told: Doubles = expit((features - self.means) / self.scales @ self.weights[:-1] + self.weights[-1])
        return told


def fit_logistic(features: Doubles, wrong: Flags) -> Logistic:
    """Fit by Newton's method with a small ridge; the intercept is free but for one made-up row of each kind."""
    means, scales = features.mean(axis=0), features.std(axis=0)
    scales = np.where(scales > 0, scales, 1.0)
    columns = np.column_stack([(features - means) / scales, np.ones(len(features))])
    columns = np.vstack([columns, *[np.eye(columns.shape[1])[-1:]] * 2])  # a wrong and a right row, of no feature
    targets = np.concatenate([wrong, [True, False]]).astype(np.float64)
    penalty = np.diag([*[RIDGE] * len(means), 0.0])
    weights = np.zeros(columns.shape[1])
    for _ in range(NEWTON_STEPS):
        told = expit(columns @ weights)
        slope = columns.T @ (told - targets) + penalty @ weights
        bend = (columns * (told * (1 - told))[:, None]).T @ columns + penalty
        step = np.linalg.solve(bend, slope)
        weights = weights - step
        if np.abs(step).max() < 1e-8:
            break
    return Logistic(means, scales, weights)


def confidence_features(best: Doubles, second: Doubles) -> Doubles:
    """Return (rows, 3): log odds of the best and of the second best probability, and the margin between them."""
    odds = [logit(np.clip(one, CLIP, 1 - CLIP)) for one in (best, second)]
    return np.column_stack([*odds, best - second])


@dataclass(frozen=True, slots=True)
class Auroc:
    """How often a right row scores above a wrong one, and its one-sided 95 % lower bound (Hanley and McNeil 1982)."""

    value: float
    least: float


def auroc(scores: Doubles, wrong: Flags) -> Auroc | None:
    """Measure a score; ties count half. None unless there are right and wrong rows."""
    bad, good = int(wrong.sum()), int((~wrong).sum())
    if not bad or not good:
        return None
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    value = float((ranks[~wrong].sum() - good * (good + 1) / 2) / (good * bad))
    both_above, both_below = value / (2 - value), 2 * value**2 / (1 + value)
    spread = value * (1 - value) + (good - 1) * (both_above - value**2) + (bad - 1) * (both_below - value**2)
    return Auroc(value, value - Z * float(np.sqrt(max(spread, 0.0) / (good * bad))))
