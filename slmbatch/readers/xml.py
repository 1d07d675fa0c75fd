"""XML files as text, and the e-invoices that come in a PDF or beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from slmbatch.einvoice.invoice import syntax_of
from slmbatch.einvoice.text import xml_text
from slmbatch.einvoice.tree import MAX_XML_BYTES, XmlError, parse_xml
from slmbatch.readers.sources import MAX_CHARS, Content, Reading, clip
from slmbatch.readers.texts import read_start
from slmbatch.types import Page

# What Factur-X, ZUGFeRD and XRechnung call the file: looked at before other attachments, and missed when it's broken.
_USUAL = ("factur-x.xml", "zugferd-invoice.xml", "xrechnung.xml")


def read_xml(given: Content) -> Reading:
    """Read an XML file: an e-invoice as its business terms, any other as its elements. Raises OSError."""
    content = _content(given)
    try:
        root = parse_xml(content)
    except XmlError as error:
        return Reading(problem=f"the XML can't be read ({error})")
    reading = clip(xml_text(root))
    return replace(reading, xml=content) if syntax_of(root) else reading


def with_xml(reading: Reading, attached: Iterable[tuple[str, bytes]]) -> Reading:
    """Add the first e-invoice among attachments, given by name and content.

    Where no page has a text, what the invoice says is the text. An attachment that should be one and can't be read is
    a note.
    """
    for name, content in sorted(attached, key=lambda one: one[0].lower() not in _USUAL):
        try:
            root = parse_xml(content)
        except XmlError as error:
            if name.lower() in _USUAL:
                reading = _noted(reading, f"{name} can't be read ({error})")
            continue
        if syntax_of(root) is None:
            continue
        if reading.problem is None:
            return replace(reading, xml=content)
        return replace(_more(reading, xml_text(root)[:MAX_CHARS]), problem=None, xml=content)
    return reading


def with_xml_beside(reading: Reading, beside: Path | None) -> Reading:
    """Add the e-invoice beside a PDF, unless the PDF holds one; a file there that's none or can't be read is a note."""
    if beside is None or reading.xml is not None:
        return reading
    try:
        found = with_xml(reading, [(beside.name, _content(beside))])
    except OSError as error:
        return _noted(reading, f"{beside.name}, beside it, can't be read ({error.strerror or error})")
    return found if found.xml is not None else _noted(reading, f"{beside.name}, beside it, is no e-invoice")


def _content(given: Content) -> bytes:
    """Return a file's bytes, no more than it takes to see that they are too many."""
    return read_start(given, MAX_XML_BYTES + 1)[0]


def _more(reading: Reading, text: str, note: str | None = None) -> Reading:
    return replace(reading, pages=(*reading.pages, Page(len(reading.pages) + 1, text, note)))


def _noted(reading: Reading, note: str) -> Reading:
    return _more(reading, "", note)
