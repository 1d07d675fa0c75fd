"""Elements of HTML and SVG, escaped by the standard library, and a page that stands alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias
from xml.etree.ElementTree import Element, tostring

Child: TypeAlias = Element | str | None
FIGURE = "-$0123456789., %"  # the characters of figures


def element(tag: str, *children: Child, **attributes: object) -> Element:
    """Make an element; `class_` and `stroke_width` are written class and stroke-width, attributes of None left out."""
    given = {key.rstrip("_").replace("_", "-"): str(one) for key, one in attributes.items() if one is not None}
    made = Element(tag, given)
    for child in children:
        if isinstance(child, str):
            if len(made):
                made[-1].tail = (made[-1].tail or "") + child
            else:
                made.text = (made.text or "") + child
        elif child is not None:
            made.append(child)
    return made


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, id_: str | None = None) -> Element:
    """Make a table whose first column names its row. Columns that hold figures only stand right."""
    right = [None if any(row[at].strip(FIGURE) for row in rows) else "number" for at in range(len(head))]

    def line(row: Sequence[str]) -> Element:
        cells = (element("td", text, class_=kind) for text, kind in zip(row[1:], right[1:], strict=True))
        return element("tr", element("th", row[0], scope="row"), *cells)

    names = (element("th", name, scope="col", class_=kind) for name, kind in zip(head, right, strict=True))
    body = element("tbody", *(line(row) for row in rows))
    return element("div", element("table", element("thead", element("tr", *names)), body, id_=id_), class_="wide")


def legend(names: Mapping[str, str]) -> Element:
    """Make a legend: what each colour (a class of the style sheet) stands for."""
    return element(
        "ul", *(element("li", element("i", class_=kind), told) for kind, told in names.items()), class_="legend"
    )


def details(*content: Child) -> Element:
    """Make a part that is opened by a click."""
    return element("details", element("summary", "The figures"), *content)


def document(title: str, style: str, *content: Child) -> str:
    """Return a whole HTML document with this style sheet inside it."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", style),
    )
    whole = element("html", head, element("body", element("main", *content)), lang="en")
    return "<!DOCTYPE html>\n" + tostring(whole, encoding="unicode", method="html") + "\n"
