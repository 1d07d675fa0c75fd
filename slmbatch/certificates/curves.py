"""Curves from a score to the probability of being right: they never fall. Fitted on labelled answers, few or many.

Unlike the guesses of calibration.py these are told to users as probabilities, so they are judged on held-out answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy.special import expit, logit

from slmbatch.certificates.calibration import CLIP, FOLDS, Doubles, Flags, fit_logistic, isotonic

MANY = 200  # answers from which on the curve may have any rising shape; isotonic regression overfits fewer
Knots: TypeAlias = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """Score and probability at each knot, both ascending: straight in log odds between knots, level beyond them.

    `method` is "isotonic", "logistic" (Platt 1999: two knots are all of it) or "constant".
    """

    method: str
    knots: Knots

    def probabilities(self, scores: Doubles) -> Doubles:
        """Return the probability of being right for each score; NaN for NaN."""
        at, told = logit(np.clip(np.array(self.knots), CLIP, 1 - CLIP)).T
        found: Doubles = expit(np.interp(logit(np.clip(scores, CLIP, 1 - CLIP)), at, told))
        return found


def fit_curve(scores: Doubles, right: Flags, *, many: bool) -> Curve:
    """Fit P(right | score), by isotonic regression if there are `many` answers, else by logistic regression.

    No probability is nearer to 0 or 1 than so many answers can show: 1 / (answers + 2), as by Laplace's rule.
    """
    scores = np.clip(scores, CLIP, 1 - CLIP)
    edge = 1 / (len(scores) + 2)
    if not many:
        return _logistic(scores, right, edge)
    at, wrong = isotonic(scores, ~right)
    shares, block = np.unique(np.clip(1 - wrong, edge, 1 - edge), return_inverse=True)
    block = block[np.searchsorted(at, scores)]
    middle = np.bincount(block, logit(scores)) / np.bincount(block)  # knots there keep the order within a block
    return Curve("isotonic", _knots(expit(middle), shares))


def _logistic(scores: Doubles, right: Flags, edge: float) -> Curve:
    fitted = fit_logistic(logit(scores)[:, None], ~right)
    rise = -float(fitted.weights[0] / fitted.scales[0])  # log odds of right = start + rise * log odds of score
    start = -float(fitted.weights[1]) - rise * float(fitted.means[0])
    if rise > 0:
        ends = np.array([logit(edge) - start, logit(1 - edge) - start]) / rise
        ends = np.clip(ends, logit(CLIP), logit(1 - CLIP))
        if expit(ends[0]) < expit(ends[1]):
            return Curve("logistic", _knots(expit(ends), np.clip(expit(start + rise * ends), edge, 1 - edge)))
    return Curve("constant", ((0.5, (float(right.sum()) + 1) * edge),))  # surer answers aren't righter ones


def _knots(at: Doubles, told: Doubles) -> Knots:
    return tuple(zip(at.tolist(), told.tolist(), strict=True))


def cross_fitted(
    scores: Doubles, right: Flags, *, judged: Flags, groups: np.ndarray[tuple[int], np.dtype[np.int64]], seed: int
) -> Doubles:
    """Return each answer's probability from a curve that was fitted on the other folds' `judged` answers.

    Answers of one group (a document's fields) are in one fold. Groups are numbered from 0.
    """
    many = int(judged.sum()) >= MANY
    fold = (np.random.default_rng(seed).permutation(int(groups.max()) + 1) % FOLDS)[groups]
    told = np.empty(len(scores))
    for one in range(FOLDS):
        held = fold == one
        learned = judged & ~held
        told[held] = fit_curve(scores[learned], right[learned], many=many).probabilities(scores[held])
    return told
