"""Lines that could be the name of a company or a person, with their traits, and what lines are made of.

Knows no labels and no leaves.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from slmbatch.heads.fields.candidates import Candidate, Found
from slmbatch.heads.fields.rows import Row, Rows, read_row
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
    """A candidate, whether it spans two lines, is a part of one, or lost a label before it or a number after it."""

    candidate: Candidate
    two: bool
    part: bool
    named: bool
    tail: bool


def find_parties(sheet: Sheet) -> Found:
    """Return lines, and pairs of lines, as names; a registration number or a label at an end is left out."""
    texts = [sheet.line_text(number) for number in range(min(len(sheet.lines), PARTY_LINES))]
    rows = [read_row(text) for text in texts]
    found: list[_Name] = []
    known: list[tuple[int, int]] = []
    for number, text in enumerate(texts):
        if not rows[number].alpha:
            continue
        for start, end, part in _spans(sheet, rows, number, text):
            name = _name(sheet, (start, end), number, part=part)
            if name is not None and (name.candidate.start, name.candidate.end) not in known[-4:]:
                known.append((name.candidate.start, name.candidate.end))
                found.append(name)
    times = Counter(text.casefold() for text in texts)
    columns = _traits(found, rows) | {
        "repeated": [times[texts[name.candidate.line].casefold()] > 1 for name in found],
    }
    return Found.of([name.candidate for name in found], columns, PARTY_TRAITS)


def _spans(sheet: Sheet, rows: Sequence[Row], number: int, text: str) -> Iterator[tuple[int, int, bool]]:
    """Yield the line, the line with the next one, and the parts of the line; whether each is only a part."""
    start = sheet.lines[number].start
    yield start, start + len(text), False
    if number + 1 < len(rows) and len(text) < 60 and _goes_on(rows[number + 1]):
        yield start, sheet.lines[number + 1].end, False
    if "   " in text:
        yield from ((start + one.start(), start + one.end(), True) for one in _WIDE.finditer(text))
    head = _HEAD.match(text) if _BREAK.search(text) else None
    if head:
        yield start, start + head.end(), True


def _goes_on(row: Row) -> bool:
    """Whether a name that began on the line before could go on here."""
    return row.alpha and not (row.contact or row.document or row.postcode or row.registration or row.bracketed)


def _name(sheet: Sheet, span: tuple[int, int], number: int, *, part: bool) -> _Name | None:
    first, last = span
    raw = sheet.text[first:last]
    named = _NAME_LABEL.match(raw) if ":" in raw else None
    if named:
        first += named.end()
        raw = sheet.text[first:last]
    tail = _TRAILING.search(raw) if ("(" in raw or "-" in raw) and _DIGIT.search(raw) else None
    if tail:
        last = first + tail.start()
        raw = sheet.text[first:last]
    if len(raw) > LONGEST_NAME or _LETTER.search(raw) is None:
        return None
    candidate = Candidate(first, last, " ".join(raw.split()), number)
    return _Name(candidate, "\n" in raw, part, named is not None, tail is not None)


def _traits(names: Sequence[_Name], lines: Sequence[Row]) -> dict[str, npt.ArrayLike]:
    """Return PARTY_TRAITS of the names but `repeated`; the rows are those of the lines."""
    values = [str(name.candidate.value) for name in names]
    two = np.array([name.two for name in names], bool)
    number = np.array([name.candidate.line for name in names], np.intp)
    counts = np.array([value.count(" ") + 1 for value in values], np.intp)
    rows = Rows(lines)
    other = [index for index, name in enumerate(names) if name.part or name.tail or name.two]
    own = rows.taken(number, {index: read_row(values[index]) for index in other})
    own_form = own["form"]
    next_1, next_2 = number + 1 + two, number + 2 + two
    completed = two & (rows["form"][number + 1] > rows["form"][number])
    columns: dict[str, npt.ArrayLike] = {f"line_{line}": number == line for line in range(4)}
    for name in ("contact", "street", "postcode"):
        columns[name] = own[name]
    address = rows["street"] | rows["postcode"]
    return columns | {
        "company_form": own_form,
        "all_capitals": [value.isupper() for value in values],
        "line_4_to_6": (number >= 4) & (number <= 6),
        "later": number > 6,
        "digits": [len(_DIGIT.findall(value)) / len(value) if _DIGIT.search(value) else 0 for value in values],
        "one_word": counts == 1,
        "two_to_six_words": (counts >= 2) & (counts <= 6),
        "many_words": counts > 8,
        "two_lines": two,
        "address_next": address[next_1],
        "address_in_two": address[next_2],
        "after_name_label": [name.named for name in names],
        "registration_next": rows["registration"][next_1],
        "document_word": own["document"],
        "part_of_line": [name.part for name in names],
        "ends_oddly": [not (value[-1].isalnum() or value[-1] in ".)") for value in values],
        "form_cut_off": (own_form == 0) & ~two & (rows["form_first"][next_1] > 0),
        "person": [_PERSON.match(value) is not None for value in values],
        "registration_after": [name.tail for name in names],
        "above_has_form": rows["form"][number - 1],
        "completed": completed & (rows["words"][number + 1] <= 4),
        "completed_long": completed & (rows["words"][number + 1] > 4),
        "starts_with_form": own["form_first"],
        "starts_with_sign": [not value[0].isalnum() for value in values],
        "only_document_words": own["document_only"],
    }
