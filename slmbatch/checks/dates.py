"""Dates as documents write them, and the places of a text where they stand. Knows no today: nothing is filled in."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from slmbatch.checks.months import month_number

_YEAR = r"(?P<year>[0-9]{4}|'?[0-9]{2})"
_DAY = r"(?P<day>[0-9]{1,2})"
_WORD = r"(?P<word>[^\W\d_]{3,10})\.?"
_OF = r"(?:[ ]?[ .,/-][ ]?)?(?:(?:of|de|del)[ ])?"
_SHAPES = (
    r"(?P<year>[0-9]{4})(?P<sep>[-/.])(?P<month>[0-9]{1,2})(?P=sep)(?P<day>[0-9]{1,2})",
    r"(?P<year>(?:19|20)[0-9]{2})(?P<month>[01][0-9])(?P<day>[0-3][0-9])",
    rf"(?P<first>[0-9]{{1,2}})(?P<sep>[-/.]|[ ](?=[0-9]+[ ]))[ ]?(?P<second>[0-9]{{1,2}})(?P=sep)[ ]?{_YEAR}",
    rf"{_DAY}(?:st|nd|rd|th|er|[.°ºª])?{_OF}{_WORD}{_OF}{_YEAR}",
    rf"{_WORD}[ ]?{_DAY}(?:st|nd|rd|th)?[ ]?[ ,.][ ]?{_YEAR}",
    rf"(?P<year>[0-9]{{4}})[ ,.-]+{_WORD}[ ,.-]+{_DAY}(?:st|nd|rd|th)?",
)
# A date may be followed by a time, and a date in a text stands alone: it isn't a piece of a longer number or code.
_TIME = r"(?:(?:[ ,]+(?:at|um|à|-)?[ ]?|T)[0-2]?[0-9][:.h][0-5][0-9].{0,24})?"
# What can't be the beginning of any shape is passed over: most numbers are amounts and codes.
_STARTS = re.compile(
    r"[0-9](?<!\w[0-9])(?<![0-9][./-][0-9])(?=[0-9]?[-/. ] ?[0-9]{1,2}[-/. ]|"
    r"[0-9]?(?:st|nd|rd|th|er|[.°ºª])?[ .,/-]{0,3}[^\W\d_]{2}|[0-9]{3}(?:[ ,./-]|[01][0-9][0-3][0-9]))",
    re.IGNORECASE,
)
_ENDS = r"(?=T[0-9]|(?!\w|[./-][0-9]))"
_WHOLE = tuple(re.compile(shape + _TIME, re.IGNORECASE) for shape in _SHAPES)
_WORD_FIRST = re.compile(rf"(?<!\w)(?<![0-9][./-]){_SHAPES[4]}{_ENDS}", re.IGNORECASE)
# The day of such a date: far fewer places than words. Before it stands a word that begins within so many characters.
_DAY_AFTER_WORD = re.compile(
    r"[0-9](?:(?<=[^\W\d_].)|(?<=[^\W\d_][. ].)|(?<=[^\W\d_][.][ ].))(?=[0-9]?(?:st|nd|rd|th)?[ ]?[ ,.][ ]?'?[0-9]{2})",
    re.IGNORECASE,
)
_WORD_BEFORE = re.compile(r"[^\W\d_]{3,10}\.?[ ]?$")
_WORD_LENGTH = 12
_NUMBER_FIRST = tuple(re.compile(shape + _ENDS, re.IGNORECASE) for shape in _SHAPES if not shape.startswith(_WORD))
_SPELLED = re.compile(r"(?=.*[0-9])(?=.*[^\W\d_]{3}).{8,60}")
_LANGUAGES = ["en", "de", "fr", "es", "it", "nl"]


class DatePlace(NamedTuple):
    """One date of a text and where it stands."""

    value: dt.date
    start: int
    end: int


def parse_date(text: str, *, day_first: bool = True) -> dt.date | None:
    """Return the date that the whole text is, None when it is anything else, impossible or incomplete.

    A time after the date is dropped. "03/04/24" is 3 April, with `day_first` False 4 March; a number above 12 is the
    day in either case. Two-digit years 70 to 99 are in the 1900s, the others in the 2000s.
    """
    plain = " ".join(unicodedata.normalize("NFKC", text).split())
    for shape in _WHOLE:
        found = shape.fullmatch(plain)
        if found:
            return _date(found.groupdict(), day_first=day_first)
    return _parse_spelled(plain, day_first=day_first) if _SPELLED.fullmatch(plain) else None


def scan_dates(text: str, *, day_first: bool = True) -> Iterator[DatePlace]:
    """Yield the dates of a text, those that begin with a word last. Weekdays and times stay outside the places."""
    plain = text.replace("\u00a0", " ").replace("\u202f", " ").replace("\n", " ")
    for found in chain(_numbers_first(plain), _words_first(plain)):
        value = _date(found.groupdict(), day_first=day_first)
        if value is not None:
            yield DatePlace(value, found.start(), found.end())


def _numbers_first(text: str) -> Iterator[re.Match[str]]:
    """Find the shapes that begin with a number: at one place only one of them can match."""
    end = 0
    for start in _STARTS.finditer(text):
        if start.start() < end:
            continue
        for shape in _NUMBER_FIRST:
            found = shape.match(text, start.start())
            if found:
                end = found.end()
                yield found
                break


def _words_first(text: str) -> Iterator[re.Match[str]]:
    """Find the shape that begins with a word."""
    for day in _DAY_AFTER_WORD.finditer(text):
        word = _WORD_BEFORE.search(text, max(0, day.start() - _WORD_LENGTH), day.start())
        found = _WORD_FIRST.match(text, word.start()) if word else None
        if found:
            yield found


def _date(parts: dict[str, str | None], *, day_first: bool) -> dt.date | None:
    year = int((parts["year"] or "").lstrip("'"))
    if year < 100:
        year += 1900 if year >= 70 else 2000
    word = parts.get("word")
    month = month_number(word) if word else int(parts.get("month") or 0)
    day = int(parts.get("day") or 0)
    if "first" in parts:
        first, second = int(parts["first"] or 0), int(parts["second"] or 0)
        swap = first <= 12 and (second > 12 or not day_first)
        day, month = (second, first) if swap else (first, second)
    try:
        return dt.date(year, month or 0, day)
    except ValueError:
        return None


def _parse_spelled(text: str, *, day_first: bool) -> dt.date | None:
    """Let dateparser read what the shapes don't know, such as weekdays. Milliseconds each, half a second to load."""
    import dateparser

    found = dateparser.parse(
        text,
        languages=_LANGUAGES,
        settings={
            "STRICT_PARSING": True,
            "PARSERS": ["absolute-time"],  # no "3 days ago", no timestamps
            "DATE_ORDER": "DMY" if day_first else "MDY",
            "TIMEZONE": "UTC",
            "RETURN_AS_TIMEZONE_AWARE": False,
        },
    )
    return found.date() if found else None
