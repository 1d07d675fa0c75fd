"""Pictures of pages to text: the lines that OCR finds, in rows. Pages on their side or upside down are turned."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from slmbatch.chat import Picture
from slmbatch.places import Layout
from slmbatch.readers.jpeg import as_jpeg
from slmbatch.readers.layout import COLUMN_GAP, WIDE, Piece, Place, Row, pack
from slmbatch.readers.ocr_lines import Line, Word, read_lines
from slmbatch.readers.sources import Unreadable
from slmbatch.readers.turning import as_it_lies, turns_to_try
from slmbatch.types import Page

if TYPE_CHECKING:
    from slmbatch.readers.ocr_lines import Pixels

INSTALL = "pip install 'slmbatch[ocr]'"
NOTHING = "no text was found on it by OCR"
POOR = 0.85  # a page's mean score below which its text is told to be doubtful
PICTURE_SIDE, PICTURE_QUALITY = 1568, 80  # what most models look at; Anthropic's make larger ones smaller themselves


class Extent(NamedTuple):
    """How large a page is, in "pt" or "px"."""

    width: float
    height: float
    unit: str


def has_ocr() -> bool:
    """Say whether what OCR needs is installed."""
    try:
        import rapidocr  # noqa: F401
    except ImportError:
        return False
    return True


def read_picture(number: int, pixels: Pixels, extent: Extent) -> Page:
    """Read page `number` from its picture. A text that the OCR is mostly unsure of is told in the page's note."""
    try:
        lines, turns = _upright(pixels)
    except Unreadable as error:
        return Page(number, "", str(error))
    rows = list(_rows(lines))
    if not rows:
        return Page(number, "", NOTHING)
    pixels = _turned(pixels, turns)
    text = "\n".join(COLUMN_GAP.join(piece.text for piece in row) for row in rows)
    down, across = pixels.shape[:2]
    places = [place for row in rows for piece in row for place in piece.words]
    scores = [score for row in rows for piece in row for score in piece.scores]
    shares = [(left / across, -top / down, right / across, -bottom / down) for left, bottom, right, top in places]
    layout = Layout(*extent, pack(as_it_lies(shares, turns)), bytes(round(255 * score) for score in scores))
    mean = sum(scores) / len(scores)
    if mean >= POOR:
        return Page(number, text, layout=layout)
    return Page(number, text, f"OCR is unsure of its text (mean score {mean:.2f})", layout, _picture(pixels))


def _picture(pixels: Pixels) -> Picture:
    """Keep what a larger model may read better."""
    from PIL import Image

    return as_jpeg(Image.fromarray(pixels[..., ::-1]), PICTURE_SIDE, PICTURE_QUALITY)


def _upright(pixels: Pixels) -> tuple[list[Line], int]:
    """Read a page as it lies, and turned where it doesn't seem to be upright; return the best lines, and the turns.

    A page on its side is turned in any case: its lines may be read well, but in no useful order. Raises Unreadable.
    """
    lines = list(read_lines(pixels))
    told, mean = _told(lines)
    tried = turns_to_try([line.corners for line in lines], poor=mean < POOR)
    best, turns = 0.0 if len(tried) > 1 else told, 0
    for one in tried:
        again = list(read_lines(_turned(pixels, one)))
        more, mean = _told(again)
        if more > best:
            lines, best, turns = again, more, one
        if mean >= POOR and more >= told:
            break
    return lines, turns


def _turned(pixels: Pixels, turns: int) -> Pixels:
    import numpy as np

    return np.ascontiguousarray(np.rot90(pixels, turns))


def _told(lines: Sequence[Line]) -> tuple[float, float]:
    """Return how many characters were read, each counted by how sure the OCR is of its word, and the words' mean score.

    Of a page upside down some words seem sure, and most of the others aren't read at all: the mean alone misleads.
    """
    words = [word for line in lines for word in line.words]
    told = sum(word.score * len(word.text) for word in words)
    return told, sum(word.score for word in words) / max(len(words), 1)


def _rows(lines: Sequence[Line]) -> Iterator[list[Piece]]:
    """Put what stands at one height on one line, from top to bottom, the page's slant taken off.

    A picture doesn't tell columns of prose from those of a table. Keeping the former apart, as layout does where the
    PDF's own order tells them, lost 12 of 202 fields of invoices.
    """
    slant = _slant(lines)
    rows = sorted((_row(line, slant) for line in lines), key=lambda row: -(row.bottom + row.top))
    while rows:
        first = rows[0]
        level: list[Row] = []
        others: list[Row] = []
        for row in rows:
            (level if row is first or first.beside(row) else others).append(row)
        rows = others
        yield list(_joined(level))


def _joined(level: Sequence[Row]) -> Iterator[Piece]:
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


def _row(line: Line, slant: float) -> Row:
    """Make a row of one line: its height is that across the writing, its middle where the page's left edge would be."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = line.corners
    half = (math.dist((x0, y0), (x3, y3)) + math.dist((x1, y1), (x2, y2))) / 4
    middle = slant * (x0 + x1 + x2 + x3) / 4 - (y0 + y1 + y2 + y3) / 4
    text = " ".join(word.text for word in line.words)
    places, scores = [_place(word) for word in line.words], [word.score for word in line.words]
    left, right = min(place[0] for place in places), max(place[2] for place in places)
    return Row([Piece(text, left, right, places, scores)], middle - half, middle + half, number=False)


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
