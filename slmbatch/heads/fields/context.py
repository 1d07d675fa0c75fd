"""Where candidates stand to the labels around them: beside one on its line, under one, or after one further up.

Every array here has one entry per candidate. Label owners are bit sets, one bit per leaf.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from slmbatch.heads.fields.candidates import Candidate
from slmbatch.heads.fields.labels import Label, by_line
from slmbatch.heads.fields.sheet import Sheet, Words

LINES_ABOVE = 3
SECTION_LINES = 8  # how far below its heading a name may stand
_LETTER, _BLANK = re.compile(r"[^\W_]"), re.compile(r"\s")
_Place: TypeAlias = tuple[int, int, int]  # of a label: start and end from the left of its line, owners
Bits = npt.NDArray[np.int64]
Places = npt.NDArray[np.intp]
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Context:
    """The owners of the labels around each candidate (bit sets), and how they stand to it.

    `left` is the nearest label to the left on the line, `line` any other to the left, `column` one above it in the
    same column, `alone` a line just above that is nothing but a label, `above` any label in LINES_ABOVE, `section`
    the last label in SECTION_LINES. `labelled` says whether `left` has anybody's label, nobody's included.
    """

    left: Bits
    line: Bits
    column: Bits
    alone: Bits
    above: Bits
    section: Bits
    long: Bits
    labelled: Numbers
    touching: Numbers
    between: Numbers
    column_labelled: Numbers
    section_distance: Numbers


class Surroundings:
    """The labels of one document, and what stands above each of its lines."""

    def __init__(self, sheet: Sheet, labels: Sequence[Label]) -> None:
        """Take the labels in the order of the document."""
        self._sheet = sheet
        self._labels = labels
        self._ends = [label.end for label in labels]
        table = [
            (one.line, one.owners, self._earlier(at), one.owners * (one.words > 1)) for at, one in enumerate(labels)
        ]
        self._table = np.array([*table, (-1, 0, 0, 0)], np.int64)  # the last one is found where there is no label
        printed = {line: _Printed.of(sheet, line, there) for line, there in by_line(labels).items()}
        self._heads: list[Sequence[_Place]] = []
        above = [self._look_up(line, printed) for line in range(len(sheet.lines))]
        self._above = np.array(above, np.int64).reshape(-1, 5)

    def context(self, candidates: Sequence[Candidate]) -> Context:
        """Look around every candidate."""
        count = len(candidates)
        starts = np.array([one.start for one in candidates], np.intp)
        lines = np.array([one.line for one in candidates], np.intp)
        nearest = np.searchsorted(self._ends, starts, "right") - 1
        labels = self._table[nearest]
        on_line = labels[:, 0] == lines
        left, earlier, long = np.where(on_line, labels[:, 1:].T, 0)
        touching, between = np.zeros(count), np.zeros(count)
        for index in np.flatnonzero(on_line).tolist():
            gap = self._sheet.text[self._ends[nearest[index]] : starts[index]]
            touching[index] = _LETTER.search(gap) is None
            between[index] = 0 if touching[index] else min(len(_BLANK.findall(gap.replace("  ", ""))), 3)
        alone, above, section, headed, distance = self._above[lines].T
        column = np.zeros(count, np.int64)
        ranks = _ranks(starts, lines).tolist()
        for index in np.flatnonzero(headed).tolist():
            column[index] = self._column(candidates[index], ranks[index])
        numbers = (
            on_line.astype(np.float64),
            touching,
            between,
            headed.astype(np.float64),
            distance.astype(np.float64),
        )
        return Context(left, earlier, column, alone, above, section, long, *numbers)

    def _earlier(self, nearest: int) -> int:
        """Return the owners of up to four labels before one on its line."""
        owners = 0
        for label in reversed(self._labels[max(0, nearest - 4) : nearest]):
            if label.line != self._labels[nearest].line:
                break
            owners |= label.owners
        return owners

    def _column(self, one: Candidate, rank: int) -> int:
        """Return the owners of the label above it: the one that lies over it, else the one as far from the right."""
        head, left = self._heads[one.line], self._sheet.lines[one.line].left
        if 1 < len(head) > rank:
            return head[len(head) - 1 - rank][2]
        for start, end, owners in head:
            if start < one.end - left and end > one.start - left:
                return owners
        return 0

    def _look_up(self, line: int, printed: Mapping[int, _Printed]) -> tuple[int, int, int, int, int]:
        """Return `alone`, `above`, `section`, `column_labelled` and `section_distance` of the context of a line."""
        head: Sequence[_Place] = ()
        alone = everywhere = section = distance = 0
        for back in range(1, SECTION_LINES + 1):
            there = printed.get(line - back)
            if there is None:
                continue
            if there.owners and not section:
                section, distance = there.last, back
            if back <= LINES_ABOVE:
                head = head or there.places
                everywhere |= there.owners
            if back == 1 and there.alone:
                alone = there.owners
        self._heads.append(head)
        return alone, everywhere, section, head != (), distance


def _ranks(starts: Places, lines: Places) -> Places:
    """Count, for each candidate, the places after it on its line."""
    places, first, which = np.unique(starts, return_index=True, return_inverse=True)
    rows = lines[first]
    last = np.searchsorted(rows, rows, "right") - 1
    return np.asarray((last - np.arange(len(places)))[which])


@dataclass(frozen=True, slots=True)
class _Printed:
    """The labels of one line: their places from its left and owners; the last owners; whether it is only a label."""

    places: Sequence[_Place]
    owners: int
    last: int
    alone: bool

    @classmethod
    def of(cls, sheet: Sheet, line: int, labels: Sequence[Label]) -> _Printed:
        left = sheet.lines[line].left
        places = [(label.start - left, label.end - left, label.owners) for label in labels]
        everybody = last = 0
        for label in labels:
            everybody |= label.owners
            last = label.owners or last
        return cls(places, everybody, last, len(labels) == 1 and _is_all(sheet, labels[0]))


def _is_all(sheet: Sheet, label: Label) -> bool:
    row = sheet.lines[label.line]
    rest = sheet.text[row.start : label.start] + sheet.text[label.end : row.end]
    return len(_LETTER.findall(rest)) <= 2


def words_around(sheet: Sheet, one: Candidate, printed: Words) -> list[str]:
    """Return the words that tell a place: up to four before it on its line, the first two of the line above."""
    row = sheet.lines[one.line]
    here = bisect_right(printed.starts, one.start - 1)
    first = max(bisect_right(printed.starts, row.start - 1), here - 4)
    found = [f"left {word}" for word in reversed(printed.texts[first:here])]
    if one.line:
        above = sheet.lines[one.line - 1]
        first = bisect_right(printed.starts, above.start - 1)
        last = bisect_right(printed.ends, above.end, first, min(first + 2, len(printed.ends)))
        found += [f"above {word}" for word in printed.texts[first:last]]
    return found
