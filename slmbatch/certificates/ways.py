"""The way down a batch: from keeping no cheap answer to keeping all, how many rows would be wrong and who is asked.

A guess, from an earlier batch or from none. A bad one buys too many or too few labels; the promise holds all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slmbatch.certificates.calibration import Doubles, Flags, isotonic

STEPS = 1_000  # of a way, at most: a thousandth of a batch is finer than any forecast
LEAST_HISTORY = 200  # labelled rows of an earlier batch from which a curve is taken


@dataclass(frozen=True, slots=True)
class Way:
    """Shares of the batch at each step. Step 0 keeps no cheap answer.

    `wrong` (guesses, steps) is the share that would go out wrong, never falling; `asked` (steps, tiers) the share that
    each tier answers; `labelled` (tiers,) is 1 for the tiers that a labelled row takes.
    """

    wrong: Doubles
    asked: Doubles
    labelled: Doubles


def ranked_way(chances: Sequence[Doubles]) -> Way:
    """Return the way of two tiers, from guesses of P(wrong) at each rank, surest first."""
    rows = len(chances[0])
    cuts = np.unique(np.linspace(0, rows, min(rows, STEPS) + 1).round().astype(np.int64))
    sums = [np.concatenate([[0.0], np.cumsum(one)])[cuts] / max(rows, 1) for one in chances]
    asked = np.column_stack([np.ones(len(cuts)), 1 - cuts / max(rows, 1)])
    return Way(np.array(sums), asked, np.ones(2))


def default_chances(rows: int) -> Doubles:
    """Return P(wrong) by rank where nothing is known: 1 % at the top, 60 % at the bottom, 16 % on average.

    A judgement, chosen on recorded answers of classifiers and language models (docs/certificates.md).
    """
    place = (np.arange(rows) + 0.5) / max(rows, 1)
    curve: Doubles = 0.01 + 0.59 * place**3
    return curve


def guessed_chances(scores: Doubles) -> list[Doubles]:
    """Return two guesses without history: that the score is a probability of being right, and the default curve.

    `scores` are in rank order; where they aren't probabilities, or are missing, the default curve is all there is.
    """
    curves = [default_chances(len(scores))]
    if len(scores) and np.isfinite(scores).all() and scores.min() >= 0 and scores.max() <= 1:
        curves.append(1 - scores)
    return curves


def learned_chances(scores: Doubles, *, old_scores: Doubles, old_wrong: Flags) -> list[Doubles] | None:
    """Return one guess, from the scores and labels of an earlier batch; None with fewer than 200 of them."""
    known = np.isfinite(old_scores)
    if known.sum() < LEAST_HISTORY:
        return None
    values, chances = isotonic(old_scores[known], old_wrong[known])
    told: Doubles = np.interp(scores, values, chances)
    told[~np.isfinite(scores)] = 1.0
    return [told]
