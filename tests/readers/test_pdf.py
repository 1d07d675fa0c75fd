import io
from pathlib import Path

import pytest
from pypdf import PdfWriter

from slmbatch.readers import ReadOptions, find, read
from slmbatch.readers.pdf import read_pdf
from slmbatch.types import Document, Page

from .made import locked_pdf, scanned_pdf, text_pdf, write


def documents(path: Path) -> list[Document]:
    return [document for batch in read(find([str(path)]), ReadOptions(workers=2)) for document in batch]


def test_a_folder_of_pdfs_is_read_in_order_with_one_problem_each_at_most(tmp_path: Path) -> None:
    write(tmp_path, a_pdf=text_pdf(["one", "two"]), b_pdf=b"hello", c_pdf=locked_pdf("secret"), d_txt=b"text")
    write(tmp_path, e_pdf=scanned_pdf(2), f_pdf=b"", g_pdf=text_pdf(["last"]))
    found = documents(tmp_path)
    assert [document.id for document in found] == [f"{name}.pdf" if name != "d" else "d.txt" for name in "abcdefg"]
    assert found[0].pages == (Page(1, "one"), Page(2, "two"))
    assert [document.problem for document in found] == [
        None,
        "not a PDF: the file doesn't start as one",
        "the PDF is password-protected; remove the password (for example with qpdf --decrypt) and run again",
        None,
        "no text layer on any of 2 pages (scanned?); OCR is not built in yet",
        "the file is empty",
        None,
    ]
    assert found[6].text == "last"


def test_an_empty_user_password_opens_like_none() -> None:
    assert read_pdf(locked_pdf("")).pages == (Page(1, "secret"),)


def test_a_page_without_text_has_a_note() -> None:
    note = "no text layer (scanned page)"
    assert read_pdf(text_pdf(["one", ""])).pages == (Page(1, "one"), Page(2, "", note=note))
    assert read_pdf(scanned_pdf()).pages == (Page(1, "", note=note),)


def test_text_is_read_from_a_path_with_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "bill\udcff.pdf"
    path.write_bytes(text_pdf(["one"]))
    assert read_pdf(path).pages == (Page(1, "one"),)


@pytest.mark.parametrize("keep", [20, 300, 500])
def test_a_truncated_pdf_is_a_problem_or_read(keep: int) -> None:
    reading = read_pdf(text_pdf(["one"])[:keep])
    assert reading.problem is None or reading.problem.startswith(("the PDF is damaged", "no text layer", "none of"))


def test_a_long_pdf_is_cut_and_read_no_further() -> None:
    reading = read_pdf(text_pdf(["abc " * 7500] * 80))
    assert reading.cut
    assert sum(len(page.text) for page in reading.pages) == 2_000_000
    assert len(reading.pages) == 67


def test_line_ends_are_plain(tmp_path: Path) -> None:
    data = text_pdf(["one) Tj 0 -20 Td (two"])
    assert read_pdf(data).pages == (Page(1, "one\ntwo"),)


def test_a_pdf_without_pages_is_a_problem() -> None:
    out = io.BytesIO()
    PdfWriter().write(out)
    assert read_pdf(out.getvalue()).problem is not None
