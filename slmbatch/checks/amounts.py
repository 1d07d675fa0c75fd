"""Numbers as documents write them, in any locale, and the places of a text where they stand. Always Decimal.

price-parser isn't used: it drops every minus sign and bracket, and reads 0.123 as 123 and 1’234.50 as 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from slmbatch.checks.currencies import marks_money

# One character for one character, so that places in the plain text are places in the original.
_PLAIN = str.maketrans(
    dict.fromkeys("\u00a0\u2002\u2003\u2007\u2008\u2009\u200a\u202f", " ")
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-")
    | dict.fromkeys("\u2019\u02bc\u00b4`", "'")
)
_UNUSUAL = re.compile("[" + "".join(map(chr, _PLAIN)) + "]")
_UNITS = "x g kg mg t l ml cl m cm mm km h min pc pcs pce ea st stk kwh gb mb"
_MAX_DIGITS = 40

_LITERAL = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?")
_GROUPED = re.compile(r"([1-9][0-9]{0,2})(?P<sep>[.,' ])[0-9]{3}((?P=sep)[0-9]{3})*(?:(?!(?P=sep))[.,][0-9]+)?")
_LAKHS = re.compile(r"[1-9][0-9]?(,[0-9]{2})+,[0-9]{3}(\.[0-9]+)?")
_UNGROUPED = re.compile(r"[0-9]+([.,][0-9]+)?|[.,][0-9]+")
_WHOLE = re.compile(
    r"(?P<before>[^0-9.,']*?(?:[^\W\d_]\.\s*)?)"  # a sign and a currency, which may end with a point as in "Fr."
    r"(?P<number>[.,]?[0-9](?:[0-9.,' ]*[0-9])?)(?:[.,]-{1,2})?"  # "12.-" is Swiss for 12.00
    r"(?P<after>[^0-9]*)"
)
_TOKEN = re.compile(r"[0-9]+(?:[.,'][0-9]+)*")
# A set first, which the engine finds quickly. Its group leaves out the first digit.
_SPACED = re.compile(
    r"[1-9](?<![0-9][0-9])(?<![0-9][.,'][0-9])(?=([0-9]{0,2}(?: [0-9]{3})+(?:[.,][0-9]+)?)(?![.,']?[0-9]))"
)
_MARK_LEFT = re.compile(r"(?<!\w)(?:[^\W\d_]{0,3}[$€£¥₩-₿]|[^\W\d_]{1,4}\.?) ?$")
_MARK_ENDS = frozenset("$€£¥.") | frozenset(map(chr, range(ord("₩"), ord("₿") + 1)))
_MARK_RIGHT = re.compile(r" ?(?:[$€£¥₩-₿]|[^\W\d_]{1,5}\.?)")
_WORD = re.compile(r"[^\W\d_]+")
_MINUS_LEFT = re.compile(r"(?<!-)-(?P<gap> ?)$")
_MINUS_RIGHT = re.compile(r"(?P<gap> ?)-(?![\w-])")
_SURE, _SPACED_MINUS, _BRACKET = "-", " -", "()"


class Amount(NamedTuple):
    """One reading of one number of a text, with its sign inside the place. A tuple, since texts have many."""

    value: Decimal
    start: int
    end: int


def parse_amount(text: str, *, literal: bool = False) -> Decimal | None:
    """Return the amount that the whole text is, None when it is anything else.

    A currency or a percent sign may stand on either side; a minus before or after, or round brackets, make it
    negative. A single separator followed by exactly three digits groups thousands ("1.234" and "1,234" are 1234)
    unless the part before it starts with 0 or has more than three digits. With `literal` the text may be a JSON
    number, whose point is always a decimal point.
    """
    plain = text.translate(_PLAIN).strip()
    if len(plain) > 2 * _MAX_DIGITS:
        return None
    if literal and _LITERAL.fullmatch(plain):
        return Decimal(plain)
    bracketed = plain.startswith("(") and plain.endswith(")")
    whole = _WHOLE.fullmatch(plain[1:-1] if bracketed else plain)
    if whole is None:
        return None
    before, after = whole["before"], whole["after"]
    minuses = bracketed + before.count("-") + after.count("-")
    if minuses > 1 or not _is_dressing(before.replace("-", ""), "+") or not _is_dressing(after.replace("-", ""), "%"):
        return None
    readings = _readings(whole["number"])
    return (-readings[0] if minuses else readings[0]) if readings else None


def scan_amounts(text: str) -> Iterator[Amount]:
    """Yield every reading of every number that isn't a piece of a longer token, such as a date, a time or a code.

    "1,234" reads as 1234 and as 1.234; "2 150,00" as 2150.00 and, in two columns, as 2 and 150.00; a minus with a space
    between, or brackets, may be punctuation and give both signs.
    """
    plain = _UNUSUAL.sub(lambda found: found.group().translate(_PLAIN), text)
    for found in _TOKEN.finditer(plain):
        yield from _amounts_at(plain, found.start(), found.end())
    for found in _SPACED.finditer(plain):
        yield from _amounts_at(plain, found.start(), found.end(1))


def _readings(number: str) -> list[Decimal]:
    """Read digits and separators, the likeliest reading first."""
    if len(number) > _MAX_DIGITS:
        return []
    if number.isdecimal():
        return [Decimal(number)]
    grouped = _GROUPED.fullmatch(number) if len(number) >= len("1,000") else None
    readings = []
    if grouped:
        readings.append(number.replace(grouped["sep"], "").replace(",", "."))
    elif number.count(",") > 1 and _LAKHS.fullmatch(number):
        readings.append(number.replace(",", ""))
    if _UNGROUPED.fullmatch(number):
        readings.append(number.replace(",", "."))
    return [Decimal(reading) for reading in readings]


def _is_dressing(text: str, sign: str) -> bool:
    word = text.strip()
    return word in {"", sign} or marks_money(word)


def _amounts_at(text: str, start: int, end: int) -> Iterator[Amount]:
    left, right = _left(text, start), _right(text, end)
    if left is None or right is None:
        return
    (first, before), (last, after) = left, right
    if not before and not after:
        for value in _readings(text[start:end]):
            yield Amount(value, start, end)
        return
    marks = {before, after}
    if before != after:  # one bracket belongs to more than the number; a minus close by outdoes a dash further off
        weak = _SPACED_MINUS if _SURE in marks else _BRACKET
        first, before = (start, "") if before in {weak, _BRACKET} else (first, before)
        last, after = (end, "") if after in {weak, _BRACKET} else (last, after)
    negative = before == after == _BRACKET or bool(before) != bool(after)
    for value in _readings(text[start:end]):
        if _SURE not in marks:
            yield Amount(value, start, end)
        if negative:
            yield Amount(-value, first, last)


def _left(text: str, start: int) -> tuple[int, str] | None:
    """Return what stands before a number and where that begins; None when the number is the end of a longer token."""
    near, further = text[start - 1 : start], text[start - 2 : start - 1]
    alone = further.isdigit() or (near != "\n" and (near != " " or further.isspace()))
    if not near or (near.isspace() and alone):
        return start, ""
    money = _money_before(text, start)
    for edge in dict.fromkeys((start, money)):
        minus = _MINUS_LEFT.search(text, max(0, edge - 2), edge)
        if minus is None:
            continue
        dash = minus.start()
        if text[dash - 1 : dash].isalnum() and _money_before(text, dash) == dash:
            return None if edge == start and not minus["gap"] else (start, "")
        return dash, _SPACED_MINUS if minus["gap"] else _SURE
    if text[money - 1 : money] == "(":
        return money - 1, _BRACKET
    if near in {"/", ":"} and (further.isdigit() or (near == "/" and further.isalpha())):
        return None
    times = near in {"x", "X"} and not further.isalpha()
    return None if money == start and not times and (near.isalnum() or near == "_") else (start, "")


def _right(text: str, end: int) -> tuple[int, str] | None:
    """Return what stands after a number and where that ends; None when the number begins a longer token."""
    near, further = text[end : end + 1], text[end + 1 : end + 2]
    if not near or (near.isspace() and (near != " " or further.isspace() or further.isdigit())):
        return end, ""
    if near == "_" or (near == "-" and further.isalnum()) or (near in {"/", ":"} and further.isdigit()):
        return None
    mark = _MARK_RIGHT.match(text, end)
    word = mark.group().strip() if mark else ""
    money = mark.end() if mark and not text[mark.end() : mark.end() + 1].isalnum() and marks_money(word) else end
    if near.isalnum() and money == end and not _is_unit(text, end):
        return None
    for edge in dict.fromkeys((end, money)):
        minus = _MINUS_RIGHT.match(text, edge)
        if minus is not None:
            return minus.end(), _SPACED_MINUS if minus["gap"] else _SURE
    return (money + 1, _BRACKET) if text[money : money + 1] == ")" else (end, "")


def _money_before(text: str, end: int) -> int:
    """Return where a currency that ends here, or one space before, begins; `end` when there is none."""
    last = text[max(0, end - 3) : end].rstrip()[-1:]
    if not (last.isalpha() or last in _MARK_ENDS):
        return end
    mark = _MARK_LEFT.search(text, max(0, end - 6), end)
    return mark.start() if mark and marks_money(mark.group()) else end


def _is_unit(text: str, start: int) -> bool:
    word = _WORD.match(text, start)
    return word is not None and word.group().lower() in _UNITS.split()
