"""A ranking that is learned from rows which earlier runs had labelled, if it beats the plain score on rows held out.

It is fixed before any label of the batch that it ranks is bought. So a bad one costs money, never validity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from slmbatch.certificates.calibration import FOLDS, Auroc, Doubles, Flags, auroc, fit_logistic

LEAST_ROWS = 200  # drawn at random, before a learned ranking is judged
LEAST_GAIN = 0.02  # of AUROC, before it is used
PRIOR_ROWS = 10  # made-up rows of each class, as often wrong as all rows: a rare class tells little
DIGITS = 9  # of a probability: the last bits of a logarithm differ between machines, and ranks mustn't
Names = npt.NDArray[np.str_]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Taught:
    """Rows whose cheap answers the top tier has judged.

    `features` (rows, columns) are finite, `classes` the answers' classes (empty: none), `scores` the plain ones (NaN:
    none). The `drawn` rows are a random sample; the others were chosen by their features. Rows of one content have one
    number in `contents`, from 0.
    """

    features: Doubles
    classes: Names
    wrong: Flags
    scores: Doubles
    drawn: Flags
    contents: Numbers

    def __len__(self) -> int:
        return len(self.wrong)


@dataclass(frozen=True, slots=True)
class Learned:
    """P(right) by logistic regression: of standardised features, and of how often the answer's class was wrong.

    `weights` has that of the class's rate, in log odds, before the intercept, which is last. A class that isn't among
    `rates` has the rate of all rows.
    """

    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    rates: dict[str, float]
    rate: float

    def sureness(self, features: Doubles, classes: Names) -> Doubles:
        """Return P(right) of each row: the same on every machine, so there's no matrix product here."""
        odds = np.full(len(features), self.weights[-1])
        columns = [*features.T, _log_odds(self.rates, self.rate, classes)]
        for column, mean, scale, weight in zip(columns, self.means, self.scales, self.weights[:-1], strict=True):
            odds += (column - mean) / scale * weight
        told: Doubles = np.round(expit(-odds), DIGITS)
        return told


@dataclass(frozen=True, slots=True)
class Lesson:
    """What the rows taught. `ranking` is None where it doesn't earn its place.

    `plain` and `learned` are the AUROCs of both on the drawn rows, None where these don't tell; `held_out` is P(right)
    of every row by a ranking that was fitted on others.
    """

    ranking: Learned | None
    plain: float | None
    learned: float | None
    held_out: Doubles


def learn(rows: Taught, *, seed: int) -> Lesson:
    """Fit a ranking on all rows, and judge it by the random sample among them, each held out.

    Rows that were chosen by their rank are no sample to judge by. They are sound to fit on all the same: given its
    features, a row is no more often wrong for having been chosen by them.
    """
    if not len(rows):
        return Lesson(None, None, None, np.empty(0))
    fold = _folds(rows.contents, seed)
    held_out = np.empty(len(rows))
    for one in range(FOLDS):
        held = fold == one
        if not held.any() or held.all():
            return Lesson(None, None, None, np.empty(0))
        fitted = _fit(_part(rows, ~held), seed)
        held_out[held] = fitted.sureness(rows.features[held], rows.classes[held])
    plain, learned = (_judged(scores, rows) for scores in (np.nan_to_num(rows.scores, nan=-np.inf), held_out))
    if plain is None or learned is None:
        return Lesson(None, None, None, held_out)
    earned = int(rows.drawn.sum()) >= LEAST_ROWS and learned.value >= plain.value + LEAST_GAIN
    return Lesson(_fit(rows, seed) if earned else None, plain.value, learned.value, held_out)


def _judged(scores: Doubles, rows: Taught) -> Auroc | None:
    return auroc(scores[rows.drawn], rows.wrong[rows.drawn])


def _part(rows: Taught, chosen: Flags) -> Taught:
    return Taught(
        rows.features[chosen],
        rows.classes[chosen],
        rows.wrong[chosen],
        rows.scores[chosen],
        rows.drawn[chosen],
        rows.contents[chosen],
    )


def _folds(contents: Numbers, seed: int) -> Numbers:
    folds: Numbers = (np.random.default_rng(seed).permutation(int(contents.max()) + 1) % FOLDS)[contents]
    return folds


def _fit(rows: Taught, seed: int) -> Learned:
    """Fit on these rows. Each takes its class's rate from the other folds: its own label would be in it otherwise."""
    fold = _folds(rows.contents, seed + 1)
    told = np.empty(len(rows))
    for one in range(FOLDS):
        held = fold == one
        rates, rate = _rates(rows.classes[~held], rows.wrong[~held])
        told[held] = _log_odds(rates, rate, rows.classes[held])
    fitted = fit_logistic(np.column_stack([rows.features, told]), rows.wrong)
    means, scales, weights = (tuple(one.tolist()) for one in (fitted.means, fitted.scales, fitted.weights))
    return Learned(means, scales, weights, *_rates(rows.classes, rows.wrong))


def _rates(classes: Names, wrong: Flags) -> tuple[dict[str, float], float]:
    """Return how often each class is wrong, and all rows are; neither is ever 0 or 1."""
    rate = (float(wrong.sum()) + 1) / (len(wrong) + 2)
    names, places, rows = np.unique(classes, return_inverse=True, return_counts=True)
    told = (np.bincount(places, wrong) + PRIOR_ROWS * rate) / (rows + PRIOR_ROWS)
    return dict(zip(names.tolist(), told.tolist(), strict=True)), rate


def _log_odds(rates: dict[str, float], rate: float, classes: Names) -> Doubles:
    odds: Doubles = logit(np.array([rates.get(one, rate) for one in classes.tolist()], np.float64))
    return odds
