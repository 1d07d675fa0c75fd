import pytest

from slmbatch.readers.sources import MAX_CHARS, MAX_PAGES, gather, numbered


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
