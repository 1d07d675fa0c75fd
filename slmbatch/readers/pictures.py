"""Pictures of single pages, for a person to look at: of PDFs and of images, also those inside archives and mails.

PDFium isn't thread-safe and can crash, so pages are drawn in a worker process.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from slmbatch.chat import Picture
from slmbatch.readers.images import frames
from slmbatch.readers.jpeg import as_jpeg
from slmbatch.readers.pool import Pool
from slmbatch.readers.sources import KINDS, MAILS, Content, Unreadable, stream_of
from slmbatch.readers.unpack import content_of

if TYPE_CHECKING:
    from PIL.Image import Image

DRAWN = tuple(suffix for suffix, kind in KINDS.items() if kind in {"pdf", "image"})
SIDE = 1400  # pixels of the longer side: A4 at 120 dpi, on which 7 point print can be read
QUALITY = 55
GONE = "isn't there any more, as seen from this folder"
CHANGED = "the file has changed since it was read; the same command again reads it anew"
NO_PAGE = "the file has no such page any more"


@dataclass(frozen=True, slots=True)
class PageWanted:
    """A page, from 1, of the document `id` in the file `source`, unless that was changed after `read_at` (Unix time).

    The document is the file itself or lies in it, at the end of its id. Of some pages of a file (a split one) `id` is
    the id of the whole, in which `page` counts.
    """

    source: str
    id: str
    page: int
    read_at: float


def draw_pages(wanted: Iterable[PageWanted]) -> Generator[Picture | str, None, None]:
    """Yield the picture of each page, or why there's none, in order. Close it to stop the worker process."""
    pool = Pool(draw_page, _crashed, workers=1)
    try:
        yield from pool.map(wanted, here=lambda _: False)
    finally:
        pool.close()


def draw_page(wanted: PageWanted) -> Picture | str:
    """Draw one page; whatever is wrong is told."""
    import pypdfium2

    path = Path(wanted.source)
    try:
        if path.stat().st_mtime > wanted.read_at:
            return CHANGED
        kind = KINDS.get(path.suffix.lower())
        inside = wanted.id.partition(f"{path.name}/")[2] if kind == "zip" or kind in MAILS else ""
        content = content_of(path, kind, inside)
        is_pdf = KINDS.get(Path(wanted.id).suffix.lower()) == "pdf"
        drawn = _of_pdf(content, wanted.page) if is_pdf else _of_image(content, wanted.page)
    except FileNotFoundError:
        return f"{wanted.source} {GONE}"
    except OSError as error:
        return f"the file can't be read: {error.strerror or error}"
    except Unreadable as error:
        return str(error)
    except pypdfium2.PdfiumError as error:
        return f"the page can't be drawn ({error})"
    return drawn if isinstance(drawn, str) else as_jpeg(drawn, SIDE, QUALITY)


def _of_pdf(content: Content, number: int) -> Image | str:
    import pypdfium2

    with closing(pypdfium2.PdfDocument(content)) as document:
        if number > len(document):
            return NO_PAGE
        with closing(document[number - 1]) as page:
            drawn: Image = page.render(scale=SIDE / max(*page.get_size(), 1)).to_pil()
            return drawn


def _of_image(content: Content, number: int) -> Image | str:
    with stream_of(content) as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return next(islice(frames(stream), number - 1, None), NO_PAGE)


def _crashed(wanted: PageWanted) -> Picture | str:  # noqa: ARG001  which one is shown beside
    return "drawing the page crashed, or took too long"
