"""The text of a Word file, walked in its XML: python-docx's own objects pass over content controls and text boxes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_PARAGRAPH, _TABLE, _ROW, _CELL, _TEXT = (f"{_W}{name}" for name in ("p", "tbl", "tr", "tc", "t"))
_BOX = f"{_W}txbxContent"
_MARKS = {f"{_W}tab": "\t", f"{_W}br": "\n", f"{_W}cr": "\n", f"{_W}noBreakHyphen": "-"}
_PASSED_OVER = frozenset(
    {f"{_W}{name}" for name in ("del", "moveFrom", "pPr", "rPr", "tblPr", "sectPr")}
    | {"{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"}  # text boxes again, for older programs
)


def word_text(stream: BinaryIO) -> str:
    """Return the headers, the body, the footers, then foot- and endnotes. Equal headers are told once."""
    import docx
    from docx.oxml import parse_xml

    main = docx.Document(stream).part
    around: dict[str, dict[str, None]] = {}
    for relation in main.rels.values():
        kind = relation.reltype.rpartition("/")[2]
        if not relation.is_external and kind in {"header", "footer", "footnotes", "endnotes"}:
            text = "\n".join(_lines(parse_xml(relation.target_part.blob)))
            around.setdefault(kind, {})[text] = None
    parts = [*around.get("header", ()), "\n".join(_lines(main.element.body)), *around.get("footer", ())]
    parts += [*around.get("footnotes", ()), *around.get("endnotes", ())]
    return "\n".join(part for part in parts if part)


def row_text(cells: Iterable[str]) -> str:
    """Put a table's row on one line, cells between tabs; empty cells at its ends are left out."""
    return "\t".join(" ".join(cell.split()) for cell in cells).strip("\t ")


def _lines(element: Any) -> Iterator[str]:
    """Yield the lines below an element: those of paragraphs, and one for each row of a table."""
    for child in element:
        if child.tag == _PARAGRAPH:
            yield from filter(str.strip, "".join(_pieces(child)).split("\n"))
        elif child.tag == _ROW:
            if row := row_text("\n".join(_lines(cell)) for cell in _cells(child)):
                yield row
        elif child.tag not in _PASSED_OVER:
            yield from _lines(child)


def _cells(row: Any) -> Iterator[Any]:
    """Yield the cells of a row, those in content controls too, and none of tables in them."""
    for child in row:
        if child.tag == _CELL:
            yield child
        elif child.tag not in _PASSED_OVER:
            yield from _cells(child)


def _pieces(element: Any) -> Iterator[str]:
    for child in element:
        if child.tag == _TEXT:
            yield child.text or ""
        elif child.tag in _MARKS:
            yield _MARKS[child.tag]
        elif child.tag == _BOX:
            yield "\n"
            yield from (f"{line}\n" for line in _lines(child))
        elif child.tag not in _PASSED_OVER:
            yield from _pieces(child)
