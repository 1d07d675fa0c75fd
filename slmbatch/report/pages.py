"""The part of report.html that shows documents: their pages with the fields marked, and the fields beside them.

A field's number leads to its mark and back, by links within the file: there is no script.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element

from slmbatch.chat import Picture
from slmbatch.report.marked import Mark, Sheet
from slmbatch.report.markup import Child, element
from slmbatch.report.unshown import Unshown, listed
from slmbatch.tasks.triage import OTHER

COUNTS = "This file holds counts and sums only, no text of any document."
MORE = "slmbatch report OUT --pages 20 adds pages of documents, with the fields marked."
PAGES = "This file holds pages of documents and what was found on them: pass it on with the same care."
STATUSES = {"review": "for review", "accepted": "accepted"}
TRUNCATED = "Truncated: part of its text was never read or asked about."
NO_TYPE = "It's of none of the types (other): no fields were looked for."
MOST_FIELDS = 80  # of one document: a list may have hundreds
AROUND = 0.003  # of the page's longer side, between a word and its mark
BADGE = 0.0085  # the radius of a mark's number, of the page's longer side


def held(task: str, sheets: Sequence[Sheet] | None) -> str:
    """Say what the file holds, and how pages come into it."""
    if sheets is not None:
        return PAGES
    return f"{COUNTS} {MORE}" if task == "extract" else COUNTS


def marked_documents(sheets: Sequence[Sheet], without: Unshown | None = None) -> list[Element]:
    """Return the documents one below the other, each mark under a number of its own; then those without pages."""
    review = sum(sheet.status == "review" for sheet in sheets)
    told = "Rows for review first. A field's number leads to its place on the page, the mark's number back."
    return [
        element("h2", "Documents"),
        element("p", told if sheets else "No document has pages that could be drawn.", class_="soft"),
        *(_sheet(number, sheet) for number, sheet in enumerate(sheets, 1)),
        *(listed(without, review) if without is not None else ()),
    ]


def _sheet(number: int, sheet: Sheet) -> Element:
    marks = list(_numbered(sheet.marks[:MOST_FIELDS]))
    pictures = [
        element(
            "figure",
            element("figcaption", f"Page {page}", class_="soft"),
            _page(number, picture, page, marks) if isinstance(picture, Picture) else element("p", picture, class_="no"),
        )
        for page, picture in zip(sheet.pages, sheet.drawn, strict=True)
    ]
    if sheet.more:
        pictures.append(element("p", f"{sheet.more} more pages with marks aren't shown.", class_="soft"))
    of_type = element("span", sheet.type, class_="type") if sheet.type else None
    return element(
        "section",
        element("h3", sheet.id, element("span", STATUSES[sheet.status], class_=f"badge {sheet.status}"), of_type),
        *(element("p", told) for told in sheet.told),
        element("p", TRUNCATED) if sheet.truncated else None,
        element(
            "div",
            element("div", *pictures),
            element("div", *_fields(number, marks), *_left_out(sheet)),
            class_="sheet",
        ),
        class_="document",
    )


def _numbered(marks: Sequence[Mark]) -> Iterator[tuple[int | None, Mark]]:
    """Number those that have a place on a page."""
    at = 0
    for mark in marks:
        at += mark.box is not None
        yield at if mark.box is not None else None, mark


def _fields(number: int, marks: Sequence[tuple[int | None, Mark]]) -> Iterator[Element]:
    rows = [
        element(
            "tr",
            element("td", element("a", str(at), href=f"#mark-{number}-{at}") if at else "–"),
            element("th", *_breakable(mark.path), scope="row"),
            element("td", mark.value, element("small", element("i", class_=mark.kind), mark.told)),
            id_=f"field-{number}-{at}" if at else None,
        )
        for at, mark in marks
        if mark.value is not None or mark.kind == "failed"
    ]
    head = (element("th", name, scope="col") for name in ("", "Field", "Value"))
    if rows:
        yield element("table", element("thead", element("tr", *head)), element("tbody", *rows))


def _breakable(path: str) -> Iterator[Child]:
    """A field's path that may go on in the next line after a dot, and nowhere else while there's room."""
    *groups, last = path.split(".")
    for group in groups:
        yield f"{group}."
        yield element("wbr")
    yield last


def _left_out(sheet: Sheet) -> Iterator[Element]:
    if sheet.type == OTHER:
        yield element("p", NO_TYPE, class_="soft")
    elif not sheet.marks:
        yield element("p", "It has no fields.", class_="soft")
    empty = [mark.path for mark in sheet.marks if mark.value is None and mark.kind != "failed"]
    if empty:
        yield element("p", f"No value: {', '.join(empty)}.", class_="soft")
    if len(sheet.marks) > MOST_FIELDS:
        yield element("p", f"{len(sheet.marks) - MOST_FIELDS} more fields are in fields.parquet.", class_="soft")


def _page(number: int, picture: Picture, page: int, marks: Sequence[tuple[int | None, Mark]]) -> Element:
    """Draw the page's picture and the marks over it, in the unit of their boxes."""
    placed = [(at, mark, mark.box) for at, mark in marks if mark.box is not None and mark.page == page]
    width, height = (placed[0][2].width, placed[0][2].height) if placed else (picture.width, picture.height)
    long = max(width, height)
    data = f"data:image/jpeg;base64,{picture.base64}"
    told = f"Page {page} with {len(placed)} fields marked"
    return element(
        "svg",
        element("title", told),
        element("image", href=data, width=f"{width:g}", height=f"{height:g}", preserveAspectRatio="none"),
        *(_mark(f"{number}-{at}", str(at), mark, long) for at, mark, _ in placed),
        viewBox=f"0 0 {width:g} {height:g}",
        role="group",  # of links, which an image couldn't have
        aria_label=told,
    )


def _mark(name: str, number: str, mark: Mark, long: float) -> Element:
    box = mark.box
    assert box is not None
    around, radius = AROUND * long, BADGE * long
    left, top = max(box.left - around, 0), max(box.top - around, 0)
    across, down = max(left, radius), max(top, radius)
    badge = element(
        "a",
        element("circle", cx=f"{across:.1f}", cy=f"{down:.1f}", r=f"{radius:.1f}"),
        element("text", number, x=f"{across:.1f}", y=f"{down + radius * 0.4:.1f}"),
        href=f"#field-{name}",
    )
    frame = element(
        "rect",
        x=f"{left:.1f}",
        y=f"{top:.1f}",
        width=f"{box.right + around - left:.1f}",
        height=f"{box.bottom + around - top:.1f}",
        rx=f"{around:.1f}",
    )
    return element(
        "g",
        element("title", f"{mark.path}: {mark.value}"),
        frame,
        badge,
        id_=f"mark-{name}",
        class_=f"on {mark.kind}",
        font_size=f"{radius * 1.15:.1f}",
    )
