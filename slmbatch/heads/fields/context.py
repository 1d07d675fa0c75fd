"""Where candidates stand to the labels around them: beside one on its line, under one, or after one further up.

Every array here has one entry per candidate. Label owners are bit sets, one bit per leaf.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from slmbatch.heads.fields.candidates import Candidate
from slmbatch.heads.fields.labels import Label
from slmbatch.heads.fields.sheet import Sheet, Words

LINES_ABOVE = 3
SECTION_LINES = 8  # how far below its heading a name may stand
EARLIER = 4  # labels before the nearest one on its line
_FAR = -(1 << 20)  # the number of a line that no other is below by so few lines
Bits = npt.NDArray[np.int64]
Places = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Context:
    """The owners of the labels around each candidate (bit sets), and how they stand to it.

    `left` is the nearest label to the left on the line, `line` any other to the left, `column` one above it in the
    same column, `alone` a line just above that is nothing but a label, `above` any label in LINES_ABOVE, `section`
    the last label in SECTION_LINES. `labelled` says whether `left` has anybody's label, nobody's included. What stands
    beside its heading is taken to stand below it.
    """

    left: Bits
    line: Bits
    column: Bits
    alone: Bits
    above: Bits
    section: Bits
    long: Bits
    labelled: Flags
    touching: Flags
    between: Places
    column_labelled: Flags
    section_distance: Places


class Where(NamedTuple):
    """Where candidates stand, as arrays. `kinds` numbers their kinds, and grows; places grow within a kind.

    `headed` says of which the label beside it is a heading that it stands under.
    """

    starts: Places
    ends: Places
    lines: Places
    kinds: Places
    headed: Flags

    @classmethod
    def of(cls, kinds: Sequence[Sequence[Candidate]], headed: Flags) -> Where:
        """Put the candidates of all kinds after each other."""
        everyone = list(chain.from_iterable(kinds))
        return cls(
            np.array([one.start for one in everyone], np.int64),
            np.array([one.end for one in everyone], np.int64),
            np.array([one.line for one in everyone], np.int64),
            np.repeat(np.arange(len(kinds)), [len(some) for some in kinds]),
            headed,
        )

    def kept(self, keep: Flags) -> Where:
        """Leave out the others."""
        return Where(self.starts[keep], self.ends[keep], self.lines[keep], self.kinds[keep], self.headed[keep])


class Surroundings:
    """The labels of one document, and what stands above each of its lines."""

    def __init__(self, sheet: Sheet, labels: Sequence[Label]) -> None:
        """Take the labels in the order of the document."""
        self._sheet = sheet
        places = [(one.start, one.end, one.line, one.owners, one.words) for one in labels]
        places.append((0, 0, -1, 0, 0))  # the last one is found where there is no label
        self._starts, self._ends, self._rows, self._owners, words = np.array(places, np.int64).T
        self._long = self._owners * (words > 1)
        self._earlier = self._earlier_owners()
        self._above = _Above.of(sheet, self._starts[:-1], self._ends[:-1], self._rows[:-1], self._owners[:-1])

    def context(self, where: Where) -> Context:
        """Look around every candidate."""
        sheet, above, lines = self._sheet, self._above, where.lines
        nearest = np.searchsorted(self._ends[:-1], where.starts, "right") - 1
        on_line = self._rows[nearest] == lines
        gap = self._ends[nearest]
        touching = on_line & (sheet.tally.letters[gap] == sheet.tally.letters[where.starts])
        between = np.where(on_line & ~touching, sheet.tally.blanks[where.starts] - sheet.tally.blanks[gap], 0)
        left = np.where(on_line, self._owners[nearest], 0)
        return Context(
            left=left,
            line=np.where(on_line, self._earlier[nearest], 0),
            column=self._column(where),
            alone=np.where(where.headed, left, above.alone[lines]),
            above=above.everywhere[lines],
            section=np.where(where.headed, left, above.section[lines]),
            long=np.where(on_line, self._long[nearest], 0),
            labelled=on_line & ~where.headed,
            touching=touching,
            between=np.minimum(between, 3),
            column_labelled=above.number[lines] > 0,
            section_distance=np.where(where.headed, 1, above.distance[lines]),
        )

    def _earlier_owners(self) -> Bits:
        """Return the owners of up to EARLIER labels before each one on its line."""
        owners: Bits = np.zeros_like(self._owners)
        for back in range(1, EARLIER + 1):
            same = self._rows[back:] == self._rows[:-back]
            owners[back:] |= np.where(same, self._owners[:-back], 0)
        return owners

    def _column(self, where: Where) -> Bits:
        """Return the owners of the label above each: the one that lies over it, else the one as far from the right."""
        left = self._sheet.line_lefts[where.lines]
        starts, ends = where.starts - left, where.ends - left
        count, first, head = (
            table[where.lines] for table in (self._above.number, self._above.first, self._above.head_left)
        )
        rank = _ranks(where)
        from_right = (count > 1) & (count > rank)
        column = np.where(from_right, self._owners[first + np.maximum(count - 1 - rank, 0)], 0)
        open_ = np.flatnonzero(~from_right & (count > 0))
        place = 0
        while len(open_):  # the labels of the line above, from the left
            label = first[open_] + place
            over = (self._starts[label] - head[open_] < ends[open_]) & (self._ends[label] - head[open_] > starts[open_])
            column[open_[over]] = self._owners[label[over]]
            place += 1
            open_ = open_[~over & (count[open_] > place)]
        return column


def _ranks(where: Where) -> Places:
    """Count, for each candidate, the places of its kind after it on its line."""
    keys = where.kinds << 32 | where.starts
    places, first, which = np.unique(keys, return_index=True, return_inverse=True)
    rows = where.kinds[first] << 32 | where.lines[first]
    last = np.searchsorted(rows, rows, "right") - 1
    return np.asarray((last - np.arange(len(places)))[which])


class _Above(NamedTuple):
    """What stands above each line, see Context: `number` labels from `first` on are on the next line up that has any.

    `head_left` is where that line begins.
    """

    alone: Bits
    everywhere: Bits
    section: Bits
    distance: Places
    number: Places
    first: Places
    head_left: Places

    @classmethod
    def of(cls, sheet: Sheet, starts: Places, ends: Places, rows: Places, owners: Bits) -> _Above:
        """Take the labels as arrays, in the order of the document."""
        lines = np.arange(len(sheet.lines))
        first = np.searchsorted(rows, lines)
        count = np.searchsorted(rows, lines, "right") - first
        owned = owners > 0
        everybody, last = np.zeros(len(lines), np.int64), np.zeros(len(lines), np.int64)
        np.bitwise_or.at(everybody, rows, owners)
        last[rows[owned]] = owners[owned]  # the last one stays
        letters = sheet.tally.letters[sheet.line_ends] - sheet.tally.letters[sheet.line_starts]
        bare = np.zeros(len(lines), bool)  # nothing but a label
        bare[rows] = letters[rows] - (sheet.tally.letters[ends] - sheet.tally.letters[starts]) <= 2
        head, to_head = _before(count > 0)
        section, to_section = _before(everybody > 0)
        headed, sectioned = to_head <= LINES_ABOVE, to_section <= SECTION_LINES
        everywhere = np.zeros(len(lines), np.int64)
        for back in range(1, LINES_ABOVE + 1):
            everywhere[back:] |= everybody[:-back]
        alone = np.zeros(len(lines), np.int64)
        alone[1:] = np.where(bare & (count == 1), everybody, 0)[:-1]
        return cls(
            alone,
            everywhere,
            np.where(sectioned, last[section], 0),
            np.where(sectioned, to_section, 0),
            np.where(headed, count[head], 0),
            first[head],
            sheet.line_lefts[head],
        )


def _before(marked: Flags) -> tuple[Places, Places]:
    """Return the nearest marked line above each line, and how far up it is: very far where there is none."""
    lines = np.arange(len(marked))
    latest = np.append(_FAR, np.maximum.accumulate(np.where(marked, lines, _FAR)))[:-1]
    return np.maximum(latest, 0), lines - latest


def words_around(sheet: Sheet, one: Candidate, printed: Words) -> list[str]:
    """Return the words that tell a place: up to four before it on its line, the first two of the line above."""
    row = sheet.lines[one.line]
    here = _words_before(printed, one.start)
    first = max(_words_before(printed, row.start), here - 4)
    found = [f"left {word}" for word in reversed(printed.texts[first:here])]
    if one.line:
        above = sheet.lines[one.line - 1]
        first = _words_before(printed, above.start)
        found += [
            f"above {word}"
            for word, (_, end) in zip(printed.texts[first : first + 2], printed.spans[first : first + 2], strict=True)
            if end <= above.end
        ]
    return found


def _words_before(printed: Words, place: int) -> int:
    """Count the words that start before a place."""
    return bisect_left(printed.spans, place, key=itemgetter(0))
