"""PDF to text, page by page, with PDFium; what PDFium can't open is tried with pypdf.

PDFium isn't thread-safe and can crash, so this runs in worker processes (see pool). There is no OCR yet.
"""

from __future__ import annotations

import ctypes
import io
import logging
import struct
import zlib
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from slmbatch.einvoice.tree import MAX_XML_BYTES
from slmbatch.readers.layout import laid_out
from slmbatch.readers.sources import MAX_CHARS, Reading
from slmbatch.readers.xml import with_xml
from slmbatch.types import Page

if TYPE_CHECKING:
    import pypdf
    import pypdfium2

MAX_ATTACHMENTS = 100
SCANNED = "no text layer (scanned page)"
_PASSWORD = "the PDF is password-protected; remove the password (for example with qpdf --decrypt) and run again"  # noqa: S105  a message
# PDFium leaves U+FFFE where it joined a word that was hyphenated over two lines.
_REMOVED = dict.fromkeys(map(ord, "\0\ufffe"))


def read_pdf(content: Path | bytes) -> Reading:
    """Read the text of every page until MAX_CHARS are reached. Raises OSError."""
    import pypdfium2
    from pypdfium2 import raw

    try:
        document = pypdfium2.PdfDocument(content.absolute() if isinstance(content, Path) else content)
    except pypdfium2.PdfiumError as error:
        if error.err_code == raw.FPDF_ERR_PASSWORD:
            return Reading(problem=_PASSWORD)
        return _read_with_pypdf(content)
    except UnicodeEncodeError:  # a file name PDFium has no way to open
        return _read_with_pypdf(content)
    with closing(document):
        return with_xml(_gather(_pages(document)), _attached_xml(document))


def _attached_xml(document: pypdfium2.PdfDocument) -> Iterator[tuple[str, bytes]]:
    """Yield the attached XML files by name; one that is too large is as many zeros, and so refused without a copy."""
    import pypdfium2
    from pypdfium2 import raw

    for index in range(min(document.count_attachments(), MAX_ATTACHMENTS)):
        try:
            attachment = document.get_attachment(index)
            name = attachment.get_name()
            if not name.lower().endswith(".xml"):
                continue
            size = ctypes.c_ulong()
            raw.FPDFAttachment_GetFile(attachment, None, 0, size)
            yield name, bytes(MAX_XML_BYTES + 1 if size.value > MAX_XML_BYTES else attachment.get_data())
        except pypdfium2.PdfiumError:  # one that is damaged; the pages are still worth reading
            continue


def page_text(page: pypdfium2.PdfPage, number: int) -> Page:
    """Read one page. This is the place for OCR: a page without a text layer ends here."""
    with closing(page.get_textpage()) as layer:
        text = _cleaned(laid_out(layer, layer.get_text_range()))
    return _page(number, text)


def _pages(document: pypdfium2.PdfDocument) -> Iterator[Page]:
    import pypdfium2

    for index in range(len(document)):
        try:
            with closing(document[index]) as page:
                yield page_text(page, index + 1)
        except pypdfium2.PdfiumError as error:
            yield _damaged_page(index + 1, error)


def _gather(pages: Iterator[Page]) -> Reading:
    """Collect pages up to MAX_CHARS, and tell a PDF of scans only."""
    gathered: list[Page] = []
    room = MAX_CHARS
    cut = False
    for page in pages:
        gathered.append(Page(page.number, page.text[:room], page.note))
        cut = len(page.text) > room or room == 0
        room -= len(gathered[-1].text)
        if cut:
            break
    if any(page.text for page in gathered):
        return Reading(tuple(gathered), cut=cut)
    if not gathered:
        return Reading(problem="the PDF is damaged: it has no pages")
    if all(page.note == SCANNED for page in gathered):
        where = f"any of {len(gathered)} pages" if len(gathered) > 1 else "its only page"
        return Reading(tuple(gathered), f"no text layer on {where} (scanned?); OCR is not built in yet")
    return Reading(tuple(gathered), f"none of {len(gathered)} pages can be read: {gathered[0].note}")


def _read_with_pypdf(content: Path | bytes) -> Reading:
    import pypdf

    damaged = _pypdf_errors()

    def pages(reader: pypdf.PdfReader) -> Iterator[Page]:
        for index in range(len(reader.pages)):
            try:
                yield _page(index + 1, _cleaned(reader.pages[index].extract_text()))
            except damaged as error:
                yield _damaged_page(index + 1, error)

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what it would log is in the problem
    try:
        with open(content, "rb") if isinstance(content, Path) else io.BytesIO(content) as stream:
            start = stream.read(1024)
            reader = pypdf.PdfReader(stream)
            if reader.is_encrypted and not reader.decrypt(""):
                return Reading(problem=_PASSWORD)
            return with_xml(_gather(pages(reader)), _xml_in(reader))
    except damaged as error:
        if b"%PDF-" not in start:
            return Reading(problem="not a PDF: the file doesn't start as one")
        return Reading(problem=f"the PDF is damaged, or of a kind that can't be read ({error})")


def _xml_in(reader: pypdf.PdfReader) -> list[tuple[str, bytes]]:
    """Return the attached XML files by name as pypdf finds them, none where their list is damaged."""
    try:
        named = [name for name in islice(reader.attachments, MAX_ATTACHMENTS) if name.lower().endswith(".xml")]
        return [(name, reader.attachments[name][0]) for name in named]
    except _pypdf_errors():
        return []


def _pypdf_errors() -> tuple[type[Exception], ...]:
    """List what pypdf raises for damaged files.

    It documents no closed set: a damaged object surfaces as whatever the code met that took it for a whole one.
    """
    from pypdf import errors

    own = (errors.PyPdfError, errors.DependencyError, errors.DeprecationError)
    met = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError, AssertionError)
    return (*own, *met, zlib.error, struct.error)


def _page(number: int, text: str) -> Page:
    return Page(number, text) if text and not text.isspace() else Page(number, "", note=SCANNED)


def _damaged_page(number: int, error: Exception) -> Page:
    return Page(number, "", note=f"the page can't be read ({error})")


def _cleaned(text: str) -> str:
    return text.translate(_REMOVED).replace("\r\n", "\n").replace("\r", "\n")
