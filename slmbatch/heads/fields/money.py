"""What could be an amount or a currency: every place of a sheet that reads as one. Knows no labels and no leaves."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from operator import attrgetter

import numpy as np
import numpy.typing as npt

from slmbatch.checks.amounts import scan_amounts
from slmbatch.checks.currencies import marks_money, parse_currency
from slmbatch.heads.fields.candidates import MOST, Candidate, Found, line_places
from slmbatch.heads.fields.characters import Numbers
from slmbatch.heads.fields.sheet import Sheet

AMOUNT_TRAITS = (
    "cents", "other_decimals", "whole", "negative", "zero", "percent", "money_mark", "alone", "last_on_line",
    "repeated", "sum_of_near", "difference_of_next", "second_reading", "long_digits",
    "inside_longer",
)  # fmt: skip
CURRENCY_TRAITS = ("share", "beside_amount", "code", "frequent")

# A set first, which the engine finds quickly.
_CURRENCY = re.compile(
    r"[A-Z$€£₹₺₽₩₪ze](?<![^\W\d_].)(?:(?<=[A-Z])[A-Z]{2}|(?:(?<=U)S|(?<=C)A|(?<=A)U|(?<=N)Z|(?<=H)K)\$|"
    r"(?<=[$€£₹₺₽₩₪])|(?<=R)M|(?<=S)Fr\.?|(?<=F)r\.|(?<=z)ł|(?<=K)č|(?<=[eE])(?i:uro))(?![^\W\d_])"
)
ONE, CENT = Decimal(1), Decimal("0.01")
LAST = 100  # of MOST, those that the end of a document has for sure: a long table is before its totals
_SIGNS = frozenset("$€£")
_NO_MARKS = frozenset(["", *":;,-()/*%@|"])  # beside a number these are no currency, nor the end of one before it
_PERIOD = re.compile(r"[^\S\n]{0,2}(?:days?|tagen?|jours?|giorn[io]|d[ií]as?|dag(?:en)?)\b", re.IGNORECASE)
_DIGIT, _BLANK = re.compile(r"\d"), re.compile(r"\s")


def find_amounts(sheet: Sheet) -> Found:
    """Return every number with its readings, at most MOST: those with cents first, of these the first and the last.

    Numbers of days are none ("payable within 14 days").
    """
    text = sheet.text
    read = [one for one in scan_amounts(text) if not _PERIOD.match(text, one.end)]
    read.sort(key=attrgetter("start", "end"))
    with_cents = [one.value.same_quantum(CENT) for one in read]
    if len(read) > MOST:
        ranked = np.argsort(np.logical_not(with_cents), kind="stable")[: max(MOST, sum(with_cents))]
        kept = np.sort(np.append(ranked[: MOST - LAST], ranked[-LAST:])).tolist()
        read, with_cents = [read[place] for place in kept], [with_cents[place] for place in kept]
    values = [one.value for one in read]
    times = Counter(values)
    cents = [int(value * 100) if has_cents else None for value, has_cents in zip(values, with_cents, strict=True)]
    whole = np.array([value.same_quantum(ONE) for value in values], bool)
    places = [(one.start, one.end) for one in read]
    starts, ends = np.array(places, np.int64).reshape(-1, 2).T
    lines, row_starts, row_ends = line_places(sheet, starts)
    percent, marked = np.array([_around(text, *place) for place in places], bool).reshape(-1, 2).T
    columns = {
        "cents": with_cents,
        "other_decimals": ~(whole | np.array(with_cents, bool)),
        "whole": whole,
        "negative": [value < 0 for value in values],
        "zero": [not value for value in values],
        "percent": percent,
        "money_mark": marked,
        "alone": (starts - row_starts < 4) & (row_ends - ends < 4),
        "last_on_line": np.append(starts[1:], len(text))[: len(read)] >= row_ends,
        "repeated": [times[value] > 1 for value in values],
        "second_reading": np.diff(starts, prepend=-1) == 0,
        "long_digits": sheet.tally.digits[ends] - sheet.tally.digits[starts] > 8,
        "inside_longer": _inside(sheet, starts, ends),
    }
    columns |= dict(zip(("sum_of_near", "difference_of_next"), _arithmetic(cents), strict=True))
    numbers = zip(places, values, lines.tolist(), strict=True)
    return Found.of([Candidate(*place, value, line) for place, value, line in numbers], columns, AMOUNT_TRAITS)


def _around(text: str, start: int, end: int) -> tuple[bool, bool]:
    """Say whether a number is a percentage, and whether a currency stands beside it."""
    before, after = text[max(0, start - 4) : start].strip(), text[end : end + 4].strip()
    return after.startswith("%") or before.endswith("@"), _marked(before, after)


def _marked(before: str, after: str) -> bool:
    left, right = before[-1:], after[:1]
    if left in _SIGNS or right in _SIGNS:
        return True
    # A currency ends with a letter, a sign or a point, and begins with a letter or a sign.
    beside = (
        "" if left.isdecimal() or left in _NO_MARKS else before.rsplit(maxsplit=1)[-1],
        "" if right.isdecimal() or right in _NO_MARKS else after.split(maxsplit=1)[0],
    )
    return any(word and marks_money(word) for word in beside)


def _inside(sheet: Sheet, starts: Numbers, ends: Numbers) -> npt.NDArray[np.bool_]:
    """Say which places lie in a longer number: "535,20" in "33 535,20"."""
    inner = np.zeros(len(starts), bool)
    gaps = np.flatnonzero(sheet.tally.blanks[ends] != sheet.tally.blanks[starts])
    for start, end in zip(starts[gaps].tolist(), ends[gaps].tolist(), strict=True):
        if _BLANK.search(sheet.text[start:end].strip("- ()")):
            inner |= (starts >= start) & (ends <= end) & ((starts != start) | (ends != end))
    return inner


def _arithmetic(cents: Sequence[int | None]) -> tuple[list[bool], list[bool]]:
    """Tell who is the sum of two numbers printed close by, and who is what the next two leave (cash and change)."""
    known = [(index, value) for index, value in enumerate(cents) if value is not None and value >= 0]
    numbers = [value for _, value in known]
    sums, differences = [False] * len(cents), [False] * len(cents)
    for position, (index, value) in enumerate(known):
        if not value:
            continue
        near = [one for one in numbers[max(0, position - 5) : position + 6] if 0 < one < value]
        sums[index] = any(value - one in near and value != 2 * one for one in near)
        following = numbers[position + 1 : position + 5]
        differences[index] = any(cash - change == value and change for cash, change in pairwise(following))
    return sums, differences


def find_currencies(sheet: Sheet) -> Found:
    """Return every currency, once for each time it stands there."""
    text = sheet.text
    read = [(code, one) for one in _CURRENCY.finditer(text) if (code := parse_currency(one.group()))][:MOST]
    times = Counter(code for code, _ in read)
    found = []
    for code, one in read:
        start, end = one.span()
        near = text[max(0, start - 2) : start] + text[end : end + 2]
        traits = (times[code] / len(read), _DIGIT.search(near) is not None, one.group().isalpha(), times[code] > 2)
        found.append((Candidate(start, end, code, sheet.line_at(start)), traits))
    return Found.of_rows(found, CURRENCY_TRAITS)
