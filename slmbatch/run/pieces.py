"""Pieces of a text that is longer than a context: where it is split, and what of a document's pages a piece is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from slmbatch.chat import Completion
from slmbatch.checks.grounding import located
from slmbatch.tasks.spans import scan
from slmbatch.types import PAGE_BREAK, Document, Grounding, Leaf

OVERLAP = 400  # characters, about five lines, that two pieces share: a row or sentence at the border is whole in one
OVERLAP_SHARE = 8  # at most that part of a piece
LEAST = 200  # characters: a shorter piece isn't halved
HALVINGS = 5  # of one piece, one after another


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters `start` to `end` of a document's text, all of it unless it's a `part`.

    `halved` counts the halvings that made it.
    """

    start: int
    end: int
    part: bool = False
    halved: int = 0

    def halves(self, text: str, ends: Sequence[int]) -> tuple[Piece, Piece] | None:
        """Return two pieces that together hold this one; None where that's no use any more."""
        if self.end - self.start < LEAST or self.halved >= HALVINGS:
            return None
        limit = self.start + (self.end - self.start) * 3 // 5  # a border is looked for in the third before it
        end = _border(text, self.start, limit, ends)
        halved = self.halved + 1
        return (
            Piece(self.start, end, part=True, halved=halved),
            Piece(_overlapping(text, self.start, end), self.end, part=True, halved=halved),
        )


async def split(text: str, ends: Sequence[int], cut: Callable[[int], Awaitable[int]]) -> list[Piece]:
    """Split a text at the ends of pages, else at blank lines, else at lines, else between words.

    `cut` returns where what fits ends if it begins at a place; `ends` are the ends of the pages, in order.
    """
    pieces: list[Piece] = []
    start = 0
    while True:
        limit = await cut(start)
        if limit >= len(text):
            return [*pieces, Piece(start, len(text), part=True)]
        end = _border(text, start, max(limit, start + 1), ends)
        pieces.append(Piece(start, end, part=True))
        start = _overlapping(text, start, end)


def page_ends(document: Document) -> list[int]:
    """Return where each page ends in the document's text."""
    starts = page_starts(document)
    return [starts[page.number] + len(page.text) for page in document.pages]


def page_starts(document: Document) -> dict[int, int]:
    """Return where each page begins in the document's text, by its number."""
    starts, at = {}, 0
    for page in document.pages:
        starts[page.number] = at
        at += len(page.text) + len(PAGE_BREAK)
    return starts


def view(document: Document, piece: Piece) -> tuple[Document, Mapping[int, int]]:
    """Return what of the document a piece is, page by page, and what is left out before it of each page, by number.

    Pages come without their layout, which knows only whole pages.
    """
    pages, left_out, starts = [], {}, page_starts(document)
    for page in document.pages:
        at = starts[page.number]
        start, end = max(piece.start - at, 0), min(piece.end - at, len(page.text))
        if start < end:
            pages.append(replace(page, text=page.text[start:end], layout=None))
            left_out[page.number] = start
    return replace(document, pages=tuple(pages)), left_out


def in_document(leaves: Sequence[Leaf], document: Document, left_out: Mapping[int, int]) -> list[Leaf]:
    """Return leaves that were found in a piece with their places in the document, boxes and OCR scores included."""
    pages = {page.number: page for page in document.pages}

    def moved(at: Grounding) -> Grounding:
        if at.page is None or at.start is None or at.end is None:
            return at
        before = left_out[at.page]
        place = located(at.found, pages[at.page], (at.start + before, at.end + before))
        return replace(place, distance=at.distance)

    return [replace(leaf, grounding=moved(leaf.grounding)) for leaf in leaves]


def breaks_off_listing(completion: Completion) -> bool:
    """Say whether a reply was cut short among the items of a list, of which it had more to tell.

    A model that repeats one item over and over has nothing more to tell.
    """
    if not completion.cut_short:
        return False
    reply = scan(completion.text)
    if reply.whole or not reply.leaves or "[" not in reply.leaves[-1].path:
        return False
    listed = reply.leaves[-1].path.partition("[")[0] + "["
    items: dict[str, list[str | None]] = {}
    for leaf in reply.leaves:
        if leaf.path.startswith(listed):
            items.setdefault(leaf.path.removeprefix(listed).partition("]")[0], []).append(leaf.text)
    return 2 * len({tuple(item) for item in items.values()}) > len(items)


def _border(text: str, start: int, limit: int, ends: Sequence[int]) -> int:
    """Return the best place for a border in the last third before `limit`."""
    least = limit - (limit - start) // 3
    page = bisect_right(ends, limit) - 1
    if page >= 0 and ends[page] > least:
        return ends[page]
    for mark in ("\n\n", "\n", " "):
        at = text.rfind(mark, least, limit)
        if at >= 0:
            return at + len(mark)
    return limit


def _overlapping(text: str, start: int, end: int) -> int:
    """Return where the piece after one begins: with a line of it, if there's one in the overlap."""
    earliest = end - min(OVERLAP, (end - start) // OVERLAP_SHARE)
    line = text.find("\n", earliest, end - 1)
    return line + 1 if line >= 0 else earliest
