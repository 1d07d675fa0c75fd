"""Where among the pages of a file another document begins: several invoices scanned in one go.

Rather one document too few than one cut in two: a page begins one only if it says so, or is one all by itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slmbatch.heads.fields.field_head import Sighted
from slmbatch.heads.fields.types import TypesHead, required_paths
from slmbatch.tasks.hints import HintKind
from slmbatch.tasks.schema import Schema
from slmbatch.tasks.triage import OTHER
from slmbatch.types import Document, Page

_PAGE, _OF = r"\b(?:page|seite|blatt|p[aá]gina)\b[ .:]*", r"\s*(?:of|von|de|sur|di|van|/)\s*"
_NUMBER, _EDGE = r"(\d{1,3})", r"[^\w\n]*"
_COUNTED = re.compile(
    rf"{_PAGE}{_NUMBER}{_OF}{_NUMBER}(?!\w)"
    rf"|^{_EDGE}{_NUMBER}{_OF}{_NUMBER}{_EDGE}$"
    rf"|^{_EDGE}{_PAGE}{_NUMBER}{_EDGE}$",
    re.IGNORECASE | re.MULTILINE,
)
_NAMED = re.compile(rf"{_PAGE}{_NUMBER}(?!\w)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Look:
    """What a page is by itself, or what the pages of a document so far are.

    `counted` is its number in "page 2 of 3"; `type` what it surely is; `whole`: every required field of that type is on
    it; `numbers` what stands beside the labels of identifiers.
    """

    counted: int | None = None
    type: str | None = None
    whole: bool = False
    numbers: frozenset[object] = frozenset()

    def begins(self, before: _Look) -> bool:
        """Whether this page is another document's first."""
        if self.counted is not None:
            return self.counted == 1
        if self.type is None:
            return False
        if before.type not in {None, self.type}:
            return True
        return self.whole and not self.numbers & before.numbers

    def joined(self, page: _Look) -> _Look:
        return _Look(None, self.type or page.type, numbers=self.numbers | page.numbers)


class PageSplitter:
    """Splits the pages of a file into documents of these types."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self._types = TypesHead(schemas)
        self._required = {name: required_paths(schema) for name, schema in schemas.items()}
        self._numbers = {name: _identifiers(schema) for name, schema in schemas.items()}

    def split(self, pages: Sequence[Page]) -> list[tuple[Page, ...]]:
        """Return the pages of each document, in order; a page without text goes with its neighbours."""
        documents = [[pages[0]]]
        known = self._look(pages[0])
        for page in pages[1:]:
            look = self._look(page)
            if look.begins(known) and any(one.text for one in documents[-1]):
                documents.append([page])
                known = look
            else:
                documents[-1].append(page)
                known = known.joined(look)
        return [tuple(document) for document in documents]

    def _look(self, page: Page) -> _Look:
        answer, sighted = self._types.look(Document("", "", None, (page,)))
        told = answer.label
        if told is None or told == OTHER:
            return _Look(_counted(page.text))
        found, required = sighted[told], self._required[told]
        whole = bool(required) and required <= found.keys()
        return _Look(_counted(page.text), told, whole, _values(found, self._numbers[told]))


def _identifiers(schema: Schema) -> set[str]:
    """Return the paths of the fields that are numbers of documents, orders and the like."""
    sought = [(path, one.hint) for path, one in schema.fields() if one.hint and "[]" not in path]
    return {path for path, hint in sought if hint.kind is HintKind.IDENTIFIER}


def _values(found: Mapping[str, Sighted], paths: set[str]) -> frozenset[object]:
    return frozenset(one.value for path, one in found.items() if path in paths and one.labelled)


def _counted(text: str) -> int | None:
    """Return the page's own number, None where none is printed or several are.

    A number amid other words ("carried over from page 1") may be another page's, and is none that a document begins by.
    Nor is a bare "1/4", which may be a fraction or a month; "2/4" may still be the second of four.
    """
    told = {
        int(one[1] or one[3] or one[5]) for one in _COUNTED.finditer(text) if _possible(one) and int(one[3] or 0) != 1
    }
    if not told:
        told = {int(one[1]) for one in _NAMED.finditer(text)}
        told = told if 1 not in told else set()
    return told.pop() if len(told) == 1 else None


def _possible(counted: re.Match[str]) -> bool:
    number, of = counted[1] or counted[3] or counted[5], counted[2] or counted[4]
    return 1 <= int(number) <= int(of or number)
