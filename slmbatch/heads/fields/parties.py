"""Lines that could be the name of a company or a person, with their traits, and what lines are made of.

Knows no labels and no leaves.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from slmbatch.heads.fields.candidates import Candidate
from slmbatch.heads.fields.rows import NOTHING, Row, read_row
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
_WIDE = re.compile(r"\S+(?: {1,2}\S+)*")
_HEAD = re.compile(r"[^,·•|;–]{3,}?(?=\s*(?:,|·|•|\||;| - | – ))")
_PERSON = re.compile(r"^(?:herrn?|frau|mr|mrs|ms|m\.|mme|sr|sra|sig|dhr|mevr)\b", re.IGNORECASE)


def find_parties(sheet: Sheet) -> list[Candidate]:
    """Return lines, and pairs of lines, as names; a registration number or a label at an end is left out."""
    texts = [sheet.line_text(number) for number in range(min(len(sheet.lines), PARTY_LINES))]
    rows = [read_row(text) for text in texts]
    times = Counter(text.casefold() for text in texts)
    found: list[Candidate] = []
    for number, text in enumerate(texts):
        if not rows[number].alpha:
            continue
        repeated = times[text.casefold()] > 1
        for start, end, part in _spans(sheet, rows, number, text):
            name = _name(sheet, (start, end), rows, number, marks=(part, repeated))
            if name is not None and not any(name.start == one.start and name.end == one.end for one in found[-4:]):
                found.append(name)
    return found


def _spans(sheet: Sheet, rows: Sequence[Row], number: int, text: str) -> Iterator[tuple[int, int, bool]]:
    """Yield the line, the line with the next one, and the parts of the line; whether each is only a part."""
    start = sheet.lines[number].start
    yield start, start + len(text), False
    if number + 1 < len(rows) and len(text) < 60 and _goes_on(rows[number + 1]):
        yield start, sheet.lines[number + 1].end, False
    if "   " in text:
        yield from ((start + one.start(), start + one.end(), True) for one in _WIDE.finditer(text))
    head = _HEAD.match(text)
    if head:
        yield start, start + head.end(), True


def _goes_on(row: Row) -> bool:
    """Whether a name that began on the line before could go on here."""
    return row.alpha and not (row.contact or row.document or row.postcode or row.registration or row.bracketed)


def _name(
    sheet: Sheet, span: tuple[int, int], rows: Sequence[Row], number: int, *, marks: tuple[bool, bool]
) -> Candidate | None:
    first, last = span
    raw = sheet.text[first:last]
    named = _NAME_LABEL.match(raw)
    first += named.end() if named else 0
    tail = _TRAILING.search(sheet.text[first:last]) if any(map(str.isdigit, raw)) else None
    last = first + tail.start() if tail else last
    raw = sheet.text[first:last]
    if len(raw) > LONGEST_NAME or not any(map(str.isalpha, raw)):
        return None
    value = " ".join(raw.split())
    traits = _traits(value, number, rows, two="\n" in raw, marks=(*marks, named is not None, tail is not None))
    return Candidate(first, last, value, number, tuple(map(float, traits)))


def _traits(
    value: str, number: int, rows: Sequence[Row], *, two: bool, marks: tuple[bool, bool, bool, bool]
) -> tuple[float, ...]:
    part, repeated, named, tail = marks
    own = read_row(value) if part or tail or two else rows[number]
    next_1, next_2 = (rows[at] if at < len(rows) else NOTHING for at in (number + 1 + two, number + 2 + two))
    completed = two and rows[number + 1].form and not rows[number].form
    count = value.count(" ") + 1
    return (
        own.form, value.isupper(), number == 0, number == 1, number == 2, number == 3, 4 <= number <= 6, number > 6,
        sum(map(str.isdigit, value)) / len(value), own.contact, own.street, own.postcode, count == 1, 2 <= count <= 6,
        count > 8, two, next_1.address, next_2.address, named, next_1.registration, repeated, own.document, part,
        not (value[-1].isalnum() or value[-1] in ".)"), not own.form and not two and next_1.form_first,
        _PERSON.match(value) is not None, tail, number > 0 and rows[number - 1].form,
        completed and rows[number + 1].words <= 4, completed and rows[number + 1].words > 4, own.form_first,
        not value[0].isalnum(), own.document_only,
    )  # fmt: skip
