import io
from collections.abc import Sequence

import numpy as np
import pypdfium2
import pytest
from pypdf import PdfReader, PdfWriter, Transformation
from pypdf.generic import RectangleObject

from slmbatch.checks.grounding import located
from slmbatch.readers.pdf import read_pdf
from slmbatch.types import Grounded

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


def test_a_long_table_that_is_drawn_by_columns_is_read_by_rows() -> None:
    names = [(72.0, 800.0 - 12 * row, f"Item {row}.") for row in range(60)]
    amounts = [(300.0, 800.0 - 12 * row, f"{row}.50") for row in range(60)]
    assert lines(*names, *amounts) == [f"Item {row}.   {row}.50" for row in range(60)]


def test_an_amount_that_hangs_lower_than_its_row_is_on_its_line() -> None:
    """Cells are in the middle of their row, or at its top, and some have two lines."""
    rows = [
        [(72.0, up, f"P{up}"), (130.0, up, "Paper"), (130.0, up - 14, "A4 white"), (300.0, up, "2.00"),
         (360.0, up, "10 pcs"), (450.0, up - 13, "20.00")]
        for up in (700, 640)
    ]  # fmt: skip
    expected = ["P700   Paper   2.00   10 pcs   20.00", "A4 white", "P640   Paper   2.00   10 pcs   20.00", "A4 white"]
    assert lines(*rows[0], *rows[1]) == expected


def test_a_number_on_the_next_line_belongs_to_the_words_beside_it() -> None:
    assert lines((72, 700, "Net"), (300, 700, "100.00"), (72, 686, "VAT"), (400, 686, "19.00")) == [
        "Net   100.00",
        "VAT   19.00",
    ]
    assert lines((72, 700, "1"), (110, 687, "4012345"), (200, 700, "Paper"), (300, 700, "7.00")) == [
        "1   Paper   7.00",
        "4012345",
    ]


@pytest.mark.parametrize("number", ["1.", "1.2", "(3)", "§ 4", "12"])
@pytest.mark.parametrize("column", [0, 1])
def test_columns_of_numbered_paragraphs_stay_apart(number: str, column: int) -> None:
    texts = ["The seller shall deliver all", "goods by Monday.", "The buyer shall pay for all", "of them at once."]
    drawn = []
    for at, text in enumerate(texts):
        left = 72.0 + 250 * (at // 2)
        if at == 2 * column:
            drawn.append((left, 700.0, number))
        drawn.append((left + 35, 700.0 - 14 * (at % 2), text))
    texts[2 * column] = f"{number}   {texts[2 * column]}"
    assert lines(*drawn) == texts


@pytest.mark.parametrize("number", ["1.", "1.2", "(3)"])
def test_a_paragraphs_number_does_not_make_short_lines_a_row(number: str) -> None:
    left = [(72.0, 700.0, number), (110.0, 700.0, "Delivery"), (110.0, 686.0, "is free.")]
    right = [(320.0, 700.0, "in two parts, as agreed"), (320.0, 686.0, "before.")]
    assert lines(*left, *right) == [f"{number}   Delivery", "is free.", "in two parts, as agreed", "before."]


def test_a_word_that_is_joined_over_two_lines_leaves_no_gap_after_it() -> None:
    assert lines((72, 700, "all that the ma-"), (72, 686, "chine is for")) == ["all that the machine is for"]


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_a_table_on_a_page_that_is_turned_to_be_shown_is_read_by_rows(turned: int) -> None:
    names = [(72.0, 700.0 - 20 * row, name) for row, name in enumerate(("10 sheets", "Paper", "Ink"))]
    amounts = [(300.0, 700.0 - 20 * row, text) for row, text in enumerate(("7.00", "1.00", "20.00"))]
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(placed_pdf([[*names, *amounts]]))))
    page = writer.pages[0]
    width, height = (842, 595) if turned != 180 else (595, 842)
    to_left, up = {90: (width, 0), 180: (width, height), 270: (0, height)}[turned]
    page.add_transformation(Transformation().rotate(turned).translate(to_left, up))
    page.mediabox = RectangleObject((0, 0, width, height))
    page.rotate(turned)
    out = io.BytesIO()
    writer.write(out)
    (read,) = read_pdf(out.getvalue()).pages
    assert read.text == "10 sheets   7.00\nPaper   1.00\nInk   20.00"
    boxes = [located(Grounded.EXACT, read, page_span(read.text, text)).box for text in ("Paper", "1.00")]
    assert [box and (round(box.left), box.top < 842 - 680 < box.bottom) for box in boxes] == [(72, True), (300, True)]


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
@pytest.mark.parametrize("cut", [False, True])
def test_a_word_is_where_its_ink_is_on_the_page_as_shown(turned: int, cut: bool) -> None:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(placed_pdf([[(200, 700, "two words")]]))))
    if cut:
        writer.pages[0].cropbox = RectangleObject((100, 50, 500, 800))
    writer.pages[0].rotate(turned)
    out = io.BytesIO()
    writer.write(out)
    (page,) = read_pdf(out.getvalue()).pages
    box = located(Grounded.EXACT, page, (0, len(page.text))).box
    shown = pypdfium2.PdfDocument(out.getvalue())[0].render(scale=1, grayscale=True).to_numpy()
    down, across = np.nonzero(shown < 128)
    assert box is not None
    assert (box.width, box.height, box.unit) == (shown.shape[1], shown.shape[0], "pt")
    for told, ink, sign in (
        (box.left, across.min(), -1),
        (box.top, down.min(), -1),
        (box.right, across.max(), 1),
        (box.bottom, down.max(), 1),
    ):
        assert -2 <= sign * (told - ink) <= 6  # as high as the font, which ink isn't


