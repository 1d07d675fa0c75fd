"""Which rows are worth labelling next: first those unlike the others, then those a head doubts most."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]

DIVERSE = 0.5  # of the rows chosen
ALIKE = 0.95  # cosine from which on two rows teach the same


def choose(embedded: Floats, sure: npt.NDArray[np.floating], count: int) -> list[int]:
    """Return up to `count` positions, each once.

    `embedded` is (rows, width) of length 1, `sure` (rows,) the probability of each row's likeliest label. The first
    half is chosen greedily as the row farthest from those chosen (Gonzalez 1985, k-center), the rest by doubt, without
    rows that are nearly the same as one chosen.
    """
    if not len(embedded):
        return []
    chosen = [int((embedded @ embedded.mean(axis=0)).argmax())]  # what is most like all others
    nearest = embedded @ embedded[chosen[0]]

    def take(row: int) -> None:
        chosen.append(row)
        np.maximum(nearest, embedded @ embedded[row], out=nearest)

    while len(chosen) < min(count * DIVERSE, len(embedded)):
        farthest = int(nearest.argmin())
        if nearest[farthest] >= ALIKE:
            break
        take(farthest)
    for row in np.argsort(sure, kind="stable"):
        if len(chosen) >= count:
            break
        if nearest[row] < ALIKE:
            take(int(row))
    return chosen[:count]
