"""A conditional logit: which of a leaf's candidates it is, or none of them; and how sure that is. Knows no text.

P(candidate) = exp(w·x) / sum over all candidates and none, fitted by the probability of all right ones together
(McFadden 1974). The confidence is Platt's (1999): a logistic curve over that probability, fitted on documents that the
weights haven't seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
CALIBRATION_FEATURES = ("bias", "logit", "adds_up", "labelled")
STEPS, RATE = 250, 0.08  # of Adam, over all rows at once
DOUBT = 2.0
_LIMIT = 8.0  # a probability's logit is cut here: beyond 0.9997 there is nothing to tell apart


@dataclass(frozen=True, slots=True)
class Scorer:
    """Weights of one leaf, or of a kind of leaf. `words` weighs the words around a candidate.

    `own` says that they were fitted for this leaf, and so know it without its labels.
    """

    weights: Matrix
    none: Matrix
    words: Mapping[str, float]
    calibration: Matrix
    own: bool = False

    def logits(self, rows: Matrix, none: Matrix, around: Sequence[Sequence[str]]) -> Matrix:
        """Return one logit per candidate and, last, that of none."""
        scores = rows @ self.weights
        if self.words:
            scores = scores + [sum(self.words.get(word, 0.0) for word in words) for words in around]
        logits = np.empty(len(scores) + 1)
        logits[:-1], logits[-1] = scores, none @ self.none
        return logits

    def confidence(self, probability: float, *, adds_up: bool, labelled: bool) -> float:
        """Return the calibrated probability that a chosen candidate is right."""
        return self.sure(calibration_row(probability, adds_up=adds_up, labelled=labelled))

    def sure(self, row: Matrix) -> float:
        """Return the confidence of one row of CALIBRATION_FEATURES."""
        return 1 / (1 + math.exp(-min(max(float(row @ self.calibration), -30.0), 30.0)))


@dataclass(frozen=True, slots=True)
class Example:
    """One leaf of one document: the candidates' rows, none's last, and which are right.

    `weight` is less than 1 where a vendor has many documents, which are much alike.
    """

    rows: Matrix
    right: npt.NDArray[np.bool_]
    weight: float


def probabilities(logits: Matrix) -> Matrix:
    """Softmax."""
    shifted = np.exp(logits - logits.max())
    return np.asarray(shifted / shifted.sum())


def calibration_row(probability: float, *, adds_up: bool, labelled: bool) -> Matrix:
    """Return CALIBRATION_FEATURES for one chosen candidate."""
    inside = min(max(probability, 1e-9), 1 - 1e-9)
    logit = min(max(math.log(inside / (1 - inside)), -_LIMIT), _LIMIT)
    return np.array([1.0, logit, float(adds_up), float(labelled)])


def fit_weights(examples: Sequence[Example], *, ridge: float, towards: Matrix) -> Matrix:
    """Fit the weights of rows that end with none's features, by Adam; few examples leave them near `towards`."""
    rows = np.vstack([example.rows for example in examples])
    right = np.concatenate([example.right for example in examples])
    sizes = [len(example.rows) for example in examples]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    groups = np.repeat(np.arange(len(sizes)), sizes)
    share = np.array([example.weight for example in examples])[groups]
    weights, mean, square = towards.copy(), np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    for step in range(1, STEPS + 1):
        logits = rows @ weights
        logits -= np.maximum.reduceat(logits, starts)[groups]
        odds = np.exp(logits)
        chance = odds / np.add.reduceat(odds, starts)[groups]
        wanted = odds * right + 1e-12
        wanted /= np.add.reduceat(wanted, starts)[groups]
        gradient = (rows.T @ (share * (chance - wanted)) + ridge * (weights - towards)) / len(sizes)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.99 * square + 0.01 * gradient**2
        weights -= RATE * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-8)
    return np.asarray(weights)


def fit_calibration(
    rows: Matrix, right: npt.NDArray[np.bool_], shares: Matrix, *, prior: Matrix, ridge: float = 1.0
) -> Matrix:
    """Fit a logistic curve over CALIBRATION_FEATURES by Newton's method; few rows leave it near the prior.

    `shares` weighs the rows: less than 1 where a vendor has many documents, which are right or wrong together.
    DOUBT more wrong answers than were seen, spread over all rows, keep a few right ones from looking like certainty.
    """
    weights = prior.astype(np.float64).copy()
    doubt = DOUBT / len(rows)
    wanted, total = shares * right, shares * (1.0 + doubt)
    for _ in range(25):
        chance = 1 / (1 + np.exp(-np.clip(rows @ weights, -30, 30)))
        gradient = rows.T @ (total * chance - wanted) + ridge * (weights - prior)
        curvature = (rows.T * (total * chance * (1 - chance))) @ rows + ridge * np.eye(rows.shape[1])
        weights -= np.linalg.solve(curvature, gradient)
    return np.asarray(weights)
