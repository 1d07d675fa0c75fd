"""Word, Excel and PowerPoint to text: a table's row on one line, cells between tabs; sheets and slides are pages.

The old binary formats and encrypted files are told from these and refused; pictures and charts are passed over.
"""

from __future__ import annotations

import io
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, TypeAlias

from slmbatch.readers.sources import MAX_CHARS, Content, Reading, Unreadable, gather, numbered, stream_of
from slmbatch.readers.word import row_text, word_text

Texts: TypeAlias = Iterator[tuple[str, str | None]]

MAX_TREE_BYTES = 64 * 2**20
"""Unpacked XML that is held as a tree, at some ten times its size. A thousand pages of text are 10 to 30 MiB."""

MAX_SHEET_BYTES = 256 * 2**20
"""Unpacked XML of sheets, of which only as much is read as there is room for text."""

_UNCOMPUTED = re.compile(
    rb"<(?:\w+:)?c(?![^<>]*\bt=.str)[^<>]*>\s*<(?:\w+:)?f\b(?:[^<>]*/>|[^<>]*>[^<]*</(?:\w+:)?f>)"
    rb"\s*(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v></(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
"""A cell with a formula and no value; of the type `str` an empty value is what the formula gave."""

_MAX_ROWS = 2**20  # of a sheet; a file that names row 10**12 would have that many empty ones before it
_OLE = b"\xd0\xcf\x11\xe0"  # what the old formats start with, and what encrypted files are wrapped in
_NAMES = {"docx": "Word", "xlsx": "Excel", "pptx": "PowerPoint"}


def read_office(content: Content, kind: str) -> Reading:
    """Read a docx, xlsx or pptx file. Raises OSError."""
    with stream_of(content) as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl's, of what it would lose if it wrote the file again
        try:
            _check(stream, kind)
            return gather(numbered(_READERS[kind](stream)), f"there is no text in the {_NAMES[kind]} file")
        except Unreadable as error:
            return Reading(problem=str(error))
        except _damaged() as error:
            return Reading(problem=f"the {_NAMES[kind]} file is damaged ({error}); open it there and save it again")


def _check(stream: BinaryIO, kind: str) -> None:
    """Raise Unreadable for what isn't a zip archive, or would unpack to more than a document ever holds.

    The archive tells the unpacked sizes, and zipfile reads no further than told.
    """
    if stream.read(4) == _OLE:
        raise Unreadable(f"the file is password-protected or of an old format; save it as .{kind} without a password")
    if not zipfile.is_zipfile(stream):
        raise Unreadable(f"a damaged {_NAMES[kind]} file, or something else although its name ends in .{kind}")
    packed = stream.seek(0, io.SEEK_END)
    sheets = others = 0
    with zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            if kind == "xlsx" and info.filename.startswith("xl/worksheets/"):
                sheets += info.file_size
            else:
                others += info.file_size
    if others - packed > MAX_TREE_BYTES or sheets > MAX_SHEET_BYTES:  # pictures are no smaller in the file
        size = (others + sheets) // 2**20
        raise Unreadable(f"the file would unpack to {size} MiB; split it, or save sheets as CSV")
    stream.seek(0)


def _word(stream: BinaryIO) -> Texts:
    yield word_text(stream), None


def _excel(stream: BinaryIO) -> Texts:
    """Yield a page for each sheet that is shown: its name, then its rows."""
    import openpyxl

    uncomputed = _uncomputed(stream)
    book = openpyxl.load_workbook(stream, read_only=True, data_only=True, keep_links=False)
    for sheet in book.worksheets:
        if sheet.sheet_state != "visible":
            yield "", f"sheet {sheet.title} is hidden"
            continue
        sheet.reset_dimensions()  # what the file says of them is often wrong
        rows = _sheet_rows(sheet)
        yield f"{sheet.title}\n{rows}" if rows else "", None
    book.close()
    if uncomputed:
        yield (
            "",
            f"formulas without a stored result, so not read: {uncomputed}; save it in Excel or LibreOffice",
        )


def _uncomputed(stream: BinaryIO) -> int:
    """Count the formulas that were never computed: openpyxl shows their cells as empty."""
    with zipfile.ZipFile(stream) as archive:
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/sheet")]
        return sum(1 for name in sheets for _ in _UNCOMPUTED.finditer(archive.read(name)))


def _sheet_rows(sheet: Any) -> str:
    """Join a sheet's rows up to the first that is beyond MAX_CHARS."""
    from slmbatch.readers.cells import shown

    lines: list[str] = []
    length = 0
    for row in sheet.iter_rows(max_row=_MAX_ROWS):
        line = row_text(shown(cell.value, cell.number_format) if cell.value is not None else "" for cell in row)
        if line:
            lines.append(line)
            length += len(line) + 1
            if length > MAX_CHARS:
                break
    return "\n".join(lines)


def _powerpoint(stream: BinaryIO) -> Texts:
    """Yield a page for each slide: its shapes as they are stacked, then the notes."""
    import pptx

    for number, slide in enumerate(pptx.Presentation(stream).slides, 1):
        lines = [line for shape in slide.shapes for line in _shape_lines(shape)]
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            lines.append(slide.notes_slide.notes_text_frame.text)
        text = "\n".join(line for line in lines if line.strip()).replace("\v", "\n")
        yield (text, None) if text else ("", f"slide {number} has no text")


def _shape_lines(shape: Any) -> Iterator[str]:
    if hasattr(shape, "shapes"):  # a group
        for inner in shape.shapes:
            yield from _shape_lines(inner)
    elif shape.has_text_frame:
        yield shape.text_frame.text
    elif shape.has_table:
        for row in shape.table.rows:
            yield row_text(cell.text for cell in row.cells if not cell.is_spanned)


_READERS: dict[str, Callable[[BinaryIO], Texts]] = {"docx": _word, "xlsx": _excel, "pptx": _powerpoint}


def _damaged() -> tuple[type[Exception], ...]:
    """List what the libraries raise for damaged files.

    They document no closed set: a part that is missing or broken surfaces as whatever the code met.
    """
    from docx.opc.exceptions import OpcError
    from lxml.etree import LxmlError
    from openpyxl.utils.exceptions import InvalidFileException
    from pptx.exc import PythonPptxError

    own = (OpcError, PythonPptxError, InvalidFileException, LxmlError, zipfile.BadZipFile, zlib.error)
    met = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError, AssertionError)
    return (*own, *met, SyntaxError, EOFError, struct.error)  # xml.etree's ParseError is a SyntaxError
