"""What chance may have done: bootstrap intervals, and tests of the difference between two runs on the same documents.

Documents are drawn, never single fields: those of one document are right or wrong together. Every draw is seeded, so
the same files give the same figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from slmbatch.certificates.earning import sign_test
from slmbatch.evaluate.scores import Doubles

SEED = 20240229
MOST, LEAST = 1000, 200  # sets that are drawn
MOST_SWAPS, LEAST_SWAPS = 9999, 500
WORK = 20_000_000  # weights over all sets: fewer are drawn where documents are many and intervals narrow
AT_ONCE = 2_000_000  # weights in memory
SIDES = (0.025, 0.975)

Measuring: TypeAlias = Callable[[Doubles], Doubles]  # weights (sets, documents) -> measures (sets, names)


def intervals(measure: Measuring, documents: int) -> Doubles:
    """Return the 95 % interval of each measure, (2, names): percentiles over documents drawn with replacement.

    Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13. NaN where no set had anything to measure.
    """
    generator = np.random.default_rng(SEED)
    found = [measure(_weights(generator, count, documents)) for count in _shifts(documents, most=MOST, least=LEAST)]
    return _percentiles(np.concatenate(found))


def difference(measure: Measuring, documents: int) -> Doubles:
    """Return the 95 % interval of new minus old for each measure, (2, names): the same documents are drawn of both.

    `measure` takes weights of (sets, 2 * documents): first those of the new run's answers, then of the old one's.
    """
    generator = np.random.default_rng(SEED)
    found = []
    for count in _shifts(2 * documents, most=MOST, least=LEAST):
        weights = _weights(generator, count, documents)
        nothing = np.zeros_like(weights)
        found.append(measure(np.hstack([weights, nothing])) - measure(np.hstack([nothing, weights])))
    return _percentiles(np.concatenate(found))


def swapped(measure: Measuring, documents: int) -> Doubles:
    """Return, for each measure, how probable a difference as large as this is if the two runs are alike (two-sided).

    Approximate randomisation (Noreen 1989; Yeh 2000, More accurate tests for the statistical significance of result
    differences): if they're alike, either run could have given either answer to a document, so the two are swapped at
    random. It holds for any measure, F1 among them, and for fields that are wrong together. `measure` is that of
    `difference`.
    """
    generator = np.random.default_rng(SEED)
    seen = np.abs(_gap(measure, np.ones((1, documents))))
    hits, sets = np.zeros(seen.shape[1]), 0
    for count in _shifts(2 * documents, most=MOST_SWAPS, least=LEAST_SWAPS):
        kept = generator.integers(2, size=(count, documents)).astype(np.float64)
        hits += (~(np.abs(_gap(measure, kept)) < seen - 1e-12)).sum(axis=0)  # what can't be measured speaks against it
        sets += count
    return np.asarray((hits + 1) / (sets + 1))


def _gap(measure: Measuring, kept: Doubles) -> Doubles:
    """The difference where the documents with 1 keep their answers, and those with 0 have the other run's."""
    return measure(np.hstack([kept, 1 - kept])) - measure(np.hstack([1 - kept, kept]))


def mcnemar(new: npt.NDArray[np.bool_], old: npt.NDArray[np.bool_]) -> float:
    """Return the exact two-sided p of McNemar's test (1947): documents that one run alone has right, as coins.

    It's what `swapped` comes to for a share of right documents, without chance.
    """
    return sign_test(int((new & ~old).sum()), int((old & ~new).sum()))


def holm(probabilities: Sequence[float]) -> list[float]:
    """Correct for having tested several differences (Holm 1979, A simple sequentially rejective procedure)."""
    corrected, most = [0.0] * len(probabilities), 0.0
    for rank, place in enumerate(sorted(range(len(probabilities)), key=probabilities.__getitem__)):
        most = max(most, min(1.0, (len(probabilities) - rank) * probabilities[place]))
        corrected[place] = most
    return corrected


def edges(values: Doubles, bounds: Doubles, documents: Sequence[int]) -> Doubles:
    """Widen the intervals of shares that are all or nothing, which no resampling can: 0 or 1 in every set.

    The exact bound for no mistake (or no success) in n documents, 0.025 ** (1 / n): Clopper and Pearson 1934.
    """
    bounds = bounds.copy()
    with np.errstate(divide="ignore"):
        reach = SIDES[0] ** (1 / np.asarray(documents, dtype=np.float64))
    bounds[0] = np.where((values == 1) & (bounds[0] == 1), reach, bounds[0])
    bounds[1] = np.where((values == 0) & (bounds[1] == 0), 1 - reach, bounds[1])
    return bounds


def _shifts(weights: int, *, most: int, least: int) -> list[int]:
    """How many sets, of so many weights each, to draw at once until all are drawn."""
    sets = max(least, min(most, WORK // max(weights, 1)))
    at_once = max(1, AT_ONCE // max(weights, 1))
    return [min(at_once, sets - start) for start in range(0, sets, at_once)]


def _weights(generator: np.random.Generator, count: int, documents: int) -> Doubles:
    """How often each document is drawn, (sets, documents)."""
    drawn = generator.integers(documents, size=(count, documents)) + documents * np.arange(count)[:, None]
    return np.bincount(drawn.ravel(), minlength=count * documents).reshape(count, documents).astype(np.float64)


def _percentiles(found: Doubles) -> Doubles:
    bounds = np.full((2, found.shape[1]), np.nan)
    measured = ~np.isnan(found).all(axis=0)
    if measured.any():
        bounds[:, measured] = np.nanquantile(found[:, measured], SIDES, axis=0)
    return bounds
