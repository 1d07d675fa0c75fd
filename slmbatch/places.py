"""Where words stand on a page, kept small: a page has hundreds of them, and every document is passed on."""

from __future__ import annotations

import struct
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a page of `width` and `height`, from the page's top left as it is shown.

    `unit` is "pt" for PDFs (72 to the inch), "px" for images.
    """

    left: float
    top: float
    right: float
    bottom: float
    width: float
    height: float
    unit: str


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the words of a page's text stand, a word being what blanks don't divide.

    `places` holds left, top, right and bottom of each word, in 65535ths of `width` and `height`, as
    16-bit numbers, the lower byte first: 8 bytes a word.
    `scores` holds how sure the OCR is of each word, in 255ths; it is empty where the text isn't OCR's.
    """

    width: float
    height: float
    unit: str
    places: bytes
    scores: bytes = b""

    def box(self, first: int, last: int) -> Box:
        """Return the box around the words from `first` to `last`."""
        shares = struct.unpack_from(f"<{4 * (last - first + 1)}H", self.places, 8 * first)
        across, down = self.width / 65535, self.height / 65535
        return Box(
            round(min(shares[0::4]) * across, 2),
            round(min(shares[1::4]) * down, 2),
            round(max(shares[2::4]) * across, 2),
            round(max(shares[3::4]) * down, 2),
            self.width,
            self.height,
            self.unit,
        )

    def score(self, first: int, last: int) -> float | None:
        """Return the least OCR score of the words from `first` to `last`."""
        return round(min(self.scores[first : last + 1]) / 255, 3) if self.scores else None
