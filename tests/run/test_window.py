"""What may be in flight at once."""

from __future__ import annotations

import asyncio

from slmbatch.chat import Picture
from slmbatch.run.window import Window
from slmbatch.types import Document, Page

TURNS = 9  # of the event loop: whatever can go on has


def document(picture_bytes: int) -> Document:
    picture = Picture(b"x" * picture_bytes, 10, 10) if picture_bytes else None
    return Document("d", "d.pdf", None, (Page(1, "text", picture=picture), Page(2, "text")))


async def entering(window: Window, picture_bytes: int) -> asyncio.Task[None]:
    task = asyncio.create_task(window.enter(document(picture_bytes)))
    for _ in range(TURNS):
        await asyncio.sleep(0)
    return task


async def left(window: Window, picture_bytes: int) -> None:
    window.leave(document(picture_bytes))
    for _ in range(TURNS):
        await asyncio.sleep(0)


def test_rows_wait_for_others_to_leave_and_pictures_for_pictures() -> None:
    async def enter_and_leave() -> None:
        window = Window(3, picture_bytes=100)
        assert (await entering(window, 60)).done()
        assert (await entering(window, 0)).done()
        waiting = await entering(window, 60)
        assert not waiting.done()
        await left(window, 0)
        assert not waiting.done()
        await left(window, 60)
        assert waiting.done()
        assert (await entering(window, 40)).done()
        assert (await entering(window, 0)).done()
        fourth = await entering(window, 0)
        assert not fourth.done()
        await left(window, 0)
        assert fourth.done()

    asyncio.run(enter_and_leave())


def test_a_document_with_more_pictures_than_all_may_have_goes_in_alone() -> None:
    async def enter() -> None:
        window = Window(9, picture_bytes=100)
        assert (await entering(window, 500)).done()
        assert (await entering(window, 0)).done()
        waiting = await entering(window, 1)
        assert not waiting.done()
        await left(window, 500)
        assert waiting.done()

    asyncio.run(enter())
