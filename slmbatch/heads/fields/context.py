"""Where candidates stand to the labels around them: beside one on its line, under one, or after one further up.

Every array here has one entry per candidate. Label owners are bit sets, one bit per leaf.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slmbatch.heads.fields.candidates import Candidate
from slmbatch.heads.fields.labels import Label, by_line
from slmbatch.heads.fields.sheet import Sheet, Word

LINES_ABOVE = 3
SECTION_LINES = 8  # how far below its heading a name may stand
Bits = npt.NDArray[np.int64]
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


def read_context(sheet: Sheet, candidates: Sequence[Candidate], labels: Sequence[Label]) -> Context:
    """Look around every candidate. Candidates are in the order of the document."""
    ends = [label.end for label in labels]
    printed = by_line(labels)
    ranks = _ranks(candidates)
    bits = np.zeros((7, len(candidates)), np.int64)
    numbers = np.zeros((5, len(candidates)))
    rows: dict[int, _Above] = {}
    for index, one in enumerate(candidates):
        nearest = bisect_right(ends, one.start) - 1
        if nearest >= 0 and labels[nearest].line == one.line:
            label = labels[nearest]
            bits[0, index], bits[6, index] = label.owners, label.owners if label.words > 1 else 0
            gap = sheet.text[label.end : one.start]
            numbers[0, index] = 1.0
            numbers[1, index] = not any(map(str.isalnum, gap))
            numbers[2, index] = min(sum(map(str.isspace, gap.replace("  ", ""))), 3) if not numbers[1, index] else 0
            bits[1, index] = _earlier(labels, nearest, one.line)
        above = rows.get(one.line)
        if above is None:
            above = rows[one.line] = _Above.of(sheet, printed, one.line)
        bits[3, index], bits[4, index], bits[5, index] = above.alone, above.any, above.section
        bits[2, index] = above.column(sheet, one, ranks[index])
        numbers[3, index] = above.head != ()
        numbers[4, index] = above.distance
    return Context(*bits, *numbers)


def _earlier(labels: Sequence[Label], nearest: int, line: int) -> int:
    owners = 0
    for label in reversed(labels[max(0, nearest - 4) : nearest]):
        if label.line != line:
            break
        owners |= label.owners
    return owners


def _ranks(candidates: Sequence[Candidate]) -> list[int]:
    """Count, for each candidate, the places after it on its line."""
    places = sorted({(one.line, one.start) for one in candidates}, reverse=True)
    seen: Counter[int] = Counter()
    ranks = {}
    for line, start in places:
        ranks[start] = seen[line]
        seen[line] += 1
    return [ranks[one.start] for one in candidates]


@dataclass(frozen=True, slots=True)
class _Above:
    """The labels above one line: those of the nearest line that has several or is nothing but one, and all."""

    head: Sequence[Label]
    alone: int
    any: int
    section: int
    distance: int

    @classmethod
    def of(cls, sheet: Sheet, labels: Mapping[int, Sequence[Label]], line: int) -> _Above:
        head: Sequence[Label] = ()
        alone = everywhere = section = distance = 0
        for back in range(1, min(SECTION_LINES, line) + 1):
            there = labels.get(line - back, ())
            if not there:
                continue
            owners = [label.owners for label in there]
            if any(owners) and not section:
                section, distance = next(one for one in reversed(owners) if one), back
            if back <= LINES_ABOVE:
                head = head or there
                for one in owners:
                    everywhere |= one
            if back == 1 and len(there) == 1 and _is_all(sheet, there[0]):
                alone = owners[0]
        return cls(head, alone, everywhere, section, distance)

    def column(self, sheet: Sheet, one: Candidate, rank: int) -> int:
        """Return the owners of the label above it: the one that lies over it, else the one as far from the right."""
        if not self.head:
            return 0
        here, there = sheet.lines[one.line].left, sheet.lines[self.head[0].line].left
        if len(self.head) > 1 and rank < len(self.head):
            return self.head[len(self.head) - 1 - rank].owners
        for label in self.head:
            if label.start - there < one.end - here and label.end - there > one.start - here:
                return label.owners
        return 0


def _is_all(sheet: Sheet, label: Label) -> bool:
    row = sheet.lines[label.line]
    rest = sheet.text[row.start : label.start] + sheet.text[label.end : row.end]
    return sum(map(str.isalnum, rest)) <= 2


def words_around(sheet: Sheet, one: Candidate, printed: Sequence[Word], starts: Sequence[int]) -> list[str]:
    """Return the words that tell a place: up to four before it on its line, the first two of the line above."""
    row = sheet.lines[one.line]
    here = bisect_right(starts, one.start - 1)
    found = []
    for word in reversed(printed[max(0, here - 4) : here]):
        if word.start < row.start:
            break
        found.append(f"left {word.text}")
    if one.line:
        above = sheet.lines[one.line - 1]
        first = bisect_right(starts, above.start - 1)
        found += [f"above {word.text}" for word in printed[first : first + 2] if word.end <= above.end]
    return found
