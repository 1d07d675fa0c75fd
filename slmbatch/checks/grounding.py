"""Where a value stands in a document: as it was written, or in another spelling of the same value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Protocol, TypeAlias

from slmbatch.checks.amounts import scan_amounts
from slmbatch.checks.currencies import spellings
from slmbatch.checks.dates import scan_dates
from slmbatch.checks.letters import Letters, find_verbatim
from slmbatch.types import Grounded, Grounding, Kind, Page, Scalar

_NOWHERE = Grounding(Grounded.NONE)
_Span: TypeAlias = tuple[int, int]  # start and end in one page's text
_WORD = re.compile(r"\S+")
_Places: TypeAlias = dict[Scalar, list[tuple[Page, _Span]]]


class _Reading(Protocol):
    """A typed value read at one place of a text."""

    @property
    def value(self) -> Scalar: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


class TextIndex:
    """The pages of one document, made searchable for typed values. Each kind's list is built when first asked for.

    `day_first` is how "03/04/24" on a page is read; give what `parse_value` was given.
    """

    def __init__(self, pages: Sequence[Page], *, day_first: bool = True) -> None:
        self._pages = tuple(pages)
        self._day_first = day_first

    def find(self, raw: str, value: Scalar, kind: Kind) -> Grounding:
        """Return the first place of a value: where `raw` stands literally, else where the same value stands.

        Of a text, else the place that is most like it. A number's sign counts, and a short value isn't found inside a
        longer word or number.
        """
        written = raw.strip()
        match kind:
            case Kind.DECIMAL | Kind.INTEGER:
                return _typed(self._amounts.get(value, ()), written)
            case Kind.DATE:
                found = _typed(self._dates.get(value, ()), written)
                return found if found.stands else self._verbatim(written)
            case Kind.CURRENCY:
                return self._currency(written, str(value))
            case Kind.TEXT:
                found = self._text(written, value)
                return found if found.stands else self._nearest(written)
            case _:
                return self._text(written, value)

    @cached_property
    def _amounts(self) -> _Places:
        return self._scan(scan_amounts)

    @cached_property
    def _dates(self) -> _Places:
        return self._scan(lambda text: scan_dates(text, day_first=self._day_first))

    @cached_property
    def _letters(self) -> list[Letters]:
        return [Letters(page.text) for page in self._pages]

    def _scan(self, scan: Callable[[str], Iterable[_Reading]]) -> _Places:
        places: _Places = {}
        for page in self._pages:
            for reading in sorted(scan(page.text), key=lambda reading: reading.start):
                places.setdefault(reading.value, []).append((page, (reading.start, reading.end)))
        return places

    def _verbatim(self, written: str) -> Grounding:
        for page in self._pages:
            span = find_verbatim(page.text, written)
            if span:
                return located(Grounded.EXACT, page, span)
        return _NOWHERE

    def _text(self, written: str, value: Scalar) -> Grounding:
        exact = self._verbatim(written)
        if exact.found is Grounded.EXACT:
            return exact
        for needle in dict.fromkeys((written, value if isinstance(value, str) else written)):
            for page, letters in zip(self._pages, self._letters, strict=True):
                span = letters.find(needle)
                if span:
                    return located(Grounded.NORMALISED, page, span)
        return _NOWHERE

    def _nearest(self, written: str) -> Grounding:
        """Look for the place that is most like a text."""
        places = [
            (near, page)
            for page, letters in zip(self._pages, self._letters, strict=True)
            if (near := letters.nearest(written))
        ]
        if not places:
            return _NOWHERE
        (start, end, distance), page = min(places, key=lambda place: place[0][2])
        return replace(located(Grounded.FUZZY, page, (start, end)), distance=distance)

    def _currency(self, written: str, code: str) -> Grounding:
        """Look for the mark as written, then for the code and its symbols. Digits may touch it, letters may not."""
        same, *symbols = map(re.escape, spellings(code))
        other = f"{same}|(?i:{'|'.join(symbols)})" if symbols else same
        for grounded, mark in ((Grounded.EXACT, re.escape(written)), (Grounded.NORMALISED, other)):
            pattern = re.compile(rf"(?<![^\W\d_])(?:{mark})(?![^\W\d_])")
            for page in self._pages if mark else ():
                found = pattern.search(page.text)
                if found:
                    return located(grounded, page, found.span())
        return _NOWHERE


def _typed(places: Sequence[tuple[Page, _Span]], written: str) -> Grounding:
    """Prefer the first place that lies in the text as written, with its currency or its time, to any other place."""
    for page, (start, end) in places:
        at = page.text.find(written, max(0, end - len(written)), start + len(written))
        if at >= 0:
            return located(Grounded.EXACT, page, (at, at + len(written)))
    return located(Grounded.NORMALISED, *places[0]) if places else _NOWHERE


def located(found: Grounded, page: Page, span: tuple[int, int]) -> Grounding:
    """Return the place of a span of a page's text, with its box and the OCR's score where the page has a layout."""
    start, end = span
    word = _WORD.search(page.text, start, end)
    if page.layout is None or word is None:
        return Grounding(found, page.number, start, end)
    first = len(_WORD.findall(page.text, 0, word.start() + 1)) - 1
    last = first + len(_WORD.findall(page.text, start, end)) - 1
    return Grounding(found, page.number, start, end, page.layout.box(first, last), page.layout.score(first, last))
