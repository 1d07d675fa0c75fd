"""A document laid out for rules: its lines and words, with places counted over all pages. Knows no fields."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from slmbatch.checks.grounding import located
from slmbatch.heads.fields.characters import Numbers, Tally
from slmbatch.types import Document, Grounded, Grounding, Page

FIRST_CHARS, LAST_CHARS = 30_000, 10_000  # header fields stand at the beginning, totals and signatures at the end
MAX_CHARS = FIRST_CHARS + LAST_CHARS  # of longer documents, what is between isn't looked at
WORD = re.compile(r"[^\W\d_]+|[#№]")


class Line(NamedTuple):
    """One line that isn't blank. `start` and `end` leave out the blanks around it; `left` is where the line begins."""

    start: int
    end: int
    left: int


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a text in order, folded (lower case, no accents), and where each starts and ends."""

    texts: list[str]
    spans: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class _Piece:
    """What is looked at of a page, from `start` on: all of it in most documents."""

    page: Page
    start: int
    text: str


class Sheet:
    """The text of all pages as one, one line break between them. Places in it are turned back into places in pages.

    Of a document over MAX_CHARS it has the first FIRST_CHARS and the last LAST_CHARS, a line break between them.
    """

    def __init__(self, document: Document) -> None:
        self._pieces = _pieces(document.pages)
        self._starts: list[int] = []
        at = 0
        for piece in self._pieces:
            self._starts.append(at)
            at += len(piece.text) + 1
        self.text = "\n".join(piece.text for piece in self._pieces)
        self.lines = self._cut()
        self._line_starts = [line.left for line in self.lines]

    @cached_property
    def words(self) -> Words:
        """Cut the text into words."""
        spans = [found.span() for found in WORD.finditer(self.text)]
        lower = self.text.lower()
        if len(lower) != len(self.text):  # a rare letter has two in lower case
            return Words([folded(self.text[start:end]) for start, end in spans], spans)
        texts = [lower[start:end] for start, end in spans]
        return Words(texts if lower.isascii() else [one if one.isascii() else folded(one) for one in texts], spans)

    @cached_property
    def tally(self) -> Tally:
        """Count the text's characters."""
        return Tally.of(self.text)

    @cached_property
    def line_starts(self) -> Numbers:
        """Return where each line starts."""
        return np.array([line.start for line in self.lines], np.int64)

    @cached_property
    def line_ends(self) -> Numbers:
        """Return where each line ends."""
        return np.array([line.end for line in self.lines], np.int64)

    @cached_property
    def line_lefts(self) -> Numbers:
        """Return where each line begins with its blanks."""
        return np.array(self._line_starts, np.int64)

    def line_at(self, place: int) -> int:
        """Return the number of the line that holds a place, the first one for a place before it."""
        return max(bisect_right(self._line_starts, place) - 1, 0)

    def lines_at(self, places: Numbers) -> Numbers:
        """Return what `line_at` does of many places."""
        return np.maximum(np.searchsorted(self.line_lefts, places, "right") - 1, 0)

    def line_text(self, number: int) -> str:
        """Return a line without the blanks around it."""
        line = self.lines[number]
        return self.text[line.start : line.end]

    def on_one_page(self, starts: Numbers, ends: Numbers) -> npt.NDArray[np.bool_]:
        """Say of each place whether it lies in one page, and not on both sides of what was left out."""
        first, last = (np.searchsorted(self._starts, places, "right") for places in (starts, ends - 1))
        return np.asarray(first == last)

    def grounding(self, start: int, end: int) -> Grounding:
        """Turn a place in the whole text into one in its page."""
        index = bisect_right(self._starts, start) - 1
        piece = self._pieces[index]
        shift = piece.start - self._starts[index]
        return located(Grounded.EXACT, piece.page, (start + shift, end + shift))

    def _cut(self) -> list[Line]:
        lines = []
        at = 0
        for row in self.text.split("\n"):
            bare = row.strip()
            if bare:
                start = at + len(row) - len(row.lstrip())
                lines.append(Line(start, start + len(bare), at))
            at += len(row) + 1
        return lines


def searched_part(document: Document) -> str:
    """Say which characters of a long document are in its sheet."""
    first = f"the first {FIRST_CHARS:,} and the last {LAST_CHARS:,} characters"
    length = len(document.text)
    if not document.cut:
        return f"{first} of {length:,}"
    return f"{first} of the {length:,} that were read" if length > MAX_CHARS else f"the {length:,} that were read"


def _pieces(pages: Sequence[Page]) -> list[_Piece]:
    """Return what is looked at of each page; a page from which the middle is left out has two pieces."""
    length = sum(len(page.text) for page in pages)
    if length <= MAX_CHARS:
        return [_Piece(page, 0, page.text) for page in pages]
    pieces = []
    before = 0
    for page in pages:
        size = len(page.text)
        first = min(max(FIRST_CHARS - before, 0), size)
        last = min(max(length - LAST_CHARS - before, 0), size)
        if first < size:
            first = page.text.rfind("\n", 0, first) + 1 or first  # no number is cut in two
        if last > 0:
            last = page.text.find("\n", last) + 1 or last
        pieces += [
            _Piece(page, start, page.text[start:end]) for start, end in ((0, first), (last, size)) if start < end
        ]
        before += size
    return pieces


@lru_cache(maxsize=16384)
def folded(word: str) -> str:
    """Return a word in lower case without accents."""
    if word.isascii():
        return word.lower()
    return "".join(one for one in unicodedata.normalize("NFKD", word.casefold()) if not unicodedata.combining(one))
