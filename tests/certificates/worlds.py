"""Made-up batches, and many draws of their labels at once: how often a promise really breaks."""

from __future__ import annotations

import numpy as np

DRAWS = 20_000


def frequency_of_misses(first_wrong: np.ndarray, *, allowed: int, sample: int, tolerated: int, seed: int) -> float:
    """Draw `sample` labels 20,000 times and return how often more than `allowed` unlabelled rows go out wrong.

    `first_wrong` (rows,) is the step from which a row is wrong - its rank if it's wrong, in a ranking - and infinite
    for rows that never are. The line lies before the (tolerated + 1)-th of the labelled ones.
    """
    rows = len(first_wrong)
    drawn = np.zeros((DRAWS, rows), bool)
    keys = np.random.default_rng(seed).random((DRAWS, rows), np.float32)
    np.put_along_axis(drawn, np.argpartition(keys, sample - 1, axis=1)[:, :sample], True, axis=1)
    steps = np.where(drawn, first_wrong, np.inf)
    line = np.partition(steps, tolerated, axis=1)[:, tolerated]
    out = ~drawn & (first_wrong < line[:, None])
    return float((out.sum(axis=1) > allowed).mean())


def within(chance: float, *, sigmas: float = 5.0) -> float:
    """How far a frequency of 20,000 draws may lie from its probability."""
    return sigmas * float(np.sqrt(chance * (1 - chance) / DRAWS)) + 1e-9
