"""Pages that a model is shown as pictures, beside the text: those whose text the OCR is mostly unsure of."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from slmbatch.chat import Request
from slmbatch.run.passages import GAP
from slmbatch.run.pieces import Piece, page_starts
from slmbatch.types import Document, Page

MOST_PAGES = 4  # in one request: a picture takes as many tokens as three pages of text
SHARE_OF_ROOM = 0.5  # of a context, for pictures


def passages_of(text: str, shown: str) -> list[Piece]:
    """Return where the passages that are shown of a text stand in it."""
    found = ((text.find(one), len(one)) for one in map(str.strip, shown.split(GAP)) if one)
    return [Piece(start, start + length) for start, length in found if start >= 0]


def shown_pages(document: Document, pieces: Sequence[Piece] | None, room: int | None) -> list[Page]:
    """Return the pages to show with what is asked about pieces, or about all; `room` is for pictures and text."""
    starts, left = page_starts(document), MOST_PAGES
    tokens = None if room is None else room * SHARE_OF_ROOM
    shown = []
    for page in document.pages:
        start = starts[page.number]
        end = start + len(page.text)
        inside = pieces is None or any(one.start < end and start < one.end for one in pieces)
        if page.picture is None or not inside or not left:
            continue
        if tokens is not None:
            tokens -= page.picture.tokens
            if tokens < 0:
                break
        shown.append(page)
        left -= 1
    return shown


def picture_tokens(pages: Sequence[Page]) -> int:
    """About how many tokens of input the pictures of these pages take."""
    return sum(page.picture.tokens for page in pages if page.picture is not None)


def with_pictures(request: Request, pages: Sequence[Page]) -> Request:
    """Show these pages in a request about their text."""
    if not pages:
        return request
    *before, last = request.messages
    which = ", ".join(str(page.number) for page in pages)
    note = f"\n\nThe text of page {which} was read poorly. Each such page is shown: copy from the picture."
    pictures = tuple(page.picture for page in pages if page.picture is not None)
    return replace(request, messages=(*before, replace(last, content=last.content + note, pictures=pictures)))


def as_seen(document: Document, numbers: Collection[int]) -> Document:
    """Return the document without the OCR's scores of pages with these numbers: a model has looked for itself."""

    def seen(page: Page) -> Page:
        if page.number not in numbers or page.layout is None:
            return page
        return replace(page, layout=replace(page.layout, scores=b""))

    return replace(document, pages=tuple(map(seen, document.pages))) if numbers else document
