"""Rows of a page: which stretches of text stand beside each other, and which are one row of a table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

COLUMN_GAP = "   "
WIDE = 0.8  # heights of a row between two words, from which they stand in two columns
DROP = 1.2  # heights of a row that its last cells may hang lower
RUNNING = 4  # words of letters only that make a line one of prose
FEW_LETTERS = 3  # of a number with its currency or unit
_OPENING = re.compile(r"§.*|\(?\d{1,2}(\.\d{1,2})*[.)]|\d{1,2}(\.\d)+")  # as before a paragraph of a contract


class Stretch(Protocol):
    """Text without a wide gap, its left and right edge."""

    @property
    def text(self) -> str: ...
    @property
    def left(self) -> float: ...
    @property
    def right(self) -> float: ...


class Piece(NamedTuple):
    """A stretch of a PDF's text; `words` are their numbers on the page."""

    text: str
    left: float
    right: float
    words: range


S = TypeVar("S", bound=Stretch)


@dataclass(slots=True)
class Row(Generic[S]):
    """What stands on one line of the page, from left to right; y goes upwards."""

    pieces: list[S]
    bottom: float
    top: float

    def beside(self, other: Row[S]) -> bool:
        """Say whether another row stands at this one's height, beside its pieces."""
        return (
            self.bottom < (other.bottom + other.top) / 2 < self.top
            and other.bottom < (self.bottom + self.top) / 2 < other.top
            and all(
                one.left >= two.right - 1 or one.right <= two.left + 1 for one in other.pieces for two in self.pieces
            )
        )

    def takes(self, other: Row[S]) -> bool:
        """Say whether another row is the rest of this one. Only numbers bring rows together: prose has columns, too."""
        return self.beside(other) and (self.counts() or other.counts()) and not (self.runs() and other.runs())

    def goes_on(self, other: Row[S]) -> bool:
        """Say whether numbers told right after this row are its last cells, which hang lower than others."""
        return (
            0 < self.bottom - other.bottom < DROP * (self.top - self.bottom)
            and len(self.pieces) > 1
            and other.pieces[0].left >= self.pieces[-1].right - 1
            and all(_is_number(one.text) for one in other.pieces)
            and self.counts()
        )

    def add(self, other: Row[S]) -> None:
        self.pieces = sorted([*self.pieces, *other.pieces], key=lambda one: one.left)

    def counts(self) -> bool:
        """Say whether a piece is a number; one that opens a paragraph isn't."""
        first, *others = (one.text for one in self.pieces)
        return any(map(_is_number, others)) or (_is_number(first) and not (others and _OPENING.fullmatch(first)))

    def runs(self) -> bool:
        """Say whether there is running text."""
        return any(sum(map(str.isalpha, one.text.split())) >= RUNNING for one in self.pieces)


def _is_number(text: str) -> bool:
    """Say whether a text is a number, with its currency or unit at most."""
    return any(map(str.isdigit, text)) and sum(map(str.isalpha, text)) <= FEW_LETTERS
