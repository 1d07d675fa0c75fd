"""How much may be in flight: so many rows, and not too many pictures of pages with them."""

from __future__ import annotations

import asyncio

from slmbatch.types import Document

PICTURE_BYTES = 2**28  # some 2,000 pages; a request that waits in a batch holds them once more, as text


class Window:
    """Lets rows in as others leave. One task alone may enter; any may leave."""

    def __init__(self, rows: int, *, picture_bytes: int = PICTURE_BYTES) -> None:
        self._rows = asyncio.Semaphore(rows)
        self._most = picture_bytes
        self._held = 0
        self._left = asyncio.Event()

    async def enter(self, document: Document) -> None:
        """Wait until there is room for this document; one with too many pictures is let in alone."""
        await self._rows.acquire()
        size = _picture_bytes(document)
        while size and self._held and self._held + size > self._most:
            self._left.clear()
            await self._left.wait()
        self._held += size

    def leave(self, document: Document) -> None:
        """Make room."""
        self._held -= _picture_bytes(document)
        self._left.set()
        self._rows.release()


def _picture_bytes(document: Document) -> int:
    return sum(len(page.picture.jpeg) for page in document.pages if page.picture is not None)
