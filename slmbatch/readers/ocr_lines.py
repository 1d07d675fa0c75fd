"""Lines of text on a picture, with rapidocr: its models come with the package, so nothing is fetched.

One thread, since pages are read in several processes. Knows no pages: the lines are in no useful order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from slmbatch.readers.sources import Unreadable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Corners: TypeAlias = Sequence[Sequence[float]]
    Pixels: TypeAlias = npt.NDArray[np.uint8]  # rows of blue, green and red

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


class Word(NamedTuple):
    """A word that was read: its corners in pixels, y downwards, and how sure the OCR is of it (0 to 1)."""

    text: str
    corners: Corners
    score: float


class Line(NamedTuple):
    """Words that were found in one stretch, and its four corners clockwise from the top left."""

    words: list[Word]
    corners: Corners


@cache
def _engine() -> Any:
    """Load the models, once in a process."""
    import cv2
    from rapidocr import RapidOCR

    cv2.setNumThreads(1)
    return RapidOCR(params=SETTINGS)


def _seen(pixels: Pixels) -> Any:
    """Let the engine look at a picture, and nothing else. Raises Unreadable for whatever that raises.

    It's made of four libraries that have no error in common (rapidocr, OpenCV, onnxruntime, numpy), and rapidocr's own
    errors are in modules that it doesn't document.
    """
    try:
        return _engine()(pixels)
    except MemoryError:  # the file's, whose process is replaced
        raise
    except Exception as error:
        raise Unreadable(f"OCR failed on it ({type(error).__name__}: {error})") from error


def read_lines(pixels: Pixels) -> Iterator[Line]:
    """Find and read the lines of a picture. Raises Unreadable."""
    found = _seen(pixels)
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
