"""What could be an amount or a currency: every place of a sheet that reads as one. Knows no labels and no leaves."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from slmbatch.checks.amounts import scan_amounts
from slmbatch.checks.currencies import marks_money, parse_currency
from slmbatch.heads.fields.candidates import MOST, Candidate, Found, line_places
from slmbatch.heads.fields.sheet import Sheet

AMOUNT_TRAITS = (
    "cents", "other_decimals", "whole", "negative", "zero", "percent", "money_mark", "alone", "last_on_line",
    "repeated", "sum_of_near", "difference_of_next", "second_reading", "long_digits",
    "inside_longer",
)  # fmt: skip
CURRENCY_TRAITS = ("share", "beside_amount", "code", "frequent")

_CURRENCY = re.compile(
    r"(?<![^\W\d_])(?:[A-Z]{3}|(?:US|CA|AU|NZ|HK)?\$|[€£₹₺₽₩₪]|RM|SFr\.?|Fr\.|zł|Kč|(?i:euro))(?![^\W\d_])"
)
_SIGNS = frozenset("$€£")
_DIGIT, _BLANK = re.compile(r"\d"), re.compile(r"\s")


def find_amounts(sheet: Sheet) -> Found:
    """Return every number with its readings, at most MOST."""
    text = sheet.text
    read = sorted(scan_amounts(text), key=lambda one: (one.start, one.end))
    exponents = np.array([one.value.as_tuple().exponent for one in read], np.intp)
    if len(read) > MOST:
        kept = np.sort(np.argsort(exponents != -2, kind="stable")[:MOST])
        read, exponents = [read[place] for place in kept], exponents[kept]
    found = [Candidate(one.start, one.end, one.value, sheet.line_at(one.start)) for one in read]
    values = [one.value for one in read]
    times = Counter(values)
    cents = [int(value * 100) if place == -2 else None for value, place in zip(values, exponents, strict=True)]
    sums, differences = _arithmetic(cents)
    places = [(one.start, one.end) for one in read]
    inner = _inside(text, places)
    starts, ends = np.array(places, np.intp).reshape(-1, 2).T
    row_starts, row_ends = line_places(sheet, found)
    around = [(text[max(0, start - 4) : start].strip(), text[end : end + 4].strip()) for start, end in places]
    columns = {
        "cents": exponents == -2,
        "other_decimals": (exponents != 0) & (exponents != -2),
        "whole": exponents == 0,
        "negative": [value < 0 for value in values],
        "zero": [not value for value in values],
        "percent": [after.startswith("%") or before.endswith("@") for before, after in around],
        "money_mark": [_marked(before, after) for before, after in around],
        "alone": (starts - row_starts < 4) & (row_ends - ends < 4),
        "last_on_line": np.append(starts[1:], len(text))[: len(read)] >= row_ends,
        "repeated": [times[value] > 1 for value in values],
        "sum_of_near": [index in sums for index in range(len(read))],
        "difference_of_next": [index in differences for index in range(len(read))],
        "second_reading": np.diff(starts, prepend=-1) == 0,
        "long_digits": [end - start > 8 and len(_DIGIT.findall(text, start, end)) > 8 for start, end in places],
        "inside_longer": [place in inner for place in places],
    }
    return Found.of(found, columns, AMOUNT_TRAITS)


def _marked(before: str, after: str) -> bool:
    left = before.rsplit(maxsplit=1)[-1] if before else ""
    right = after.split(maxsplit=1)[0] if after else ""
    if left and (left[-1] in _SIGNS or marks_money(left)):
        return True
    return bool(right) and (right[0] in _SIGNS or marks_money(right))


def _inside(text: str, places: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return the places that lie in a longer number: "535,20" in "33 535,20"."""
    spaced = [place for place in places if _BLANK.search(text[slice(*place)].strip("- ()"))]
    inner = set()
    for start, end in spaced:
        inner |= {one for one in places if start <= one[0] and one[1] <= end and one != (start, end)}
    return inner


def _arithmetic(cents: Sequence[int | None]) -> tuple[set[int], set[int]]:
    """Return who is the sum of two numbers printed close by, and who is what the next two leave (cash and change)."""
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
