"""Runs of lines that could be an address, with their traits. Knows no labels and no leaves."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from slmbatch.heads.fields.candidates import Candidate, Found
from slmbatch.heads.fields.rows import Rows, read_row
from slmbatch.heads.fields.sheet import Sheet

Numbers = npt.NDArray[np.intp]
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


def find_addresses(sheet: Sheet) -> Found:
    """Return every run of up to LONGEST_ADDRESS lines near the top; a telephone number after one is left out."""
    limit = min(len(sheet.lines), ADDRESS_LINES)
    texts = [sheet.line_text(number) for number in range(limit)]
    rows = [read_row(text) for text in texts]
    ends = [_end(sheet.lines[number].start, text) for number, text in enumerate(texts)]
    found, lasts = [], []
    for first in range(limit):
        if not (rows[first].alpha or rows[first].number):
            continue
        start, likely = sheet.lines[first].start, False
        for last in range(first, min(first + LONGEST_ADDRESS, limit)):
            row = rows[last]
            likely = likely or row.street or row.postcode or row.comma or row.place
            if likely:
                value = " ".join(sheet.text[start : ends[last]].split())
                found.append(Candidate(start, ends[last], value, first))
                lasts.append(last)
    firsts = np.array([one.line for one in found], np.intp)
    return Found.of(found, _traits(Rows(texts), firsts, np.array(lasts, np.intp)), ADDRESS_TRAITS)


def _end(start: int, text: str) -> int:
    tail = _TAIL.search(text)
    return start + (tail.start() if tail and tail.start() > 5 else len(text))


def _traits(rows: Rows, first: Numbers, last: Numbers) -> dict[str, npt.ArrayLike]:
    """Return ADDRESS_TRAITS of the runs from the first to the last line."""
    before, after, lines = first - 1, last + 1, last + 1 - first
    columns: dict[str, npt.ArrayLike] = {f"first_{name}": rows[name][first] for name in ("street", "number", "comma")}
    columns |= {f"last_{name}": rows[name][last] for name in ("postcode", "place")}
    for name in ("postcode", "street", "contact", "document", "form"):
        columns[f"any_{name}"] = _any(rows, name, first, last + 1)
    columns |= {f"lines_{count}": lines == count for count in range(1, 5)}
    columns |= {f"next_{name}": rows[name][after] for name in ("street", "postcode", "comma", "contact")}
    for name in ("form", "registration", "street", "comma", "contact", "bracketed"):
        columns[f"before_{name}"] = rows[name][before]
    columns |= {f"starts_at_{line}": first == line for line in range(3)}
    return columns | {
        "lines_5_up": lines >= 5,
        "last_comma": rows["ends_with_comma"][last],
        "starts_at_3_up": first >= 3,
        "many_digits": _any(rows, "digits", first, last + 1),
        "last_place_name": rows["place"][last] & ~rows["postcode"][last],
        "next_place_name": rows["place"][after],
        "inner_stops": _any(rows, "ends_with_stop", first, last),
        "bracketed_next": rows["bracketed"][after],
        "bracketed": rows["bracketed"][first],
    }


def _any(rows: Rows, name: str, first: Numbers, end: Numbers) -> npt.NDArray[np.bool_]:
    """Say whether a row from the first up to the end has something."""
    counts = rows.counts(name)
    return np.asarray(counts[end] > counts[first])
