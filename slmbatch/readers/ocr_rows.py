"""What OCR found on a picture, put into rows: what stands at one height is on one line, the page's slant taken off.

Places are in pixels; y goes downwards in corners, upwards in rows and places.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from slmbatch.readers.rows import WIDE, Row

Corners: TypeAlias = Sequence[Sequence[float]]
Place: TypeAlias = tuple[float, float, float, float]  # of a word: left, bottom, right, top


class Word(NamedTuple):
    """A word that was read: its corners in pixels, y downwards, and how sure the OCR is of it (0 to 1)."""

    text: str
    corners: Corners
    score: float


@dataclass(slots=True)
class Piece:
    """Words without a wide gap between them: their left and right edge, places and scores."""

    text: str
    left: float
    right: float
    words: list[Place]
    scores: list[float]


class Line(NamedTuple):
    """Words that were found in one stretch, and its four corners clockwise from the top left."""

    words: list[Word]
    corners: Corners


def rows_of(lines: Sequence[Line]) -> Iterator[list[Piece]]:
    """Put what stands at one height on one line, from top to bottom, the page's slant taken off.

    A picture doesn't tell columns of prose from those of a table. Keeping the former apart, as layout does where the
    PDF's own order tells them, lost 12 of 202 fields of invoices.
    """
    slant = _slant(lines)
    rows = sorted((_row(line, slant) for line in lines), key=lambda row: -(row.bottom + row.top))
    while rows:
        first = rows[0]
        level: list[Row[Piece]] = []
        others: list[Row[Piece]] = []
        for row in rows:
            (level if row is first or first.beside(row) else others).append(row)
        rows = others
        yield list(_joined(level))


def _joined(level: Sequence[Row[Piece]]) -> Iterator[Piece]:
    """Yield the pieces of one height from left to right; those that no wide gap divides are one."""
    last: Piece | None = None
    for row in sorted(level, key=lambda row: row.pieces[0].left):
        (piece,) = row.pieces
        if last is not None and piece.left - last.right < WIDE * (row.top - row.bottom):
            last.text += f" {piece.text}"
            last.right = piece.right
            last.words += piece.words
            last.scores += piece.scores
        else:
            if last is not None:
                yield last
            last = piece
    if last is not None:
        yield last


def _row(line: Line, slant: float) -> Row[Piece]:
    """Make a row of one line: its height is that across the writing, its middle where the page's left edge would be."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = line.corners
    half = (math.dist((x0, y0), (x3, y3)) + math.dist((x1, y1), (x2, y2))) / 4
    middle = slant * (x0 + x1 + x2 + x3) / 4 - (y0 + y1 + y2 + y3) / 4
    text = " ".join(word.text for word in line.words)
    places, scores = [_place(word) for word in line.words], [word.score for word in line.words]
    left, right = min(place[0] for place in places), max(place[2] for place in places)
    return Row([Piece(text, left, right, places, scores)], middle - half, middle + half)


def _place(word: Word) -> Place:
    across, down = [corner[0] for corner in word.corners], [corner[1] for corner in word.corners]
    return min(across), -max(down), max(across), -min(down)


def _slant(lines: Sequence[Line]) -> float:
    """Return how far lines fall per pixel to the right: the median, longer lines counting more."""
    tilts = []
    for line in lines:
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = line.corners
        length, height = (x1 + x2 - x0 - x3) / 2, (y3 + y2 - y0 - y1) / 2
        if length > 3 * height:
            tilts.append(((y1 + y2 - y0 - y3) / 2 / length, length))
    tilts.sort()
    half = sum(length for _, length in tilts) / 2
    for tilt, length in tilts:
        half -= length
        if half <= 0:
            return tilt
    return 0.0
