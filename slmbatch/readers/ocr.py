"""Pictures of pages to text, with rapidocr: its models come with the package, so nothing is fetched.

One thread, since pages are read in several processes. Pages on their side or upside down are turned.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from slmbatch.chat import Picture
from slmbatch.places import Layout
from slmbatch.readers.boxes import pack
from slmbatch.readers.jpeg import as_jpeg
from slmbatch.readers.ocr_rows import Corners, Line, Word, rows_of
from slmbatch.readers.rows import COLUMN_GAP
from slmbatch.readers.turning import as_it_lies, turns_to_try
from slmbatch.types import Page

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Pixels: TypeAlias = npt.NDArray[np.uint8]  # rows of blue, green and red

INSTALL = "pip install 'slmbatch[ocr]'"
NOTHING = "no text was found on it by OCR"
POOR = 0.85  # a page's mean score below which its text is told to be doubtful
PICTURE_SIDE, PICTURE_QUALITY = 1568, 80  # what most models look at; Anthropic's make larger ones smaller themselves
SIDE = 2000  # pixels of the longer side that letters are read at: A4 at 170 dpi
# Measured: faster and better than the defaults (benchmarks/README.md). Lines are found on a smaller picture than they
# are read on. Few lines are longer than the others, and in a batch all are as long as the longest.
SETTINGS = {
    "Global.log_level": "critical",
    "Global.use_cls": False,
    "Global.max_side_len": SIDE,
    "Global.return_word_box": True,
    "Det.limit_type": "max",
    "Det.limit_side_len": 960,
    "Rec.rec_batch_num": 1,
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
}


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
        rows = list(rows_of(lines))
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  four libraries without a common error; a page's failure is its note
        return Page(number, "", f"OCR failed on it ({type(error).__name__}: {error})")
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

    A page on its side is turned in any case: its lines may be read well, but in no useful order.
    """
    lines = list(_lines(pixels))
    told, mean = _told(lines)
    tried = turns_to_try([line.corners for line in lines], poor=mean < POOR)
    best, turns = 0.0 if len(tried) > 1 else told, 0
    for one in tried:
        again = list(_lines(_turned(pixels, one)))
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


@cache
def _engine() -> Any:
    """Load the models, once in a process."""
    import cv2
    from rapidocr import RapidOCR

    cv2.setNumThreads(1)
    return RapidOCR(params=SETTINGS)


def _lines(pixels: Pixels) -> Iterator[Line]:
    """Find and read the lines of a picture, in no useful order."""
    found = _engine()(pixels)
    if found.txts is None:
        return
    for text, corners, score, pieces in zip(found.txts, found.boxes, found.scores, found.word_results, strict=True):
        if "".join(text.split()) == "".join(part.strip() for part, *_ in pieces):
            yield Line(list(_words(text, pieces)), corners.tolist())
        else:
            yield Line(list(_spread(text, score, corners.tolist())), corners.tolist())


def _words(text: str, pieces: Sequence[tuple[str, float, Any]]) -> Iterator[Word]:
    """Put together what blanks divide: the engine's own words end elsewhere too, as between Chinese characters."""
    rest = iter(pieces)
    for word in text.split():
        parts, length = [], 0
        while length < len(word):
            parts.append(next(rest))
            length += len(parts[-1][0].strip())
        corners = [corner for _, _, box in parts for corner in box]
        yield Word(word, corners, min(1.0, *(score for _, score, _ in parts)))


def _spread(text: str, score: float, corners: Corners) -> Iterator[Word]:
    """Share a line out among its words by their letters, where the engine doesn't tell of each or tells otherwise."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners
    for found in re.finditer(r"\S+", text):
        ends = [place / len(text) for place in found.span()]
        above = [(x0 + (x1 - x0) * end, y0 + (y1 - y0) * end) for end in ends]
        below = [(x3 + (x2 - x3) * end, y3 + (y2 - y3) * end) for end in ends]
        yield Word(found[0], [*above, *below], min(1.0, score))
