"""What the characters of a text are, asked of all at once: a page has thousands of them."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Kinds: TypeAlias = npt.NDArray[np.uint8]

ALNUM, LOST, BLANK, BREAK = 1, 2, 4, 8  # flags; a line break is a blank, too, and others are below BLANK
_RUNS = {
    BLANK: r"\s+",
    BREAK: r"[\r\n]+",
    ALNUM: r"[^\W_]+",
    LOST: r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ue000-\uf8ff\ufffd]+",  # controls, private use: no characters
}


def kinds(text: str) -> Kinds:
    """Return flags for each UTF-16 unit of a text; a character beyond the first 65,536 is two units without any."""
    import numpy as np

    return _table().take(np.frombuffer(text.encode("utf-16-le", "surrogatepass"), "<u2"))


class Tally(NamedTuple):
    """How many characters there are but blanks; how many of them are letters or digits, and how many stand for none."""

    inked: int
    alnum: int
    lost: int


def tally(text: str) -> Tally:
    import numpy as np

    counts = np.bincount(kinds(text), minlength=BLANK)[:BLANK].tolist()
    return Tally(sum(counts), counts[ALNUM], counts[LOST])


@cache
def _table() -> Kinds:
    import numpy as np

    table = np.zeros(0x10000, np.uint8)
    every = "".join(map(chr, range(0x10000)))
    for flag, run in _RUNS.items():
        for found in re.finditer(run, every):
            table[found.start() : found.end()] |= flag
    return table
