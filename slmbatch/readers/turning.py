"""Pages that were scanned on their side or upside down: how to tell, and where their words stand on the page as it is.

Turns are quarters, counterclockwise, as of numpy.rot90.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

TALL = 2.0  # times as high as wide: no word that stands upright, but for single letters, which are short


def turns_to_try(lines: Sequence[Sequence[Sequence[float]]], *, poor: bool) -> tuple[int, ...]:
    """Return turns that may make a page upright, the likeliest first, by its lines' corners (from the top left).

    Most of its writing runs up or down: it lies on its side. The OCR turns each such line by itself, counterclockwise;
    if it can read them, so must the page be turned, else the other way. Writing that runs across, and is read poorly,
    may be upside down.
    """
    tall = across = 0.0
    for (x0, y0), (x1, y1), _, (x3, y3) in lines:
        width, height = math.dist((x0, y0), (x1, y1)), math.dist((x0, y0), (x3, y3))
        if height > TALL * width:
            tall += height
        else:
            across += width
    if tall > across:
        return (3, 1) if poor else (1, 3)
    return (2,) if poor and lines else ()


def as_it_lies(shares: npt.ArrayLike, turns: int) -> npt.NDArray[np.float64]:
    """Return left, top, right and bottom of words on a page as it was before it was turned, as shares of it."""
    import numpy as np

    left, top, right, bottom = np.asarray(shares, dtype=np.float64).reshape(-1, 4).T
    match turns:
        case 1:
            left, top, right, bottom = 1 - bottom, left, 1 - top, right
        case 2:
            left, top, right, bottom = 1 - right, 1 - bottom, 1 - left, 1 - top
        case 3:
            left, top, right, bottom = top, 1 - right, bottom, 1 - left
    return np.column_stack([left, top, right, bottom])
