"""Pictures of pages, drawn here, read by the real OCR: words, rows, places, and how sure it is."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from slmbatch.checks.grounding import located
from slmbatch.places import Box
from slmbatch.readers import ReadOptions, find, read
from slmbatch.readers.images import read_image
from slmbatch.readers.ocr import SIDE, Extent, read_picture
from slmbatch.readers.turning import as_it_lies
from slmbatch.types import Grounded, Page

Texts = list[tuple[int, int, str]]
SLIP: Texts = [(60, 60, "Slip number"), (400, 60, "A-1234"), (60, 140, "Total"), (400, 140, "56.70 EUR")]


def drawn(texts: Texts, size: tuple[int, int] = (700, 240), mode: str = "L") -> Image.Image:
    """Draw texts at pixels from the left and from the top; they are 30 pixels high."""
    page = Image.new(mode, size, "white")
    pen = ImageDraw.Draw(page)
    for left, top, text in texts:
        pen.text((left, top), text, fill="black", font=ImageFont.load_default(30))
    return page


def saved(image: Image.Image, kind: str = "PNG", **how: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def only_page(data: bytes) -> Page:
    reading = read_image(data)
    assert reading.problem is None
    (page,) = reading.pages
    return page


def box_of(page: Page, text: str) -> Box:
    start = page.text.index(text)
    box = located(Grounded.EXACT, page, (start, start + len(text))).box
    assert box is not None
    return box


SLIP_TEXT = "Slip number   A-1234\nTotal   56.70 EUR"


@pytest.mark.parametrize("degrees", [0, 2.5, -2.5])
def test_a_row_is_one_line_though_the_page_lies_aslant(degrees: float) -> None:
    turned = drawn(SLIP).rotate(degrees, Image.Resampling.BICUBIC, fillcolor="white")
    assert only_page(saved(turned)).text == SLIP_TEXT


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_page_on_its_side_or_head_is_read_and_its_words_stay_where_they_lie(turns: int) -> None:
    upright = drawn([*SLIP, (60, 220, "Thank you for your order")], (700, 320))
    page = only_page(saved(upright.rotate(90 * turns, expand=True)))
    assert page.text == SLIP_TEXT + "\nThank you for your order"
    assert page.note is None
    box = box_of(page, "A-1234")
    around = upright.crop((390, 50, 560, 110))  # of the value, with some white
    left, top, right, bottom = {
        1: (50, 700 - 560, 110, 700 - 390),
        2: (700 - 560, 320 - 110, 700 - 390, 320 - 50),
        3: (320 - 110, 390, 320 - 50, 560),
    }[turns]
    assert around.size == ((right - left, bottom - top) if turns == 2 else (bottom - top, right - left))
    assert left <= box.left < box.right <= right
    assert top <= box.top < box.bottom <= bottom
    assert (box.width, box.height) == ((700, 320) if turns == 2 else (320, 700))


def test_a_page_that_is_read_poorly_is_not_turned_for_the_few_words_that_seem_sure_upside_down() -> None:
    upright = drawn([*SLIP, (60, 220, "Thanks")], (700, 300))
    page = only_page(saved(upright.resize((110, 47)).resize((700, 300))))
    assert page.note is not None
    assert "56.70" in page.text


@pytest.mark.parametrize("turns", range(4))
def test_a_turned_page_and_the_page_as_it_lies_hold_the_same_places(turns: int) -> None:
    ink = np.zeros((40, 60), bool)
    ink[4:12, 30:54] = True  # shares: 0.5, 0.1, 0.9, 0.3
    down, across = np.nonzero(np.rot90(ink, turns))
    height, width = np.rot90(ink, turns).shape
    seen = (across.min() / width, down.min() / height, (across.max() + 1) / width, (down.max() + 1) / height)
    assert as_it_lies([seen], turns).tolist()[0] == pytest.approx([0.5, 0.1, 0.9, 0.3])


def test_every_word_has_its_place_and_score() -> None:
    page = only_page(saved(drawn(SLIP)))
    number = box_of(page, "A-1234")
    assert (number.width, number.height, number.unit) == (700, 240, "px")
    ink = ImageDraw.Draw(Image.new("L", (1, 1))).textbbox((400, 60), "A-1234", font=ImageFont.load_default(30))
    for told, true in zip((number.left, number.top, number.right, number.bottom), ink, strict=True):
        assert abs(told - true) < 15
    both = box_of(page, "56.70 EUR")
    assert (both.left, both.right) == (box_of(page, "56.70").left, box_of(page, "EUR").right)
    start = page.text.index("56.70")
    score = located(Grounded.EXACT, page, (start, start + 5)).ocr
    assert score is not None
    assert 0.9 < score <= 1


def test_a_large_scan_is_told_in_its_own_pixels() -> None:
    small = drawn(SLIP)
    large = small.resize((small.width * 8, small.height * 8))
    assert max(large.size) > 2 * SIDE
    box, like = box_of(only_page(saved(large)), "A-1234"), box_of(only_page(saved(small)), "A-1234")
    assert (box.width, box.height) == large.size
    assert abs(box.left / 8 - like.left) < 10


def test_a_page_that_is_hardly_legible_says_so_and_keeps_its_text() -> None:
    blurred = drawn(SLIP).resize((88, 30)).resize((700, 240))
    reading = read_image(saved(blurred))
    for page in reading.pages:
        assert page.note is not None
        assert page.note.startswith(("OCR is unsure", "no text was found"))


def test_an_empty_picture_is_a_problem() -> None:
    assert read_image(saved(drawn([]))).problem == "the image: no text was found on it by OCR"


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (2, 2)])
def test_pictures_of_odd_shapes_end_no_run(shape: tuple[int, int]) -> None:
    page = read_picture(1, np.zeros((*shape, 3), np.uint8), Extent(shape[1], shape[0], "px"))
    assert page.text == ""
    assert page.note is not None


@pytest.mark.parametrize("shape", [(0, 0), (1, 100_000)])
def test_what_the_engine_fails_on_is_the_note_of_its_page(shape: tuple[int, int]) -> None:
    page = read_picture(1, np.zeros((*shape, 3), np.uint8), Extent(100, 100, "px"))
    assert (page.text, page.layout) == ("", None)
    assert "OCR failed on it" in (page.note or "")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP"])
def test_every_kind_of_image_is_read(kind: str) -> None:
    assert only_page(saved(drawn(SLIP), kind)).text == SLIP_TEXT


def test_each_page_of_a_tiff_is_one() -> None:
    second = drawn([(60, 60, "Page two")])
    reading = read_image(saved(drawn(SLIP), "TIFF", save_all=True, append_images=[second]))
    assert [(page.number, page.text) for page in reading.pages] == [(1, SLIP_TEXT), (2, "Page two")]


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK", "I;16"])
def test_colours_of_any_depth_are_read_and_what_is_transparent_is_white(mode: str) -> None:
    page = drawn(SLIP)
    if mode in {"LA", "RGBA"}:  # black everywhere, and shown where the ink is
        black = Image.new(mode, page.size, "black")
        black.putalpha(page.point(lambda value: 255 - value))
        page = black
    elif mode == "I;16":
        page = Image.fromarray(np.asarray(page, np.uint16) * 16)  # as 12-bit scanners write
    else:
        page = page.convert(mode)
    assert only_page(saved(page, "TIFF" if mode in {"CMYK", "I;16"} else "PNG")).text == SLIP_TEXT


def test_a_photo_is_turned_as_its_camera_was_held() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    assert only_page(saved(drawn(SLIP).rotate(90, expand=True), "JPEG", exif=exif)).text == SLIP_TEXT


def test_an_image_made_to_fill_memory_is_not_opened() -> None:
    bomb = saved(Image.new("1", (20_000, 20_000)))
    assert len(bomb) < 100_000
    problem = read_image(bomb).problem
    assert problem is not None
    assert "100 million pixels" in problem


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9])
def test_a_damaged_image_is_a_problem(keep: float) -> None:
    whole = saved(drawn(SLIP))
    problem = read_image(whole[: int(keep * len(whole))]).problem
    assert problem is not None
    assert problem.startswith("the image: the image is damaged")


def test_a_damaged_last_page_leaves_the_others() -> None:
    whole = saved(drawn(SLIP), "TIFF", save_all=True, append_images=[drawn(SLIP)], compression="tiff_lzw")
    reading = read_image(whole[: len(whole) // 2 + 2000])
    assert reading.problem is None or "damaged" in reading.problem
    assert any(page.note for page in reading.pages)


def test_images_are_documents_and_what_is_none_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(saved(drawn(SLIP)))
    (tmp_path / "b.jpg").write_bytes(b"hello")
    (tmp_path / "c.tif").write_bytes(b"")
    first, second, third = (one for batch in read(find([str(tmp_path)]), ReadOptions(workers=1)) for one in batch)
    assert (first.id, first.text) == ("a.png", SLIP_TEXT)
    assert "no image of the kinds PNG" in str(second.problem)
    assert third.problem == "the file is empty"


def test_without_the_extra_an_image_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr", None)  # importing it now fails
    problem = "an image, whose text only OCR can read: pip install 'slmbatch[ocr]'"
    assert read_image(saved(drawn(SLIP))).problem == problem
