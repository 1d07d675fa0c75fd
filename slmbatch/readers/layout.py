"""Lines and columns of a PDF's page, from where its words stand: wide gaps, and rows that were told in pieces.

The words, and their order within a piece, are PDFium's own. What is asked of each word is asked of all at once, with
numpy: one by one it takes half as long again as all that PDFium does.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING

from slmbatch.places import Layout
from slmbatch.readers.boxes import BOTTOM, LEFT, RIGHT, TOP, boxes, pack, shares, turned
from slmbatch.readers.kinds import BLANK, BREAK, kinds
from slmbatch.readers.rows import COLUMN_GAP, WIDE, Piece, Row

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pypdfium2

    from slmbatch.readers.boxes import Places

REMOVED = "\0\ufffe"  # PDFium leaves U+FFFE where it joined a word that was hyphenated over two lines
MOST = 100  # rows at one height among which the rest of one is looked for


def laid_out(layer: pypdfium2.PdfTextPage, page: pypdfium2.PdfPage) -> tuple[str, Layout | None]:
    """Return a page's text as PDFium tells it, with COLUMN_GAP for wide gaps and each row of a table on one line.

    With it comes where each word stands, unless PDFium doesn't tell.
    """
    text = layer.get_text_range()
    if layer.count_chars() != len(text):  # places are counted in what PDFium holds, which has something else
        return cleaned(text), None
    rotation = page.get_rotation()
    rows, places = _told(layer, text, rotation)
    lines = _lines(rows)
    told = cleaned("\n".join([COLUMN_GAP.join([one.text for one in line]) for line in lines]))
    if len(lines) < len(rows):
        places = places[[word for line in lines for one in line for word in one.words]]
    if not len(places) or len(told.split()) != len(places):  # a word of nothing but what is left out
        return told, None
    width, height = page.get_size()
    return told, Layout(width, height, "pt", pack(shares(places, _edges(page, rotation))))


def _edges(page: pypdfium2.PdfPage, rotation: int) -> Places:
    """Return where the page's own edges are, turned as the places on it are."""
    import numpy as np

    west, south, east, north = page.get_bbox()
    edges: Places = turned(np.array([[west, north, east, south]], np.float32), rotation)[0]
    return edges


def _told(layer: pypdfium2.PdfTextPage, text: str, rotation: int) -> tuple[list[Row[Piece]], Places]:
    """Return the rows that PDFium tells, cut at wide gaps, and the places of all words.

    A row is as high as its first character. `opens` tells of each word whether a row, then whether a piece begins.
    """
    import numpy as np

    kind = kinds(text)
    inked = np.zeros(len(kind) + 2, np.bool_)
    inked[1:-1] = kind < BLANK
    edges = np.flatnonzero(inked[1:] != inked[:-1])
    starts, ends = edges[::2].tolist(), edges[1::2].tolist()
    asked = turned(boxes(layer, [*starts, *[end - 1 for end in ends]]), rotation)
    first, last = asked[: len(starts)], asked[len(starts) :]
    line = np.searchsorted(np.flatnonzero(kind >= BREAK), edges[::2])  # line breaks before each word
    opens = np.ones(len(starts), np.bool_)
    np.not_equal(line[1:], line[:-1], out=opens[1:])
    rows = np.flatnonzero(opens)
    bottom, top = first[rows, BOTTOM], first[rows, TOP]
    left, right = first[:, LEFT], last[:, RIGHT]
    wide = WIDE * (top - bottom)[np.cumsum(opens) - 1]
    opens[1:] |= left[1:] > right[:-1] + wide[1:]
    opens |= _jumps(left, opens)
    heads = np.flatnonzero(opens)  # the first word of each piece
    cuts = [*np.searchsorted(heads, rows).tolist(), len(heads)]
    lefts, rights = left.tolist(), right.tolist()
    pieces = [
        Piece(text[starts[one] : ends[two - 1]], lefts[one], rights[two - 1], range(one, two))
        for one, two in pairwise([*heads.tolist(), len(starts)])
    ]
    return [
        Row(pieces[one:two], low, high)
        for (one, two), low, high in zip(pairwise(cuts), bottom.tolist(), top.tolist(), strict=True)
    ], _around(first, last)


def _jumps(left: npt.NDArray[np.float32], opens: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Tell which words stand left of the one before and of their piece's first; `opens` tells the first of each piece.

    A word that PDFium joined over two lines ends at the left, and the next one goes on there.
    """
    import numpy as np

    back = np.zeros(len(left), np.bool_)
    back[1:] = (left[1:] < left[:-1]) & ~opens[1:]
    if back.any():
        head = np.maximum.accumulate(np.where(opens, np.arange(len(opens)), 0))
        back &= left < left[head]
    return back


def _around(first: Places, last: Places) -> Places:
    """Return the boxes around two each."""
    import numpy as np

    around = np.maximum(first, last)
    for edge in (LEFT, BOTTOM):
        np.minimum(first[:, edge], last[:, edge], out=around[:, edge])
    return around


def _lines(rows: list[Row[Piece]]) -> list[list[Piece]]:
    """Bring together what is one row of a table, and return the lines in pieces from left to right."""
    middles = [(one.bottom + one.top) / 2 for one in rows]
    order = sorted(range(len(rows)), key=middles.__getitem__)
    heights = [middles[at] for at in order]
    lines: dict[int, Row[Piece]] = {}
    last = 0
    for at, row in enumerate(rows):
        if not (lines and lines[last].goes_on(row)):
            begin, end = bisect_right(heights, row.bottom), bisect_left(heights, row.top)
            last = at
            if end - begin > 1:
                near = sorted(one for one in order[begin : min(end, begin + MOST)] if one in lines)
                last = next((one for one in reversed(near) if lines[one].takes(row)), at)
        if last == at:
            lines[at] = row
        else:
            lines[last].add(row)
    return [one.pieces for one in lines.values()]


def cleaned(text: str) -> str:
    r"""Leave out what is no character of the page; line ends become \n."""
    for one in REMOVED:
        text = text.replace(one, "")
    return text.replace("\r\n", "\n").replace("\r", "\n")
