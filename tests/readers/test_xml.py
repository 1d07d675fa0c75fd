"""XML by itself, and e-invoices attached to PDFs, whichever library opens them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from slmbatch.einvoice.tree import MAX_XML_BYTES
from slmbatch.readers.pdf import _read_with_pypdf, read_pdf
from slmbatch.readers.sources import Reading
from slmbatch.readers.xml import read_xml
from tests.einvoice.made import minimum

from .made import pdf_with, text_pdf


def test_other_xml_is_a_text(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes('<?xml version="1.0" encoding="iso-8859-1"?><a><city>Köln</city></a>'.encode("latin-1"))
    reading = read_xml(path)
    assert (reading.pages[0].text, reading.xml) == ("city: Köln", None)


@pytest.mark.parametrize(
    ("content", "problem"), [(b"<a>", "the XML can't be read (no element found"), (b"<a/>", "the text is empty")]
)
def test_xml_that_says_nothing_is_a_problem(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(content)
    assert (read_xml(path).problem or "").startswith(problem)


@pytest.mark.parametrize("reader", [read_pdf, _read_with_pypdf])
def test_an_attached_einvoice_is_found_among_other_files(reader: Callable[[bytes], Reading]) -> None:
    files = {"a.xml": b"<a/>", "b.png": b"b", "c.xml": minimum("second"), "Factur-X.xml": minimum("first")}
    assert reader(pdf_with(files, ["page"])).xml == files["Factur-X.xml"]
    del files["Factur-X.xml"]
    assert reader(pdf_with(files, ["page"])).xml == files["c.xml"]
    assert reader(text_pdf(["page"])).xml is None


def test_an_attachment_without_end_is_told_and_left_alone() -> None:
    huge = minimum() + b" " * MAX_XML_BYTES
    reading = read_pdf(pdf_with({"factur-x.xml": huge}, ["page"]))
    assert reading.xml is None
    assert [page.note for page in reading.pages] == [None, "factur-x.xml can't be read (larger than 16 MB)"]
