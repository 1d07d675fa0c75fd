"""Where the characters of a PDF's page stand, asked of PDFium for many at once, and how the places of words are kept.

Places are left, top, right and bottom, as PDFium has them: in points, y upwards.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Sequence
from functools import cache
from itertools import repeat
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pypdfium2

    Places: TypeAlias = npt.NDArray[np.float32]

LEFT, TOP, RIGHT, BOTTOM = range(4)
AT_ONCE = 4096


def boxes(layer: pypdfium2.PdfTextPage, characters: Sequence[int]) -> Places:
    """Return where these characters stand. The boxes are loose: as high as the font, whatever the letter."""
    import numpy as np

    ask, room, pointers = _asking()
    page = ctypes.cast(layer.raw, ctypes.c_void_p)
    told = np.empty((len(characters), 4), np.float32)
    for start in range(0, len(characters), AT_ONCE):
        some = characters[start : start + AT_ONCE]
        deque(map(ask, repeat(page), some, pointers), 0)
        told[start : start + AT_ONCE] = room[: len(some)]
    return told


@cache
def _asking() -> tuple[Any, Places, list[Any]]:
    """Return PDFium's function, room for what it tells, and pointers there.

    The function is without pypdfium2's list of argument types: checking them takes twice as long as the function.
    """
    import numpy as np
    from pypdfium2 import raw

    ask = ctypes.cast(raw.FPDFText_GetLooseCharBox, ctypes.PYFUNCTYPE(ctypes.c_int))
    room = (raw.FS_RECTF * AT_ONCE)()
    pointers = [ctypes.byref(room, at * ctypes.sizeof(raw.FS_RECTF)) for at in range(AT_ONCE)]
    return ask, np.frombuffer(room, np.float32).reshape(AT_ONCE, 4), pointers


def turned(places: Places, rotation: int) -> Places:
    """Turn places as a page is turned clockwise to be shown, so that its writing goes to the right."""
    import numpy as np

    if not rotation:
        return places
    left, top, right, bottom = places.T
    edges = {
        90: [bottom, -left, top, -right],
        180: [-right, -bottom, -left, -top],
        270: [-top, right, -bottom, left],
    }
    return np.column_stack(edges[rotation])


def shares(places: Places, page: Places) -> Places:
    """Turn places on a page, whose own place is given as one more, into shares of it from its top left."""
    import numpy as np

    left, top, right, bottom = page.tolist()
    size = np.array([(right - left) or 1, (bottom - top) or 1] * 2, np.float32)
    told: Places = (places - np.array([left, top] * 2, np.float32)) / size
    return told


def pack(places: npt.ArrayLike) -> bytes:
    """Write left, top, right and bottom of each word, given as shares of the page, as Layout.places has them."""
    import numpy as np

    return (np.clip(places, 0, 1) * 65535 + 0.5).astype("<u2").tobytes()
