import tracemalloc

import pytest

from slmbatch.chat import Picture
from slmbatch.readers.sources import MAX_CHARS, MAX_PAGES, gather, numbered
from slmbatch.types import Page


@pytest.mark.parametrize(("more", "cut"), [(0, False), (1, True)])
def test_exactly_as_many_pages_as_are_kept_are_told_from_more(more: int, cut: bool) -> None:
    reading = gather(numbered([("page", None)] * (MAX_PAGES + more)))
    assert (len(reading.pages), reading.pages[-1].number, reading.cut) == (MAX_PAGES, MAX_PAGES, cut)


@pytest.mark.parametrize(
    ("texts", "cut"), [(["b" * 9], False), (["b" * 9, ""], False), (["b" * 9, "c"], True), (["b" * 10], True)]
)
def test_exactly_as_many_characters_as_are_kept_are_told_from_more(texts: list[str], cut: bool) -> None:
    reading = gather(numbered((text, None) for text in ["a" * (MAX_CHARS - 9), *texts]))
    assert (sum(len(page.text) for page in reading.pages), reading.cut) == (MAX_CHARS, cut)


@pytest.mark.parametrize(
    ("notes", "problem"),
    [
        (["blurred"], "the only page: blurred"),
        (["blurred", "blurred"], "all 2 pages: blurred"),
        (["blurred", "torn"], "none of 2 pages can be read, page 1: blurred"),
        ([], "the file is damaged: it has no pages"),
    ],
)
def test_pages_without_text_tell_why(notes: list[str], problem: str) -> None:
    assert gather(numbered(("", note) for note in notes)).problem == problem


def test_pictures_beyond_those_to_keep_are_not_held_while_a_long_scan_is_read() -> None:
    pages = (Page(number, "poor", picture=Picture(bytes(2**20), 100, 100)) for number in range(1, 101))
    tracemalloc.start()
    reading = gather(pages, pictures=3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [page.number for page in reading.pages if page.picture is not None] == [1, 2, 3]
    assert len(reading.pages) == 100
    assert peak < 10 * 2**20
