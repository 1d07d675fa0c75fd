import io
import sys
from pathlib import Path

import pytest
from pypdf import PdfWriter
from pypdf.generic import RectangleObject

from slmbatch.readers import ReadOptions, find, pdf, read
from slmbatch.readers.pdf import read_pdf
from slmbatch.types import Document

from .made import locked_pdf, scanned_pdf, stamped_pdf, text_pdf, write


def documents(path: Path) -> list[Document]:
    return [document for batch in read(find([str(path)]), ReadOptions(workers=2)) for document in batch]


def texts(data: bytes) -> list[tuple[str, str | None]]:
    return [(page.text, page.note) for page in read_pdf(data).pages]


def test_a_folder_of_pdfs_is_read_in_order_with_one_problem_each_at_most(tmp_path: Path) -> None:
    write(tmp_path, a_pdf=text_pdf(["one", "two"]), b_pdf=b"hello", c_pdf=locked_pdf("secret"), d_txt=b"text")
    write(tmp_path, e_pdf=scanned_pdf(2), f_pdf=b"", g_pdf=text_pdf(["last"]), h_pdf=text_pdf(["", ""]))
    found = documents(tmp_path)
    assert [document.id for document in found] == [f"{name}.pdf" if name != "d" else "d.txt" for name in "abcdefgh"]
    assert [page.text for page in found[0].pages] == ["one", "two"]
    assert [document.problem for document in found] == [
        None,
        "not a PDF: the file doesn't start as one",
        "the PDF is password-protected; remove the password (for example with qpdf --decrypt) and run again",
        None,
        None,
        "the file is empty",
        None,
        "all 2 pages: nothing is on it",
    ]
    assert [page.text for page in found[4].pages] == ["Invoice 7", "Invoice 7"]
    assert found[6].text == "last"


def test_an_empty_user_password_opens_like_none() -> None:
    assert texts(locked_pdf("")) == [("secret", None)]


def test_only_pages_without_text_are_read_by_ocr() -> None:
    both = PdfWriter()
    for data in (text_pdf(["one"]), scanned_pdf(), text_pdf([""])):
        both.append(io.BytesIO(data))
    out = io.BytesIO()
    both.write(out)
    pages = read_pdf(out.getvalue()).pages
    assert [(page.text, page.note) for page in pages] == [
        ("one", None),
        ("Invoice 7", None),
        ("", "nothing is on it"),
    ]
    assert [page.layout and (page.layout.unit, bool(page.layout.scores)) for page in pages] == [
        ("pt", False),
        ("pt", True),
        None,
    ]


def test_a_page_without_extent_costs_no_other_page() -> None:
    both = PdfWriter(clone_from=io.BytesIO(text_pdf(["one", " "])))
    both.pages[1].cropbox = RectangleObject((2000, 2000, 2100, 2100))  # beside the page
    out = io.BytesIO()
    both.write(out)
    assert texts(out.getvalue()) == [("one", None), ("", "no text layer (scanned page)")]


def test_a_scan_of_nothing_says_that_ocr_found_nothing() -> None:
    assert read_pdf(scanned_pdf(text="")).problem == "the only page: no text was found on it by OCR"


@pytest.mark.parametrize("stamp", ["Scan 12", ". , ; : ' . , ; : ' . , ; : ' . , ; : ' . , ; : ' . , ; : ' . , ; : '"])
def test_a_stamp_or_noise_on_a_scan_is_not_taken_for_its_text(stamp: str) -> None:
    ((text, note),) = texts(stamped_pdf(stamp))
    assert "Invoice 7" in text
    assert note is None


def test_a_picture_with_a_real_text_layer_is_not_read_again() -> None:
    layer = "This layer was written by a scanner that has read all of the page before"
    assert texts(stamped_pdf(layer)) == [(layer, None)]


def test_a_text_whose_font_does_not_tell_its_letters_is_drawn_and_read() -> None:
    lost = text_pdf(["Readable"]).replace(b"/BaseFont /Helvetica", b"/BaseFont /Helvetica /ToUnicode 99 0 R")
    unmapped = b"begincmap 1 begincodespacerange <00> <ff> endcodespacerange "
    unmapped += b"1 beginbfrange <00> <ff> <e000> endbfrange endcmap"
    number = lost.rindex(b"xref", 0, lost.rindex(b"startxref"))
    stream = b"99 0 obj\n<< /Length %d >>\nstream\n%b\nendstream\nendobj\n" % (len(unmapped), unmapped)
    assert texts(lost[:number] + stream + b"trailer\n<< /Root 1 0 R >>\n") == [("Readable", None)]


def test_without_the_extra_a_scan_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr", None)  # importing it now fails
    hint = "to read it: pip install 'slmbatch[ocr]'"
    assert read_pdf(scanned_pdf()).problem == f"the only page: no text layer (scanned page); {hint}"
    assert read_pdf(scanned_pdf(2)).problem == f"all 2 pages: no text layer (scanned page); {hint}"
    ((text, note),) = texts(stamped_pdf("Scan 12"))
    assert (text, note) == ("Scan 12", f"its text layer says little or nothing; {hint}")


def test_text_is_read_from_a_path_with_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "bill\udcff.pdf"
    path.write_bytes(text_pdf(["one"]))
    assert [page.text for page in read_pdf(path).pages] == ["one"]


@pytest.mark.parametrize("inside", [False, True])
def test_a_long_scan_that_is_opened_anew_on_the_way_has_all_its_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, inside: bool
) -> None:
    monkeypatch.setattr(pdf, "SEEN_AT_ONCE", 2)
    writer = PdfWriter()
    for number in range(1, 6):
        writer.append(io.BytesIO(scanned_pdf(text=f"Invoice {number}")))
    path = tmp_path / "scan.pdf"
    writer.write(path)
    reading = read_pdf(path.read_bytes() if inside else path)
    assert [(page.number, page.text) for page in reading.pages] == [(n, f"Invoice {n}") for n in range(1, 6)]


@pytest.mark.parametrize("keep", [20, 300, 500])
def test_a_truncated_pdf_is_a_problem_or_read(keep: int) -> None:
    reading = read_pdf(text_pdf(["one"])[:keep])
    assert reading.problem is None or reading.problem.startswith(
        ("the PDF is damaged", "the file is damaged", "the only page", "all", "none of")
    )


def test_a_long_pdf_is_cut_and_read_no_further() -> None:
    reading = read_pdf(text_pdf(["abc " * 7500] * 80))
    assert reading.cut
    assert sum(len(page.text) for page in reading.pages) == 2_000_000
    assert len(reading.pages) == 67


def test_line_ends_are_plain(tmp_path: Path) -> None:
    data = text_pdf(["one) Tj 0 -20 Td (two"])
    assert texts(data) == [("one\ntwo", None)]


def test_a_pdf_without_pages_is_a_problem() -> None:
    out = io.BytesIO()
    PdfWriter().write(out)
    assert read_pdf(out.getvalue()).problem is not None
