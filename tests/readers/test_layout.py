import io
from collections.abc import Sequence

import numpy as np
import pypdfium2
import pytest
from pypdf import PdfReader, PdfWriter
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