def test_each_word_of_a_table_row_keeps_its_own_place() -> None:
    (page,) = read_pdf(placed_pdf([[(72, 700, "Ink"), (72, 680, "Pen"), (300, 700, "7.00"), (300, 680, "9.50")]])).pages
    assert page.text == "Ink   7.00\nPen   9.50"
    boxes = [
        located(Grounded.EXACT, page, (at, at + 4)).box for at in (page.text.index("7.00"), page.text.index("9.50"))
    ]
    assert [box and (round(box.left), round(box.bottom) > 842 - 700) for box in boxes] == [(300, True), (300, True)]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert round(boxes[1].top - boxes[0].top) == 20


def test_an_amount_that_hangs_lower_keeps_its_own_place() -> None:
    row = [(72.0, 700.0, "Ink"), (110.0, 700.0, "3 pcs"), (300.0, 687.0, "7.00")]
    (page,) = read_pdf(placed_pdf([[*row, (72, 600, "end")]])).pages
    assert page.text == "Ink   3 pcs   7.00\nend"
    boxes = [located(Grounded.EXACT, page, page_span(page.text, text)).box for text in ("3 pcs", "7.00", "end")]
    assert [box and round(box.left) for box in boxes] == [110, 300, 72]
    tops = [box.top for box in boxes if box is not None]
    assert [round(one - tops[0]) for one in tops] == [0, 13, 100]


def test_every_word_of_a_crowded_page_has_its_place() -> None:
    """Places are asked for 4,096 at a time, two of a word."""
    drawn = [
        (5.0 + 9 * column, 840.0 - 14 * row, f"{(column + row) % 10}x") for row in range(58) for column in range(60)
    ]
    (page,) = read_pdf(placed_pdf([[*drawn, (300, 10, "last")]])).pages
    assert page.layout is not None
    assert len(page.layout.places) == 8 * len(page.text.split())
    box = located(Grounded.EXACT, page, page_span(page.text, "last")).box
    assert box is not None
    assert round(box.left) == 300
    assert 842 - 10 - 12 <= box.bottom <= 842


def page_span(text: str, part: str) -> tuple[int, int]:
    return text.index(part), text.index(part) + len(part)
