"""Lines that could be the name of a company or a person, and what stands beside the label of one, with their traits.

Knows no leaves.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from slmbatch.heads.fields.candidates import Candidate, Found
from slmbatch.heads.fields.labels import Label, by_line
from slmbatch.heads.fields.rows import KNOWN_TEXTS, Row, Rows, packed, packed_row, read_row, unpacked
from slmbatch.heads.fields.sheet import Sheet

PARTY_LINES, LONGEST_NAME = 120, 120  # lines of the beginning, and characters
PARTY_TRAITS = (
    "company_form", "all_capitals", "line_0", "line_1", "line_2", "line_3", "line_4_to_6", "later", "digits", "contact",
    "street", "postcode", "one_word", "two_to_six_words", "many_words", "two_lines", "address_next", "address_in_two",
    "after_name_label", "registration_next", "repeated", "document_word", "part_of_line", "ends_oddly", "form_cut_off",
    "person", "registration_after", "above_has_form",
    "completed", "completed_long", "starts_with_form", "starts_with_sign", "only_document_words", "beside_label",
)  # fmt: skip
BESIDE = PARTY_TRAITS.index("beside_label")

_TRAILING = re.compile(
    r"\s*(?:\(\s*(?:co\.?[^()]*)?[0-9][0-9 -]*[A-Z]?[^()]*\)|\s[0-9]{5,}\s?-\s?[A-Z])[\s.]*$", re.IGNORECASE
)
_NAME_LABEL = re.compile(r"^(?:name|firma|company|nom|nombre|nome|naam)\s*:\s*", re.IGNORECASE)
_GAP = re.compile(r"(?:\s\s|\t)$")  # before a cell
# Between a label and what it is for; less than a colon, a gap or the line's end isn't sure.
_TO_NAME = re.compile(r"(?P<sure>(?P<colon>[\s.]*:\s*)|\s{2,}|\t|$)|\s")
_DIGIT, _LETTER = re.compile(r"[\d¹²³]"), re.compile(r"[^\W\d_]")
_BREAK = re.compile(r"[,·•|;–]| - ")
_WIDE = re.compile(r"\S+(?: {1,2}\S+)*")
_HEAD = re.compile(r"[^,·•|;–]{3,}?(?=\s*(?:,|·|•|\||;| - | – ))")
_PERSON = re.compile(r"^(?:herrn?|frau|mr|mrs|ms|m\.|mme|sr|sra|sig|dhr|mevr)\b", re.IGNORECASE)


class _Name(NamedTuple):
    """What a text is as a name: where that begins and ends in it, its value, and `_TOLD` and its row, packed."""

    start: int
    end: int
    value: str
    two: bool  # lines
    told: bytes


_TOLD = ("all_capitals", "words", "after_name_label", "person", "registration_after", "ends_oddly", "starts_with_sign")
_COLUMNS = {name: place for place, name in enumerate((*_TOLD, *(f"own_{name}" for name in Row._fields)))}


class _Named(NamedTuple):
    """A candidate and what it is as a name: a part of its line, beside a label, after a label's colon."""

    candidate: Candidate
    name: _Name
    part: bool
    beside: bool = False
    colon: bool = False


def find_parties(sheet: Sheet, labels: Sequence[Label], owners: int) -> Found:
    """Return lines, pairs of lines and what stands beside labels of names; a registration number at an end is left out.

    `labels` are everybody's, those of names have one of `owners`.
    """
    texts = [sheet.line_text(number) for number in range(min(len(sheet.lines), PARTY_LINES))]
    rows = [read_row(text) for text in texts]
    lines = by_line(labels)
    found: dict[tuple[int, int], _Named] = {}
    for number in range(len(texts)):
        if rows[number].alpha:
            for one in _names(sheet, rows, number, lines.get(number, ()), owners):
                place = one.candidate.start, one.candidate.end
                if one.beside or place not in found:
                    found[place] = one
    candidates, names, parts, beside, colons = zip(*found.values(), strict=True) if found else ((), (), (), (), ())
    times = Counter(map(str.casefold, texts))
    repeated = np.array([times[text.casefold()] > 1 for text in texts], bool)
    columns = _traits(sheet, candidates, names, Rows(texts))
    columns |= {
        "part_of_line": parts,
        "beside_label": beside,
        "after_name_label": np.maximum(columns["after_name_label"], colons),
        "repeated": repeated[[one.line for one in candidates]],
    }
    return Found.of(candidates, columns, PARTY_TRAITS)


def _names(sheet: Sheet, rows: Sequence[Row], number: int, labels: Sequence[Label], owners: int) -> Iterator[_Named]:
    """Yield the line, the line with the next one, the parts of the line, and what stands beside its labels."""
    line = sheet.lines[number]
    cells = [(label, gap) for label in labels if (gap := _after(sheet, label)) is not None]
    ends = [*(label.start for label, gap in cells if gap["sure"] is not None), line.end]
    end = next(end for end in ends if end > line.start)
    whole = read_name(sheet.text[line.start : end].rstrip())
    if whole is not None:
        yield _named(line.start, whole, number)
    if number + 1 < len(rows) and end == line.end < line.start + 60 and _goes_on(rows[number + 1]):
        both = read_name(sheet.text[line.start : sheet.lines[number + 1].end])
        if both is not None:
            yield _named(line.start, both, number)
    for part in _parts(sheet.text[line.start : line.end]):
        yield _named(line.start, part, number, part=True)
    for label, gap in cells:
        if label.owners & owners:
            yield from _beside(sheet, label, gap, next(end for end in ends if end > label.start))


