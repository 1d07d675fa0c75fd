"""PDF to text, page by page, with PDFium; what PDFium can't open is tried with pypdf. Scanned pages are drawn and read.

PDFium isn't thread-safe and can crash, so this runs in worker processes (see pool).
"""

from __future__ import annotations

import ctypes
import logging
import struct
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from slmbatch.einvoice.tree import MAX_XML_BYTES
from slmbatch.readers.kinds import tally
from slmbatch.readers.layout import cleaned, laid_out
from slmbatch.readers.ocr import INSTALL, SIDE, Extent, has_ocr, read_picture
from slmbatch.readers.pool import still_at_work
from slmbatch.readers.sources import Content, Reading, gather, stream_of
from slmbatch.readers.xml import with_xml
from slmbatch.types import Page

if TYPE_CHECKING:
    import pypdf
    import pypdfium2

MAX_ATTACHMENTS = 100
SCANNED = "no text layer (scanned page)"
EMPTY = "nothing is on it"
_PASSWORD = "the PDF is password-protected; remove the password (for example with qpdf --decrypt) and run again"  # noqa: S105  a message
AT_ONCE_BYTES = 2**24
FEW = 50  # letters and digits: what a scanner, a fax or an archive stamps on a picture
SPOILT = 0.2  # of the characters that are none (controls, private use): a font without a table of what its shapes mean
NOISE = 0.5  # of the characters that are no letters or digits: a poor OCR's text behind a picture
SEEN_AT_ONCE = 25  # scanned pages of one opened document, of up to some MB


def read_pdf(content: Content, *, pictures: int = 0) -> Reading:
    """Read the text of its pages; `pictures`: how many pages may keep theirs, see `gather`. Raises OSError."""
    import pypdfium2
    from pypdfium2 import raw

    try:
        document = pypdfium2.PdfDocument(_opened(content))
    except pypdfium2.PdfiumError as error:
        if error.err_code == raw.FPDF_ERR_PASSWORD:
            return Reading(problem=_PASSWORD)
        return _read_with_pypdf(content)
    except UnicodeEncodeError:  # a file name PDFium has no way to open
        return _read_with_pypdf(content)
    with closing(document):
        return with_xml(gather(_pages(document, content), pictures=pictures), _attached_xml(document))


def _opened(content: Content) -> Content:
    """Return a small file's bytes: PDFium reads those faster than the file, which it goes through in small steps."""
    if isinstance(content, bytes):
        return content
    return content.read_bytes() if content.stat().st_size <= AT_ONCE_BYTES else content.absolute()


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


def read_page(page: pypdfium2.PdfPage, number: int) -> Page:
    """Read one page: its text, or its picture where that has more to say. Raises PdfiumError."""
    import pypdfium2

    with closing(page.get_textpage()) as layer:
        text, layout = laid_out(layer, page)
    told = Page(number, text, layout=layout) if text and not text.isspace() else Page(number, "", SCANNED)
    if _is_empty(page):
        return replace(told, note=told.note and EMPTY)
    counts = tally(text)
    spoilt = counts.lost > SPOILT * counts.inked
    poor = counts.alnum < max(FEW, NOISE * counts.inked)  # it could be a stamp on a picture, or the noise of a poor OCR
    if not spoilt and not (poor and _is_picture(page)) and told.text:
        return told
    if not has_ocr():
        return replace(told, note=f"{told.note or 'its text layer says little or nothing'}; to read it: {INSTALL}")
    still_at_work()
    try:
        seen = _seen(page, number)
    except (pypdfium2.PdfiumError, ValueError):  # it can't be drawn, as where it has no width
        return told
    better = seen.text and (spoilt or tally(seen.text).alnum > counts.alnum)
    return seen if better or not told.text else told


def _seen(page: pypdfium2.PdfPage, number: int) -> Page:
    """Draw a page and read its picture. Raises PdfiumError, and ValueError for a page without extent."""
    width, height = page.get_size()
    picture = page.render(scale=SIDE / max(width, height, 1)).to_numpy()
    return read_picture(number, picture[..., :3], Extent(width, height, "pt"))


def _is_empty(page: pypdfium2.PdfPage) -> bool:
    from pypdfium2 import raw

    return not raw.FPDFPage_CountObjects(page.raw) and not raw.FPDFPage_GetAnnotCount(page.raw)


def _is_picture(page: pypdfium2.PdfPage) -> bool:
    """Say whether images cover half of the page: scans, in strips too."""
    from pypdfium2 import raw

    west, south, east, north = page.get_bbox()
    covered = 0.0
    for image in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=1):
        left, bottom, right, top = image.get_bounds()
        covered += max(min(right, east) - max(left, west), 0) * max(min(top, north) - max(bottom, south), 0)
    return bool(covered > (east - west) * (north - south) / 2)


def _pages(document: pypdfium2.PdfDocument, content: Content) -> Iterator[Page]:
    """Yield the pages. PDFium holds what it has loaded until a document is closed: a long scan is opened anew."""
    import pypdfium2

    seen = 0  # pages whose picture was read since it was opened
    with ExitStack() as anew:
        for number in range(1, len(document) + 1):
            if seen == SEEN_AT_ONCE:
                anew.close()
                document, seen = anew.enter_context(closing(pypdfium2.PdfDocument(_opened(content)))), 0
            try:
                with closing(document[number - 1]) as page:
                    told = read_page(page, number)
            except pypdfium2.PdfiumError as error:
                told = _damaged_page(number, error)
            seen += told.layout is not None and told.layout.scores != b""
            yield told


def _read_with_pypdf(content: Path | bytes) -> Reading:
    import pypdf

    damaged = _pypdf_errors()

    def pages(reader: pypdf.PdfReader) -> Iterator[Page]:
        for index in range(len(reader.pages)):
            try:
                yield _page(index + 1, cleaned(reader.pages[index].extract_text()))
            except damaged as error:
                yield _damaged_page(index + 1, error)

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what it would log is in the problem
    try:
        with stream_of(content) as stream:
            start = stream.read(1024)
            reader = pypdf.PdfReader(stream)
            if reader.is_encrypted and not reader.decrypt(""):
                return Reading(problem=_PASSWORD)
            return with_xml(gather(pages(reader)), _xml_in(reader))
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
