"""Lines that could be the name of a company or a person, with their traits, and what lines are made of.

Knows no labels and no leaves.
"""

from __future__ import annotations

import re
from collections import Counter

from slmbatch.heads.candidates import Candidate
from slmbatch.heads.sheet import Sheet

PARTY_LINES = 120  # of the beginning
PARTY_TRAITS = (
    "company_form", "all_capitals", "line_0", "line_1", "line_2", "line_3", "line_4_to_6", "later", "digits", "contact",
    "street", "postcode", "one_word", "two_to_six_words", "many_words", "two_lines", "address_next", "address_in_two",
    "after_name_label", "registration_next", "repeated", "document_word", "part_of_line", "ends_oddly", "form_cut_off",
    "person", "registration_after", "above_has_form",
)  # fmt: skip


FORM = re.compile(
    r"(?<!\w)(?:gmbh|mbh|ug|ag|kg|kgaa|ohg|gbr|se|e\.?\s?k\.?|e\.?\s?v\.?|co\. ?kg|ltd|limited|llc|llp|inc|corp|plc|"
    r"sdn\.? ?bhd|s/b|bhd|pte|pty|s\.?a\.?r\.?l|sarl|sas|sasu|eurl|s\.a\.s|s\.?a\.?|s\.?l\.?|s\.l\.u|s\.?p\.?a\.?|spa|"
    r"s\.?r\.?l\.?s?|snc|s\.n\.c|b\.?v\.?|n\.?v\.?|vof|v\.o\.f|enterprise|trading|a\.?g\.?|company|restaurant|restoran|"
    r"mart|store|holdings|versicherungsverein|stiftung|genossenschaft)\.?(?!\w)",
    re.IGNORECASE,
)
CONTACT = re.compile(
    r"(?<!\w)(?:tel|telefon|telephone|phone|fax|telefax|mobil|mobile|hp|e-?mail|www|http|iban|bic|web)(?!\w)|@|"
    r"\.com|\.de(?!\w)|[0-9]{2,3}-[0-9]{6,}",
    re.IGNORECASE,
)
STREET = re.compile(
    r"(?<!\w)(?:jalan|jln|jl|lorong|lot|no|persiaran|lebuh|taman|tmn|street|st|road|rd|avenue|ave|lane|blvd|rue|"
    r"boulevard|place|via|viale|piazza|calle|avenida|plaza|block|blk|unit|level|floor|batu|kampung|kg)(?!\w)|"
    r"stra(?:ß|ss)e|str\.|straat|weg(?!\w)|platz|allee|gasse|laan(?!\w)",
    re.IGNORECASE,
)
POSTCODE = re.compile(r"(?<![\w.,/-])(?:[A-Z]{1,3}-?)?[0-9]{4,5}(?![\w./-])|(?<!\w)[A-Z]{1,2}[0-9][0-9A-Z]? [0-9][A-Z]{2}")
DOCUMENT = re.compile(
    r"(?<!\w)(?:invoice|receipt|tax|bill|cash|date|total|gst|rechnung|facture|factura|fattura|factuur|page|seite|qty|"
    r"amount|description|datum|betrag|welcome|thank|copy|original|order|cashier|table|vat|ust|nr|nummer|kunde)(?!\w)",
    re.IGNORECASE,
)
REGISTRATION = re.compile(r"\(?(?:co\.?\s*(?:reg|no)|reg|roc|company|br)?[ .:no#]*[0-9]{4,}[ -]*[A-Z](?!\w)", re.IGNORECASE)
_TRAILING = re.compile(r"\s*(?:\(\s*(?:co\.?[^()]*)?[0-9][0-9 -]*[A-Z]?[^()]*\)|\s[0-9]{5,}\s?-\s?[A-Z])[\s.]*$", re.IGNORECASE)
_NAME_LABEL = re.compile(r"^(?:name|firma|company|nom|nombre|nome|naam)\s*:\s*", re.IGNORECASE)
_PERSON = re.compile(r"^(?:herrn?|frau|mr|mrs|ms|m\.|mme|sr|sra|sig|dhr|mevr)\b", re.IGNORECASE)


def find_parties(sheet: Sheet) -> list[Candidate]:
    """Return lines, and pairs of lines, as names; a registration number or a label at an end is left out."""
    rows = [sheet.line_text(number) for number in range(min(len(sheet.lines), PARTY_LINES))]
    times = Counter(row.casefold() for row in rows)
    found: list[Candidate] = []
    for number, row in enumerate(rows):
        if not any(map(str.isalpha, row)):
            continue
        start = sheet.lines[number].start
        spans = [(start, start + len(row), 0.0)]
        if number + 1 < len(rows) and len(row) < 60 and any(map(str.isalpha, rows[number + 1])):
            spans.append((start, sheet.lines[number + 1].end, 0.0))
        spans += [(start + left, start + right, 1.0) for left, right in _parts(row)]
        seen = set()
        for first, last, part in spans:
            raw = sheet.text[first:last]
            named = _NAME_LABEL.match(raw)
            first += named.end() if named else 0
            tail = _TRAILING.search(sheet.text[first:last])
            last = first + tail.start() if tail else last
            raw = sheet.text[first:last]
            if (first, last) in seen or len(raw) > 120 or not any(map(str.isalpha, raw)):
                continue
            seen.add((first, last))
            marks = (part, float(named is not None), float(tail is not None), float(times[row.casefold()] > 1))
            value = " ".join(raw.split())
            found.append(Candidate(first, last, value, number, _party(value, number, rows, marks, two="\n" in raw)))
    return found


def _parts(row: str) -> list[tuple[int, int]]:
    """Cut a line at wide gaps, and before its first comma or dot in the middle."""
    cuts = [(one.start(), one.end()) for one in re.finditer(r"\S+(?: {1,2}\S+)*", row)] if "   " in row else []
    head = re.match(r"[^,·•|;–]{3,}?(?=\s*(?:,|·|•|\||;| - | – ))", row)
    return [*cuts, *([head.span()] if head else [])]


def _party(
    value: str, number: int, rows: list[str], marks: tuple[float, float, float, float], *, two: bool
) -> tuple[float, ...]:
    part, named, tail, repeated = marks
    after = rows[number + 1 + two : number + 4 + two]
    next_1, next_2 = (after + ["", ""])[:2]
    count = len(value.split())
    digits = sum(map(str.isdigit, value))
    form = FORM.search(value) is not None
    traits = (
        form, value.isupper(), number == 0, number == 1, number == 2, number == 3, 4 <= number <= 6, number > 6,
        digits / len(value), CONTACT.search(value) is not None, STREET.search(value) is not None,
        POSTCODE.search(value) is not None, count == 1, 2 <= count <= 6, count > 8, two, _is_address(next_1),
        _is_address(next_2), named, REGISTRATION.match(next_1) is not None, repeated,
        DOCUMENT.search(value) is not None, part, not (value[-1].isalnum() or value[-1] in ".)"),
        not form and not two and bool(FORM.match(next_1)), _PERSON.match(value) is not None, tail,
        number > 0 and FORM.search(rows[number - 1]) is not None,
    )  # fmt: skip
    return tuple(map(float, traits))


def _is_address(row: str) -> bool:
    return STREET.search(row) is not None or POSTCODE.search(row) is not None
