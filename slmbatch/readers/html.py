"""HTML to text as a reader sees it: blocks on lines of their own, table cells between tabs, no scripts or styles."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from slmbatch.readers.sources import Content, Reading, clip
from slmbatch.readers.texts import decode, not_valid, read_start

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_MAX_BYTES = 16 * 2**20  # eight bytes of markup for each character that is kept
_CHARSET = re.compile(rb"""<meta[^>]{0,200}charset\s*=\s*["']?\s*([\w.:-]{1,40})""", re.IGNORECASE)

_DROPPED = frozenset({"head", "script", "style", "template", "noscript", "svg", "object", "iframe", "-comment"})
_CELLS = frozenset({"td", "th"})
_BLOCKS = frozenset(
    {"address", "article", "aside", "blockquote", "body", "br", "caption", "center", "dd", "details", "div", "dl", "dt"}
    | {
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "legend",
    }
    | {"li", "main", "nav", "ol", "option", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "ul"}
)
# ASCII's own separators of records and units. They can't come from the document: \s in _SPACES takes them out.
_ROW, _CELL = "\x1e", "\x1f"
_SPACES = re.compile(r"\s+")
_GAP = re.compile(rf"[ \n{_ROW}{_CELL}]+")


def read_html(content: Content, encoding: str) -> Reading:
    """Read an HTML file, encoded by its byte order mark, its own declaration, or else `encoding`. Raises OSError."""
    data, whole = read_start(content, _MAX_BYTES)
    declared = _declared(data)
    try:
        markup = decode(data, declared or encoding, whole=whole)
    except UnicodeDecodeError:  # the declaration is wrong, or there is none
        try:
            markup = decode(data, encoding, whole=whole)
        except UnicodeDecodeError as error:
            return Reading(problem=not_valid(data, encoding, error))
    reading = clip(html_text(markup))
    return reading if whole else Reading(reading.pages, reading.problem, cut=True)


def html_text(markup: str) -> str:
    """Turn HTML into text; broken markup is mended as browsers mend it."""
    from selectolax.lexbor import LexborHTMLParser

    root = LexborHTMLParser(markup.encode("utf-8", "replace")).root
    text = "".join(_pieces(root)) if root is not None else ""
    return _GAP.sub(_gap, text).strip("\n ")


def _gap(match: re.Match[str]) -> str:
    """Reduce what stands between two words to a space, one line end or the tabs of a table row."""
    *rows, last = match[0].split(_ROW)
    tabs = "\t" * last.count(_CELL)
    if rows:
        return "\n" + tabs
    return tabs or ("\n" if "\n" in last else " ")


def _pieces(root: LexborNode) -> list[str]:
    """Collect text and separators in document order, without recursion: mails nest tables hundreds deep."""
    pieces: list[str] = []
    waiting: list[LexborNode | str] = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            pieces.append(node)
        elif node.tag == "-text":
            pieces.append(_SPACES.sub(" ", node.text_content or ""))
        elif node.tag == "pre":
            pieces += ["\n", *(_SPACES.sub(" ", line) + "\n" for line in node.text().splitlines())]
        elif node.tag not in _DROPPED:
            opening, closing = _separators(node)
            pieces.append(opening)
            waiting.append(closing)
            waiting += list(node.iter(include_text=True))[::-1]
    return pieces


def _separators(node: LexborNode) -> tuple[str, str]:
    if node.tag in _CELLS:
        return (_CELL if _follows_cell(node) else ""), ""
    if node.tag == "tr":
        return _ROW, _ROW
    return ("\n", "\n") if node.tag in _BLOCKS else ("", "")


def _follows_cell(node: LexborNode) -> bool:
    before = node.prev
    while before is not None and not before.is_element_node:
        before = before.prev
    return before is not None and before.tag in _CELLS


def _declared(data: bytes) -> str | None:
    """Read the charset of a meta element, as browsers do: in the first kilobytes, Latin-1 meaning cp1252."""
    match = _CHARSET.search(data, 0, 4096)
    if match is None:
        return None
    try:
        name = codecs.lookup(match[1].decode("ascii", "replace")).name
    except LookupError:
        return None
    if name.startswith(("utf-16", "utf-32")):  # the declaration itself was read as ASCII, so it can't be true
        return "utf-8"
    return "cp1252" if name in {"iso8859-1", "ascii"} else name
