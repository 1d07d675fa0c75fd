from collections.abc import Sequence

from slmbatch.readers.pdf import read_pdf

from .made import placed_pdf


def lines(*texts: tuple[float, float, str]) -> Sequence[str]:
    return read_pdf(placed_pdf([texts])).pages[0].text.split("\n")


def test_wide_gaps_are_kept_and_words_stay_together() -> None:
    assert lines((72, 700, "two words"), (200, 700, "12.50"), (300, 700, "EUR")) == ["two words   12.50   EUR"]


def test_a_table_that_is_drawn_by_columns_is_read_by_rows() -> None:
    names = [(72.0, 700.0 - 20 * row, name) for row, name in enumerate(("10 sheets", "Paper", "Ink"))]
    amounts = [(300.0, 700.0 - 20 * row, text) for row, text in enumerate(("7.00", "1.00", "20.00"))]
    assert lines(*names, *amounts) == ["10 sheets   7.00", "Paper   1.00", "Ink   20.00"]


def test_columns_of_prose_stay_apart() -> None:
    left = [(72.0, 700.0 - 14 * row, f"left {word}") for row, word in enumerate(("one", "two"))]
    right = [(320.0, 700.0 - 14 * row, f"right {word}") for row, word in enumerate(("one", "two"))]
    assert lines(*left, *right) == ["left one", "left two", "right one", "right two"]
