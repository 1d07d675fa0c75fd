"""What could be an amount, a date, a number or a code: every place of a sheet that reads as one, and its own traits.

Knows no labels and no leaves. Company names and addresses are in parties.py.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from slmbatch.checks.amounts import scan_amounts
from slmbatch.checks.currencies import marks_money, parse_currency
from slmbatch.checks.dates import scan_dates
from slmbatch.heads.fields.sheet import Sheet
from slmbatch.types import Scalar

MOST = 300  # candidates of one kind; those with cents go first, then the order of the document
AMOUNT_TRAITS = (
    "cents", "other_decimals", "whole", "negative", "zero", "percent", "money_mark", "alone", "last_on_line",
    "repeated", "sum_of_near", "difference_of_next", "second_reading", "long_digits",
    "inside_longer",
)  # fmt: skip
DATE_TRAITS = ("time_follows", "plausible_year", "repeated", "alone", "earliest", "latest")
IDENTIFIER_TRAITS = (
    "share_of_digits", "short", "long", "all_digits", "year", "date", "cents", "separators", "repeated", "alone",
    "colon_before", "hash_before",
)  # fmt: skip
IBAN_TRAITS = ("check_digits", "known_length")
VAT_TRAITS = ("country", "digits_only", "slashes", "length_fits", "repeated")
CURRENCY_TRAITS = ("share", "beside_amount", "code", "frequent")

_IDENTIFIER = re.compile(r"(?<![\w.,/-])(?=[\w./-]*[0-9])[^\W_][\w./-]{0,28}[^\W_](?!\w)|(?<![\w.,/-])[0-9](?![\w.,])")
_CENTS = re.compile(r"[0-9.,]*[.,][0-9]{2}")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]){11,30}(?!\w)")
_IBAN_LENGTHS = dict(
    re.findall(
        r"([A-Z]{2})(\d\d)",
        "AD24AT20BE16BG22CH21CY28CZ24DE22DK18EE20ES24FI18FR27GB22GR27HR21HU28IE22IS26IT27LI21LT20LU20LV21MC27MT31NL18"
        "NO15PL28PT25RO24SE24SI19SK24SM27TR26SA24AE23",
    )
)
_VAT = re.compile(
    r"(?<!\w)(?:ATU|AT U|CHE|AT|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|GB|GR|HR|HU|IE|IT|"
    r"LT|LU|LV|MT|NL|NO|PL|PT|RO|SE|SI|SK|XI)[ .-]?[0-9A-Z](?:[ .-]?[0-9A-Z]){6,12}(?!\w)"
)
_TAX_NUMBER = re.compile(r"(?<![\w/.-])[0-9](?:[/ -]?[0-9]){8,13}(?![\w/])|(?<!\w)[A-Z][0-9]{7,8}[A-Z]?(?!\w)")
_VAT_DIGITS = {"DE": 9, "AT": 8, "BE": 10, "IT": 11, "FR": 11, "NL": 10, "GB": 9, "CH": 9, "ES": 8, "PL": 10, "LU": 8}
_CURRENCY = re.compile(
    r"(?<![^\W\d_])(?:[A-Z]{3}|(?:US|CA|AU|NZ|HK)?\$|[€£₹₺₽₩₪]|RM|SFr\.?|Fr\.|zł|Kč|(?i:euro))(?![^\W\d_])"
)
_SIGNS = frozenset("$€£")
_TIME = re.compile(r"[ ,T-]{0,3}[0-2]?[0-9][:.h][0-5][0-9]")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One place that could be a leaf's value, and what is told by the place itself; the kind says which traits."""

    start: int
    end: int
    value: Scalar
    line: int
    traits: tuple[float, ...]


