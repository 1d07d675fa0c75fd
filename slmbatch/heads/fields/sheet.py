"""A document laid out for rules: its lines and words, with places counted over all pages. Knows no fields."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from slmbatch.types import Document, Grounded, Grounding

MAX_CHARS = 40_000  # of the beginning; header fields and totals of longer documents aren't looked for further on
WORD = re.compile(r"[^\W\d_]+|[#№]")
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Line:
    """One line that isn't blank. `start` and `end` leave out the blanks around it; `left` is where the line begins."""

    start: int
    end: int
    left: int
    page: int


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a text in order, folded (lower case, no accents), and where each starts and ends."""

    texts: list[str]
    starts: list[int]
    ends: list[int]


class Sheet:
    """The text of all pages as one, one line break between them. Places in it are turned back into places in pages."""

    def __init__(self, document: Document) -> None:
        room = MAX_CHARS
        self._pages = document.pages
        self._starts: list[int] = []
        parts: list[str] = []
        at = 0
        for page in document.pages:
            self._starts.append(at)
            text = page.text[: max(room, 0)]
            room -= len(text)
            parts.append(text)
            at += len(text) + 1
        self.text = "\n".join(parts)
        self.lines = self._cut()
        self._line_starts = [line.left for line in self.lines]

    @cached_property
    def words(self) -> Words:
        """Cut the text into words."""
        spans = [found.span() for found in WORD.finditer(self.text)]
        texts = [folded(self.text[start:end]) for start, end in spans]
        return Words(texts, [start for start, _ in spans], [end for _, end in spans])

    @cached_property
    def letters(self) -> Numbers:
        """Count the letters and digits before each place, the end included."""
        return _counted(np.char.isalnum(self._characters))

    @cached_property
    def blanks(self) -> Numbers:
        """Count the blanks before each place, where two spaces count nothing: they only fill a line."""
        spaces = self._characters == " "
        places = np.arange(len(spaces))
        second = (places - np.maximum.accumulate(np.where(spaces, -1, places))) % 2 == 0
        return _counted(np.char.isspace(self._characters) * np.where(spaces & second, -1, 1))

    @cached_property
    def _characters(self) -> npt.NDArray[np.str_]:
        return np.frombuffer(self.text.encode("utf-32-le", "surrogatepass"), "<U1")

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

    def line_text(self, number: int) -> str:
        """Return a line without the blanks around it."""
        line = self.lines[number]
        return self.text[line.start : line.end]

    @property
    def paged(self) -> bool:
        """Say whether there are several pages."""
        return len(self._starts) > 1

    def on_one_page(self, start: int, end: int) -> bool:
        """Say whether a place lies in one page."""
        return bisect_right(self._starts, start) == bisect_right(self._starts, end - 1)

    def grounding(self, start: int, end: int) -> Grounding:
        """Turn a place in the whole text into one in its page."""
        index = bisect_right(self._starts, start) - 1
        first = self._starts[index]
        return Grounding(Grounded.EXACT, self._pages[index].number, start - first, end - first)

    def _cut(self) -> list[Line]:
        lines = []
        at = page = 0
        for row in self.text.split("\n"):
            if page + 1 < len(self._starts) and at >= self._starts[page + 1]:
                page = bisect_right(self._starts, at) - 1
            bare = row.strip()
            if bare:
                start = at + len(row) - len(row.lstrip())
                lines.append(Line(start, start + len(bare), at, page))
            at += len(row) + 1
        return lines


def _counted(marks: npt.NDArray[np.generic]) -> Numbers:
    """Add up what is before each place, and at the end all."""
    counts = np.zeros(len(marks) + 1, np.int64)
    np.cumsum(marks, out=counts[1:])
    return counts


@lru_cache(maxsize=16384)
def folded(word: str) -> str:
    """Return a word in lower case without accents."""
    if word.isascii():
        return word.lower()
    return "".join(one for one in unicodedata.normalize("NFKD", word.casefold()) if not unicodedata.combining(one))
