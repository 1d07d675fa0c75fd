"""Images of pages: scans and photos, several pages in a TIFF. Opened with Pillow, read by OCR."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from slmbatch.readers.ocr import INSTALL, Extent, has_ocr, read_picture
from slmbatch.readers.pool import still_at_work
from slmbatch.readers.sources import Content, Reading, gather, stream_of
from slmbatch.types import Page

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")
MAX_PIXELS = 100_000_000  # A4 at 800 dpi, A1 at 300: larger ones are made to fill memory
TOO_LARGE = f"an image of more than {MAX_PIXELS // 1_000_000} million pixels, which isn't read; make it smaller"
SIDE = 4000  # pixels of the longer side that are kept: letters are read on fewer
# What Pillow raises for damaged files beside OSError; it documents no closed set.
_DAMAGED = (
    ValueError,
    SyntaxError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    struct.error,
)


def read_image(content: Content, *, pictures: int = 0) -> Reading:
    """Read an image; whatever is wrong with it is the reading's problem. Raises OSError for an unreadable file.

    `pictures`: how many pages may keep theirs, see `gather`.
    """
    if not has_ocr():
        return Reading(problem=f"an image, whose text only OCR can read: {INSTALL}")
    with stream_of(content) as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the limit of pixels here is ours, and what is damaged is in the note
        return gather(_pages(stream), only="the image", pictures=pictures)


def _pages(stream: BinaryIO) -> Iterator[Page]:
    for number, picture in enumerate(frames(stream), 1):
        still_at_work()
        yield Page(number, "", picture) if isinstance(picture, str) else _read(number, picture)


def frames(stream: BinaryIO) -> Iterator[Image | str]:
    """Yield one page after the other, or why there is none; where the file is damaged, no other one follows."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(stream, formats=FORMATS) as image:
            count = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1  # elsewhere they are animations
            for index in range(count):
                image.seek(index)
                yield _upright(image) if image.width * image.height <= MAX_PIXELS else TOO_LARGE
    except UnidentifiedImageError:
        yield f"no image of the kinds {', '.join(FORMATS)}, whatever its name says"
    except Image.DecompressionBombError:
        yield TOO_LARGE
    except (OSError, *_DAMAGED) as error:
        yield f"the image is damaged ({error})"


def _read(number: int, picture: Image) -> Page:
    import numpy as np

    extent = Extent(picture.width, picture.height, "px")
    picture.thumbnail((SIDE, SIDE))
    return read_picture(number, np.ascontiguousarray(np.asarray(picture)[..., ::-1]), extent)


def _upright(image: Image) -> Image:
    """Turn a photo as its camera was held, on white ground where it's transparent, with colours of 8 bits.

    With MAX_PIXELS each copy is 400 MB, and a worker may take 2 GiB: so some steps are done in place.
    """
    import numpy as np
    from PIL import Image, ImageOps

    turned = ImageOps.exif_transpose(image)
    if turned.mode.startswith(("I", "F")):
        deep = np.array(turned, dtype=np.float32)  # of 16 bits or more, and seldom all of them used
        low, high = deep.min(), deep.max()
        deep -= low
        deep *= 255 / ((high - low) or 1)
        turned = Image.fromarray(deep.astype(np.uint8))
    if turned.has_transparency_data:
        pane = turned.convert("RGBA")
        turned = Image.new("RGB", pane.size, "white")
        turned.paste(pane, mask=pane)
    return turned.convert("RGB")