def find_amounts(sheet: Sheet) -> list[Candidate]:
    """Return every number with its readings, at most MOST."""
    read = sorted(scan_amounts(sheet.text), key=lambda one: (one.start, one.end))
    if len(read) > MOST:
        kept = sorted(read, key=lambda one: one.value.as_tuple().exponent != -2)[:MOST]
        read = sorted(kept, key=lambda one: (one.start, one.end))
    times = Counter(one.value for one in read)
    built = _arithmetic([one.value for one in read])
    inner = _inside(sheet.text, [(one.start, one.end) for one in read])
    nexts = [*(one.start for one in read[1:]), len(sheet.text)]
    found = []
    for index, one in enumerate(read):
        line = sheet.line_at(one.start)
        row, text = sheet.lines[line], sheet.text
        exponent = one.value.as_tuple().exponent
        after, before = text[one.end : one.end + 4].strip(), text[max(0, one.start - 4) : one.start].strip()
        digits = sum(map(str.isdigit, text[one.start : one.end]))
        again = index > 0 and read[index - 1].start == one.start
        traits = (
            exponent == -2, exponent not in {0, -2}, exponent == 0, one.value < 0, one.value == 0,
            after.startswith("%") or before.endswith("@"), _marked(before, after),
            one.start - row.start < 4 and row.end - one.end < 4,
            nexts[index] >= row.end,
            times[one.value] > 1, index in built[0], index in built[1], again, digits > 8,
            (one.start, one.end) in inner,
        )  # fmt: skip
        found.append(Candidate(one.start, one.end, one.value, line, tuple(map(float, traits))))
    return found


def _marked(before: str, after: str) -> bool:
    left = before.rsplit(maxsplit=1)[-1] if before else ""
    right = after.split(maxsplit=1)[0] if after else ""
    return left[-1:] in _SIGNS or right[:1] in _SIGNS or marks_money(left) or marks_money(right)


