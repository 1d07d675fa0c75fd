"""Lines and columns of a page, from where its words stand: wide gaps, and rows that were told in pieces.

Of PDFs the words, and their order within a piece, are PDFium's own. Places are in any unit, y upwards.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from slmbatch.places import Layout

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pypdfium2

COLUMN_GAP = "   "
WIDE = 0.8  # font heights between two words, from which they stand in two columns
LOOK_BACK = 40  # lines in which the rest of a row is looked for
FEW_LETTERS = 3  # of a number with its currency or unit
REMOVED = "\0\ufffe"  # PDFium leaves U+FFFE where it joined a word that was hyphenated over two lines

Place: TypeAlias = tuple[float, float, float, float]  # of a word: left, bottom, right, top; of a page too
_LINE, _WORD, _WORDS = re.compile(r"[^\r\n]+"), re.compile(rf"[^\s{REMOVED}]\S*"), re.compile(r"\S+")
_CLEANED = dict.fromkeys(map(ord, REMOVED))


@dataclass(slots=True)
class Piece:
    """A stretch of text without a wide gap: its left and right edge, its words' places, and scores if OCR read it."""

    text: str
    left: float
    right: float
    words: list[Place]
    scores: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Row:
    """What stands on one line of the page. `number` says whether a piece of it is one."""

    pieces: list[Piece]
    bottom: float
    top: float
    number: bool

    def beside(self, other: Row) -> bool:
        """Say whether another row stands at this one's height, beside its pieces."""
        return (
            self.bottom < (other.bottom + other.top) / 2 < self.top
            and other.bottom < (self.bottom + self.top) / 2 < other.top
            and all(
                one.left >= two.right - 1 or one.right <= two.left + 1 for one in other.pieces for two in self.pieces
            )
        )

    def takes(self, other: Row) -> bool:
        """Say whether another row is the rest of this one. Only numbers bring rows together: prose has columns."""
        return (self.number or other.number) and self.beside(other)


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


def laid_out(layer: pypdfium2.PdfTextPage, page: pypdfium2.PdfPage) -> tuple[str, Layout | None]:
    """Return a page's text as PDFium tells it, with COLUMN_GAP for wide gaps and each row of a table on one line.

    With it comes where each word stands, unless PDFium doesn't tell.
    """
    text = layer.get_text_range()
    if layer.count_chars() != len(text):  # places are counted in what PDFium holds, which has something else
        return cleaned(text), None
    boxes = Boxes(layer)
    rows = (_row(boxes, text, line) for line in _LINE.finditer(text))
    told, pieces = _arranged(row for row in rows if row is not None)
    told, words = cleaned(told), [place for piece in pieces for place in piece.words]
    width, height = page.get_size()
    if not words or len(words) != len(_WORDS.findall(told)):
        return told, None
    return told, Layout(width, height, "pt", pack(_shares(words, page.get_bbox(), page.get_rotation())))


def _arranged(rows: Iterable[Row]) -> tuple[str, list[Piece]]:
    """Bring together what is one row of a table, and return the lines as a text, and the pieces that it's made of."""
    lines: list[Row] = []
    for row in rows:
        before = next((one for one in lines[: -LOOK_BACK - 1 : -1] if one.takes(row)), None)
        if before is None:
            lines.append(row)
        else:
            before.pieces = sorted([*before.pieces, *row.pieces], key=lambda one: one.left)
            before.number |= row.number
    text = "\n".join(COLUMN_GAP.join(one.text for one in row.pieces) for row in lines)
    return text, [piece for row in lines for piece in row.pieces]


def cleaned(text: str) -> str:
    r"""Leave out what is no character of the page; line ends become \n."""
    return text.translate(_CLEANED).replace("\r\n", "\n").replace("\r", "\n")


def _has_number(parts: Iterable[str]) -> bool:
    """Say whether one of these is a number, with its currency or unit at most."""
    return any(any(map(str.isdigit, part)) and sum(map(str.isalpha, part)) <= FEW_LETTERS for part in parts)


def _row(boxes: Boxes, text: str, line: re.Match[str]) -> Row | None:
    """Cut a line of PDFium's text at its wide gaps; its height is that of its first character."""
    pieces: list[Piece] = []
    box, bottom, top, begin, last = boxes.box, 0.0, 0.0, 0, None
    for word in _WORD.finditer(text, *line.span()):
        start, end = word.span()
        boxes.ask(start)
        left, low, right, high = box.left, box.bottom, box.right, box.top
        if last is None:
            bottom, top = low, high
        place = left, low, right, high
        if end - start > 1:
            boxes.ask(end - 1)
            right = box.right
            place = min(left, box.left), min(low, box.bottom), max(place[2], right), max(high, box.top)
        if last is not None and last.left <= left <= last.right + WIDE * (top - bottom):
            last.text, last.right = text[begin:end], right
            last.words.append(place)
        else:
            begin = start
            last = Piece(text[begin:end], left, right, [place])
            pieces.append(last)
    return Row(pieces, bottom, top, _has_number(one.text for one in pieces)) if pieces else None


def pack(places: npt.ArrayLike) -> bytes:
    """Write left, top, right and bottom of each word, given as shares of the page, as Layout.places has them."""
    import numpy as np

    numbers: npt.NDArray[np.uint16] = np.clip(np.rint(np.asarray(places) * 65535), 0, 65535).astype("<u2")
    return numbers.tobytes()


def _shares(words: Sequence[Place], page: Place, rotation: int) -> npt.NDArray[np.float64]:
    """Turn places on a page into shares of it as it is shown: left, top, right, bottom."""
    import numpy as np

    west, south, east, north = page
    places = np.array(words)
    x = (places[:, [0, 2]] - west) / ((east - west) or 1)
    y = (north - places[:, [3, 1]]) / ((north - south) or 1)
    match rotation:
        case 90:
            x, y = 1 - y[:, ::-1], x
        case 180:
            x, y = 1 - x[:, ::-1], 1 - y[:, ::-1]
        case 270:
            x, y = y, 1 - x[:, ::-1]
    return np.column_stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]])
