"""Pictures of pages as JPEG."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from slmbatch.chat import Picture

if TYPE_CHECKING:
    from PIL.Image import Image


def as_jpeg(image: Image, side: int, quality: int) -> Picture:
    """Make an image smaller, until its longer side has at most `side` pixels, and a JPEG of it."""
    image.thumbnail((side, side))
    stream = io.BytesIO()
    image.convert("RGB").save(stream, "JPEG", quality=quality, optimize=True)
    return Picture(stream.getvalue(), *image.size)
