"""Lines that could be the name of a company or a person, with their traits, and what lines are made of.

Knows no labels and no leaves.
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
from slmbatch.heads.fields.rows import KNOWN_TEXTS, Row, Rows, packed, packed_row, read_row, unpacked
from slmbatch.heads.fields.sheet import Sheet

PARTY_LINES, LONGEST_NAME = 120, 120  # lines of the beginning, and characters
PARTY_TRAITS = (
    "company_form", "all_capitals", "line_0", "line_1", "line_2", "line_3", "line_4_to_6", "later", "digits", "contact",
    "street", "postcode", "one_word", "two_to_six_words", "many_words", "two_lines", "address_next", "address_in_two",
    "after_name_label", "registration_next", "repeated", "document_word", "part_of_line", "ends_oddly", "form_cut_off",
    "person", "registration_after", "above_has_form",
    "completed", "completed_long", "starts_with_form", "starts_with_sign", "only_document_words",
)  # fmt: skip


_TRAILING = re.compile(
    r"\s*(?:\(\s*(?:co\.?[^()]*)?[0-9][0-9 -]*[A-Z]?[^()]*\)|\s[0-9]{5,}\s?-\s?[A-Z])[\s.]*$", re.IGNORECASE
)
_NAME_LABEL = re.compile(r"^(?:name|firma|company|nom|nombre|nome|naam)\s*:\s*", re.IGNORECASE)
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


def find_parties(sheet: Sheet) -> Found:
    """Return lines, and pairs of lines, as names; a registration number or a label at an end is left out."""
    texts = [sheet.line_text(number) for number in range(min(len(sheet.lines), PARTY_LINES))]
    rows = [read_row(text) for text in texts]
    found: dict[tuple[int, int], tuple[Candidate, _Name, bool]] = {}
    for number, text in enumerate(texts):
        if rows[number].alpha:
            start = sheet.lines[number].start
            for name, part in _names(sheet, rows, number, text):
                place = start + name.start, start + name.end
                found.setdefault(place, (Candidate(*place, name.value, number), name, part))
    candidates, names, parts = zip(*found.values(), strict=True) if found else ((), (), ())
    times = Counter(map(str.casefold, texts))
    repeated = np.array([times[text.casefold()] > 1 for text in texts], bool)
    columns = _traits(sheet, candidates, names, Rows(texts))
    lines = np.array([one.line for one in candidates], np.intp)
    return Found.of(candidates, columns | {"part_of_line": parts, "repeated": repeated[lines]}, PARTY_TRAITS)


def _names(sheet: Sheet, rows: Sequence[Row], number: int, text: str) -> Iterator[tuple[_Name, bool]]:
    """Yield the line, the line with the next one, and the parts of the line; whether each is only a part."""
    whole = read_name(text)
    if whole is not None:
        yield whole, False
    if number + 1 < len(rows) and len(text) < 60 and _goes_on(rows[number + 1]):
        both = read_name(sheet.text[sheet.lines[number].start : sheet.lines[number + 1].end])
        if both is not None:
            yield both, False
    for part in _parts(text):
        yield part, True


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
    """Return PARTY_TRAITS of the names but `part_of_line` and `repeated`; the rows are those of the lines."""
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
