"""One content of one kind to one text: everything that isn't a table and has no documents of its own in it."""

from __future__ import annotations

from slmbatch.readers.html import read_html
from slmbatch.readers.images import read_image
from slmbatch.readers.office import read_office
from slmbatch.readers.pdf import read_pdf
from slmbatch.readers.sources import Content, Reading
from slmbatch.readers.texts import read_text
from slmbatch.readers.xml import read_xml

READ_ALONE = frozenset({"pdf", "html", "text", "csv", "jsonl", "docx", "xlsx", "pptx", "image", "old", "xml"})
_PICTURED = {"pdf": read_pdf, "image": read_image}
_OLD = (
    "a format of Office before 2007, or with macros, which isn't read; "
    "save it as docx, xlsx or pptx (for example with soffice --convert-to docx)"
)


def read_content(content: Content, kind: str, encoding: str, *, pictures: int = 0) -> Reading:
    """Read a file or the bytes of one; whatever is wrong with them is the reading's problem. Raises OSError.

    `pictures` is how many of the pages that OCR is unsure of may keep theirs.
    """
    if kind in _PICTURED:
        return _PICTURED[kind](content, pictures=pictures)
    if kind == "xml":
        return read_xml(content)
    if kind in {"docx", "xlsx", "pptx"}:
        return read_office(content, kind)
    if kind == "html":
        return read_html(content, encoding)
    if kind == "old":
        return Reading(problem=_OLD)
    return read_text(content, encoding)