def _inside(text: str, places: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return the places that lie in a longer number: "535,20" in "33 535,20"."""
    spaced = [place for place in places if any(map(str.isspace, text[slice(*place)].strip("- ()")))]
    inner = set()
    for start, end in spaced:
        inner |= {one for one in places if start <= one[0] and one[1] <= end and one != (start, end)}
    return inner


def _arithmetic(values: Sequence[Decimal]) -> tuple[set[int], set[int]]:
    """Return who is the sum of two numbers printed close by, and who is what the next two leave (cash and change)."""
    cents = [int(value * 100) if value.as_tuple().exponent == -2 else None for value in values]
    known = [(index, value) for index, value in enumerate(cents) if value is not None and value >= 0]
    sums, differences = set(), set()
    for position, (index, value) in enumerate(known):
        if not value:
            continue
        near = [one for _, one in known[max(0, position - 5) : position + 6] if 0 < one < value]
        if any(value - one in near and value != 2 * one for one in near):
            sums.add(index)
        following = [one for _, one in known[position + 1 : position + 5]]
        pairs = pairwise(following)
        if any(cash - change == value and change for cash, change in pairs):
            differences.add(index)
    return sums, differences


def find_dates(sheet: Sheet, *, day_first: bool) -> list[Candidate]:
    """Return every date."""
    read = sorted(scan_dates(sheet.text, day_first=day_first), key=lambda one: one.start)[:MOST]
    times = Counter(one.value for one in read)
    found = []
    for one in read:
        line = sheet.line_at(one.start)
        row = sheet.lines[line]
        traits = (
            _TIME.match(sheet.text, one.end) is not None, 1990 <= one.value.year <= 2035, times[one.value] > 1,
            one.start - row.start < 4 and row.end - one.end < 4,
            one.value == min(times), one.value == max(times),
        )  # fmt: skip
        found.append(Candidate(one.start, one.end, one.value, line, tuple(map(float, traits))))
    return found


def find_identifiers(sheet: Sheet, days: Sequence[Candidate]) -> list[Candidate]:
    """Return every word with a digit. `days` are the dates of the sheet."""
    dates = {place for one in days for place in range(one.start, one.end)}
    read = [(one.group(), one.start(), one.end()) for one in _IDENTIFIER.finditer(sheet.text)][:MOST]
    times = Counter(raw for raw, _, _ in read)
    found = []
    for raw, start, end in read:
        line = sheet.line_at(start)
        row = sheet.lines[line]
        digits = sum(map(str.isdigit, raw))
        before = sheet.text[max(0, start - 3) : start].strip()
        traits = (
            digits / len(raw), len(raw) < 4, len(raw) > 16, digits == len(raw),
            len(raw) == 4 and raw[:2] in {"19", "20"} and digits == 4, start in dates,
            _CENTS.fullmatch(raw) is not None, bool(set("-/.") & set(raw)), times[raw] > 1,
            end - start >= row.end - row.start - 2, before.endswith(":"), before.endswith("#"),
        )  # fmt: skip
        found.append(Candidate(start, end, raw, line, tuple(map(float, traits))))
    return found


def find_ibans(sheet: Sheet) -> list[Candidate]:
    """Return everything of an IBAN's shape, cut to its country's length."""
    found = []
    for one in _IBAN.finditer(sheet.text):
        length = int(_IBAN_LENGTHS.get(one.group()[:2], 0))
        raw = _first_letters(one.group(), length) if length else one.group()
        letters = raw.replace(" ", "")
        traits = (float(_mod_97(letters) == 1), float(len(letters) == length))
        end = one.start() + len(raw)
        found.append(Candidate(one.start(), end, letters, sheet.line_at(one.start()), traits))
    return found


def _first_letters(text: str, length: int) -> str:
    places = [place for place, character in enumerate(text) if character != " "][:length]
    return text[: places[-1] + 1]


def _mod_97(letters: str) -> int:
    """ISO 13616: the first four characters go to the end, letters count from A = 10; a valid IBAN leaves 1."""
    return int("".join(str(int(one, 36)) for one in letters[4:] + letters[:4])) % 97


def find_vats(sheet: Sheet) -> list[Candidate]:
    """Return everything of a VAT or tax number's shape."""
    ibans = [(one.start, one.end) for one in find_ibans(sheet)]
    shapes = [(one, True) for one in _VAT.finditer(sheet.text)]
    shapes += [(one, False) for one in _TAX_NUMBER.finditer(sheet.text)]
    times = Counter(one.group() for one, _ in shapes)
    found = []
    for one, country in sorted(shapes[:MOST], key=lambda shape: shape[0].start()):
        raw, (start, end) = one.group(), one.span()
        digits = sum(map(str.isdigit, raw))
        if digits < 7 or any(first <= start < last for first, last in ibans):
            continue
        fits = country and _VAT_DIGITS.get(raw[:2], digits) in {digits, len(raw) - 2}
        traits = (country, not country and digits == len(raw), "/" in raw, fits, times[raw] > 1)
        found.append(Candidate(start, end, " ".join(raw.split()), sheet.line_at(start), tuple(map(float, traits))))
    return found


def find_currencies(sheet: Sheet) -> list[Candidate]:
    """Return every currency, once for each time it stands there."""
    read = [(code, one) for one in _CURRENCY.finditer(sheet.text) if (code := parse_currency(one.group()))][:MOST]
    times = Counter(code for code, _ in read)
    return [_currency(sheet, code, one, times) for code, one in read]


def _currency(sheet: Sheet, code: str, one: re.Match[str], times: Counter[str]) -> Candidate:
    start, end = one.span()
    near = sheet.text[max(0, start - 2) : start] + sheet.text[end : end + 2]
    traits = (times[code] / times.total(), any(map(str.isdigit, near)), one.group().isalpha(), times[code] > 2)
    return Candidate(start, end, code, sheet.line_at(start), tuple(map(float, traits)))


def find_rests(sheet: Sheet, ends: Sequence[int]) -> Iterator[Candidate]:
    """Yield what follows each label up to a wide gap or the end of its line, else the next line."""
    for place in ends:
        line = sheet.line_at(place)
        rest = re.match(r"[\s:.#-]*(\S+(?: \S+)*)", sheet.text[place : sheet.lines[line].end])
        if rest:
            yield Candidate(place + rest.start(1), place + rest.end(1), " ".join(rest[1].split()), line, (1.0,))
        elif line + 1 < len(sheet.lines):
            row = sheet.lines[line + 1]
            yield Candidate(row.start, row.end, " ".join(sheet.line_text(line + 1).split()), line + 1, (0.0,))
