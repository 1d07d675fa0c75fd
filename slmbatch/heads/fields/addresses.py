"""Runs of lines that could be an address, with their traits. Knows no labels and no leaves."""

from __future__ import annotations

import re
from collections.abc import Sequence

from slmbatch.heads.fields.candidates import Candidate
from slmbatch.heads.fields.rows import NOTHING, Row, read_row
from slmbatch.heads.fields.sheet import Sheet

ADDRESS_LINES, LONGEST_ADDRESS = 16, 6  # lines of the beginning, and of one address
ADDRESS_TRAITS = (
    "first_street", "first_number", "first_comma", "last_postcode", "last_place", "any_postcode", "any_street",
    "any_contact", "any_document", "any_form", "lines_1", "lines_2", "lines_3", "lines_4", "lines_5_up", "next_street",
    "next_postcode", "next_comma", "next_contact", "before_form", "before_registration", "before_street",
    "before_comma", "last_comma", "starts_at_0", "starts_at_1", "starts_at_2", "starts_at_3_up", "many_digits",
    "last_place_name", "next_place_name", "inner_stops", "bracketed_next", "before_contact", "before_bracketed",
    "bracketed",
)  # fmt: skip

_TAIL = re.compile(r"\s*(?:tel|fax|phone|hp|gst|\(|co\.? ?reg).*$", re.IGNORECASE)


def find_addresses(sheet: Sheet) -> list[Candidate]:
    """Return every run of up to LONGEST_ADDRESS lines near the top; a telephone number after one is left out."""
    limit = min(len(sheet.lines), ADDRESS_LINES)
    rows = [read_row(sheet.line_text(number)) for number in range(limit)]
    found = []
    for first in range(limit):
        if not (rows[first].alpha or rows[first].number):
            continue
        likely = False
        for last in range(first, min(first + LONGEST_ADDRESS, limit)):
            likely = likely or rows[last].address or rows[last].comma or rows[last].place
            if not likely:
                continue
            line = sheet.lines[last]
            tail = _TAIL.search(sheet.text[line.start : line.end])
            end = line.start + tail.start() if tail and tail.start() > 5 else line.end
            start = sheet.lines[first].start
            traits = tuple(map(float, _traits(rows, first, last)))
            found.append(Candidate(start, end, " ".join(sheet.text[start:end].split()), first, traits))
    return found


def _traits(rows: Sequence[Row], first: int, last: int) -> tuple[bool, ...]:
    inner, start, end = rows[first : last + 1], rows[first], rows[last]
    after = rows[last + 1] if last + 1 < len(rows) else NOTHING
    before = rows[first - 1] if first else NOTHING
    lines = len(inner)
    return (
        start.street, start.number, start.comma, end.postcode, end.place, any(one.postcode for one in inner),
        any(one.street for one in inner), any(one.contact for one in inner), any(one.document for one in inner),
        any(one.form for one in inner), lines == 1, lines == 2, lines == 3, lines == 4, lines >= 5, after.street,
        after.postcode, after.comma, after.contact, before.form, before.registration, before.street, before.comma,
        end.ends_with_comma, first == 0, first == 1, first == 2, first >= 3, any(one.digits for one in inner),
        end.place and not end.postcode, after.place, any(one.ends_with_stop for one in inner[:-1]), after.bracketed,
        before.contact, before.bracketed, start.bracketed,
    )  # fmt: skip