def _named(start: int, name: _Name, line: int, *, part: bool = False) -> _Named:
    return _Named(Candidate(start + name.start, start + name.end, name.value, line), name, part)


def _after(sheet: Sheet, label: Label) -> re.Match[str] | None:
    """Return what divides a label from what it is for, None where that isn't told or it doesn't begin its cell."""
    line = sheet.lines[label.line]
    if label.start > line.start and not _GAP.search(sheet.text, line.start, label.start):
        return None
    return _TO_NAME.match(sheet.text, label.end, line.end)


def _beside(sheet: Sheet, label: Label, gap: re.Match[str], end: int) -> Iterator[_Named]:
    """Yield what stands in a label's cell, as if it were a line of its own below the label.

    A blank between them is enough after several words, where what follows begins like a name. Words as "Firma" are
    both a label of one party and what stands before any party's name: they head nothing.
    """
    cell = _WIDE.match(sheet.text, gap.end(), end)
    if cell is None or _NAME_LABEL.match(f"{sheet.text[label.start : label.end]}:"):
        return
    if gap["sure"] is None and (label.words == 1 or cell[0][0].islower()):
        return
    whole, colon = read_name(cell[0]), gap["colon"] is not None
    for name, part in (*([(whole, False)] if whole else ()), *((one, True) for one in _parts(cell[0]))):
        if "@" not in name.value:  # as after "To" in a mail's head
            one = _named(cell.start(), name, label.line, part=part)
            yield one._replace(beside=True, colon=colon)


@lru_cache(maxsize=KNOWN_TEXTS)
def _parts(text: str) -> tuple[_Name, ...]:
    """Return the names that are parts of a line: between wide gaps, and up to the first comma or dash."""
    places = [one.span() for one in _WIDE.finditer(text)] if "   " in text else []
    head = _HEAD.match(text) if _BREAK.search(text) else None
    if head:
        places.append(head.span())
    names = ((start, read_name(text[start:end], part=True)) for start, end in places)
    return tuple(name._replace(start=at + name.start, end=at + name.end) for at, name in names if name is not None)


def _goes_on(row: Row) -> bool:
    """Whether a name that began on the line before could go on here."""
    return row.alpha and not (row.contact or row.document or row.postcode or row.registration or row.bracketed)


@lru_cache(maxsize=KNOWN_TEXTS)
def read_name(raw: str, *, part: bool = False) -> _Name | None:
    """Tell what a text, or a part of a line, is as a name, None when it can't be one."""
    first, last = 0, len(raw)
    named = _NAME_LABEL.match(raw) if ":" in raw else None
    if named:
        first = named.end()
    tail = _TRAILING.search(raw, first) if ("(" in raw or "-" in raw) and _DIGIT.search(raw) else None
    if tail:
        last = tail.start()
    text = raw[first:last]
    if len(text) > LONGEST_NAME or _LETTER.search(text) is None:
        return None
    value = " ".join(text.split())
    two = "\n" in text
    told = (
        value.isupper(), value.count(" ") + 1, named is not None, _PERSON.match(value) is not None, tail is not None,
        not (value[-1].isalnum() or value[-1] in ".)"), not value[0].isalnum(),
    )  # fmt: skip
    return _Name(first, last, value, two, packed(told) + packed_row(value if two or tail or part else raw))


def _traits(
    sheet: Sheet, candidates: Sequence[Candidate], names: Sequence[_Name], rows: Rows
) -> dict[str, npt.ArrayLike]:
    """Return the PARTY_TRAITS that don't depend on how a name was found; the rows are those of the lines."""
    table = unpacked([name.told for name in names], len(_COLUMNS))
    own = {name: table[:, place] for name, place in _COLUMNS.items()}
    two = np.array([name.two for name in names], bool)
    number = np.array([one.line for one in candidates], np.intp)
    own_form, counts = own["own_form"], own["words"]
    next_1, next_2 = number + 1 + two, number + 2 + two
    completed = two & (rows["form"][number + 1] > rows["form"][number])
    address = rows["street"] | rows["postcode"]
    columns: dict[str, npt.ArrayLike] = {f"line_{line}": number == line for line in range(4)}
    columns |= {name: own[f"own_{name}"] for name in ("contact", "street", "postcode")}
    return columns | {
        **{name: own[name] for name in _TOLD},
        "company_form": own_form,
        "line_4_to_6": (number >= 4) & (number <= 6),
        "later": number > 6,
        "digits": _share_of_digits(sheet, candidates),
        "one_word": counts == 1,
        "two_to_six_words": (counts >= 2) & (counts <= 6),
        "many_words": counts > 8,
        "two_lines": two,
        "address_next": address[next_1],
        "address_in_two": address[next_2],
        "registration_next": rows["registration"][next_1],
        "document_word": own["own_document"],
        "form_cut_off": (own_form == 0) & ~two & (rows["form_first"][next_1] > 0),
        "above_has_form": rows["form"][number - 1],
        "completed": completed & (rows["words"][number + 1] <= 4),
        "completed_long": completed & (rows["words"][number + 1] > 4),
        "starts_with_form": own["own_form_first"],
        "only_document_words": own["own_document_only"],
    }


def _share_of_digits(sheet: Sheet, candidates: Sequence[Candidate]) -> npt.ArrayLike:
    starts, ends = np.array([(one.start, one.end) for one in candidates], np.intp).reshape(-1, 2).T
    sizes = np.array([len(str(one.value)) for one in candidates], np.intp)
    digits = sheet.tally.digits + sheet.tally.raised
    return (digits[ends] - digits[starts]) / sizes
