"""XML as others send it, read without a chance to do harm, and its elements found by path.

A document type is refused at once: without one no entity can be declared, and so nothing grows or is fetched.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

MAX_XML_BYTES = 16 * 2**20
MAX_DEPTH = 100
IN_CURRENCY = "in currency"


class XmlError(ValueError):
    """Not XML that is read here; the message says why."""


class _NoDoctype(ElementTree.TreeBuilder):
    """Builds the tree of a document that declares nothing and isn't nested without end."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:  # noqa: ARG002
        raise XmlError("a document type isn't accepted")

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise XmlError(f"nested more than {MAX_DEPTH} levels deep")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag)


def parse_xml(content: bytes) -> Element:
    """Return the root. Raises XmlError for what isn't XML, is larger than MAX_XML_BYTES or declares a document type."""
    if len(content) > MAX_XML_BYTES:
        raise XmlError(f"larger than {MAX_XML_BYTES // 2**20} MB")
    parser = ElementTree.XMLParser(target=_NoDoctype())  # noqa: S314  entities can't be declared
    try:
        parser.feed(content.lstrip())
        root: Element = parser.close()
    except (ElementTree.ParseError, LookupError, ValueError) as error:  # the last two: unknown and broken encodings
        raise error if isinstance(error, XmlError) else XmlError(str(error)) from error
    return root


def local(element: Element) -> str:
    """Return an element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def find_all(root: Element, path: str, *, where: str, currency: str | None = None) -> Iterator[tuple[Element, str]]:
    """Yield the elements at a path below `root`, each with its own path after `where`, in the order of the document.

    A step is a name or several with `|` between them, and may end in a condition: `[@attribute=value]`,
    `[child/child=value]`, the same with `!=`, or `[in currency]`, which holds if it names `currency` or none.
    Among several elements of one name the position, from 1, is told in the path.
    """
    step, _, rest = _split(path)
    names, _, condition = step.partition("[")
    allowed = names.split("|")
    counts: dict[str, int] = {}
    alike = [local(child) for child in root]
    for child, name in zip(root, alike, strict=True):
        if name not in allowed:
            continue
        counts[name] = counts.get(name, 0) + 1
        if condition and not _holds(child, condition.rstrip("]"), currency):
            continue
        here = f"{where}/{name}" + (f"[{counts[name]}]" if alike.count(name) > 1 else "")
        if rest and not rest.startswith("@"):
            yield from find_all(child, rest, where=here, currency=currency)
        else:
            yield child, here


def _split(path: str) -> tuple[str, str, str]:
    """Split off the first step; a slash inside a condition doesn't count."""
    end = path.find("/")
    if "[" in path[: max(end, 0)]:
        end = path.find("/", path.find("]"))
    return (path, "", "") if end < 0 else (path[:end], "/", path[end + 1 :])


def _holds(element: Element, condition: str, currency: str | None) -> bool:
    if condition == IN_CURRENCY:
        return element.get("currencyID", currency) == currency
    what, _, wanted = condition.partition("=")
    if what.startswith("@"):
        return element.get(what[1:]) == wanted
    told = "".join(one.text or "" for one, _ in find_all(element, what.removesuffix("!"), where="")).strip()
    return (told == wanted) is not what.endswith("!")
