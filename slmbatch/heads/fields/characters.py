"""What the characters of a text are, counted from its beginning: how many lie between two places is a subtraction."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
_LETTER, _DIGIT, _BLANK, _RAISED = 1, 2, 4, 8
_USUAL = 0x10000  # characters that are looked up; a text with others has them told one by one


class Tally(NamedTuple):
    """How many there are before each place of a text, its end included.

    `letters` counts digits, too, and `raised` ones are no `digits`. Of `blanks` two spaces count nothing: they only
    fill a line.
    """

    letters: Numbers
    digits: Numbers
    raised: Numbers
    blanks: Numbers

    @classmethod
    def of(cls, text: str) -> Tally:
        """Count."""
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        kinds = _usual()[codes] if codes.max(initial=0) < _USUAL else _kinds(codes)
        spaces = codes == ord(" ")
        places = np.arange(len(spaces))
        second = (places - np.maximum.accumulate(np.where(spaces, -1, places))) % 2 == 0
        blank = (kinds & _BLANK) > 0
        return cls(
            _counted((kinds & _LETTER) > 0),
            _counted((kinds & _DIGIT) > 0),
            _counted((kinds & _RAISED) > 0),
            _counted(np.where(spaces & second, -1, blank)),
        )


def _kinds(codes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint8]:
    characters = codes.view("<U1")
    kinds = np.char.isalnum(characters) * _LETTER + np.char.isdecimal(characters) * _DIGIT
    kinds += np.char.isspace(characters) * _BLANK + np.isin(characters, ("¹", "²", "³")) * _RAISED
    return np.asarray(kinds, np.uint8)


@cache
def _usual() -> npt.NDArray[np.uint8]:
    return _kinds(np.arange(_USUAL, dtype=np.uint32))


def _counted(marks: npt.NDArray[np.generic]) -> Numbers:
    counts = np.zeros(len(marks) + 1, np.int64)
    np.cumsum(marks, out=counts[1:])
    return counts
