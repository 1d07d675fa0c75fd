"""Lines and columns of a page, from where PDFium says that its characters are: wide gaps, and rows it told in pieces.

Words, and their order within a piece, are PDFium's own. Places are in PDF points, y upwards.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pypdfium2

COLUMN_GAP = "   "
WIDE = 0.8  # font heights between two words, from which they stand in two columns
LOOK_BACK = 40  # lines in which the rest of a row is looked for
FEW_LETTERS = 3  # of a number with its currency or unit

_LINE, _WORD = re.compile(r"[^\r\n]+"), re.compile(r"\S+")


@dataclass(slots=True)
class Piece:
    """A stretch of text without a wide gap: its characters from `start` to `end`, its left and right edge."""

    start: int
    end: int
    left: float
    right: float


@dataclass(slots=True)
class Row:
    """What stands on one line of the page. `number` says whether a piece of it is one."""

    pieces: list[Piece]
    bottom: float
    top: float
    number: bool

    def takes(self, other: Row) -> bool:
        """Say whether another row is the rest of this one: at its height, beside its pieces.

        Only numbers bring rows together, so that columns of prose stay apart.
        """
        return (
            self.bottom < (other.bottom + other.top) / 2 < self.top
            and other.bottom < (self.bottom + self.top) / 2 < other.top
            and (self.number or other.number)
            and all(
                one.left >= two.right - 1 or one.right <= two.left + 1 for one in other.pieces for two in self.pieces
            )
        )


class Boxes:
    """Where the characters of one page stand. PDFium's loose boxes are as high as the font, whatever the letter."""

    def __init__(self, layer: pypdfium2.PdfTextPage) -> None:
        from pypdfium2 import raw

        self._page, self._ask = layer.raw, raw.FPDFText_GetLooseCharBox
        self.box = raw.FS_RECTF()
        self._into = ctypes.byref(self.box)  # one for all: making one takes longer than asking

    def ask(self, index: int) -> None:
        """Let `box` be that of a character."""
        self._ask(self._page, index, self._into)


def laid_out(layer: pypdfium2.PdfTextPage, text: str) -> str:
    """Return the page's text as PDFium tells it, with COLUMN_GAP for wide gaps and each row of a table on one line."""
    if layer.count_chars() != len(text):  # places are counted in what PDFium holds, which has something else
        return text
    boxes = Boxes(layer)
    rows: list[Row] = []
    for line in _LINE.finditer(text):
        row = _row(boxes, text, line)
        if row is None:
            continue
        before = next((one for one in rows[: -LOOK_BACK - 1 : -1] if one.takes(row)), None)
        if before is None:
            rows.append(row)
        else:
            before.pieces = sorted([*before.pieces, *row.pieces], key=lambda one: one.left)
            before.number |= row.number
    return "\n".join(COLUMN_GAP.join(text[one.start : one.end] for one in row.pieces) for row in rows)


def _row(boxes: Boxes, text: str, line: re.Match[str]) -> Row | None:
    """Cut a line of PDFium's text at its wide gaps; its height is that of its first character."""
    pieces: list[Piece] = []
    box, bottom, top, last = boxes.box, 0.0, 0.0, None
    for word in _WORD.finditer(text, *line.span()):
        start, end = word.span()
        boxes.ask(start)
        left, right = box.left, box.right
        if last is None:
            bottom, top = box.bottom, box.top
        if end - start > 1:
            boxes.ask(end - 1)
            right = box.right
        if last is not None and last.left <= left <= last.right + WIDE * (top - bottom):
            last.end, last.right = end, right
        else:
            last = Piece(start, end, left, right)
            pieces.append(last)
    return Row(pieces, bottom, top, _has_number(text, pieces)) if pieces else None


def _has_number(text: str, pieces: Sequence[Piece]) -> bool:
    parts = [text[one.start : one.end] for one in pieces]
    return any(any(map(str.isdigit, part)) and sum(map(str.isalpha, part)) <= FEW_LETTERS for part in parts)
