"""Dates from text: tables of spellings, and properties over every day."""

from __future__ import annotations

import datetime as dt
from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmbatch.checks.months import month_number
from slmbatch.checks.values import parse_value
from slmbatch.types import Kind

MARCH_12 = """
2024-03-12|20240312|2024/03/12|2024.3.12|12/03/2024|12.3.24|12. 03. 2024|12 03 2024
2024-03-12T10:00:00|2024-03-12T10:00:00.000+01:00|12/03/2024 14:33|12/03/2024, 10h30|12/03/2024 2:33:10 PM
12 March 2024|12 march 2024|March 12, 2024|Mar 12 24|12-Mar-24|12MAR2024|12 Mar '24|12th of March 2024|2024 March 12
12. März 2024|12.März2024|12. Mrz. 2024|12 mars 2024|12 maart 2024|12 de marzo de 2024|12 marzo 2024
12 March 2024 10:30|Dienstag, 12. März 2024|Tue 12/03/2024|12/03/2024 (Tue)
"""


@pytest.mark.parametrize("text", MARCH_12.strip().replace("\n", "|").split("|"))
def test_a_date_is_read_in_every_spelling(text: str) -> None:
    assert parse_value(text, Kind.DATE) == dt.date(2024, 3, 12)


INCOMPLETE = """
March 2024|12 March|March 12|2024|yesterday|today 10:30|3 days ago|31/02/2024|31 février 2024|13/13/2024|00/01/2024
Invoice 12 of 2024|2 items 2024|12 March 2024 - 14 March 2024|March 2024 10:30|10 Uhr
"""


@pytest.mark.parametrize("text", INCOMPLETE.replace("\n", "|").split("|"))
def test_an_incomplete_or_impossible_date_is_none(text: str) -> None:
    assert parse_value(text, Kind.DATE) is None


@pytest.mark.parametrize(
    ("text", "day_first", "month_first"),
    [
        ("03/04/24", (2024, 4, 3), (2024, 3, 4)),
        ("13/04/24", (2024, 4, 13), (2024, 4, 13)),
        ("04/13/24", (2024, 4, 13), (2024, 4, 13)),
    ],
)
def test_day_first_decides_only_what_the_numbers_leave_open(
    text: str, day_first: tuple[int, int, int], month_first: tuple[int, int, int]
) -> None:
    assert parse_value(text, Kind.DATE) == dt.date(*day_first)
    assert parse_value(text, Kind.DATE, day_first=False) == dt.date(*month_first)


@pytest.mark.parametrize(("year", "full"), [("69", 2069), ("70", 1970), ("99", 1999), ("00", 2000)])
def test_two_digit_years_turn_at_seventy(year: str, full: int) -> None:
    assert parse_value(f"01.02.{year}", Kind.DATE) == dt.date(full, 2, 1)
    assert parse_value(f"1 Feb {year}", Kind.DATE) == dt.date(full, 2, 1)


MONTHS = {
    "{0.day} {1} {0.year}": "january february march april may june july august september october november december",
    "{1} {0.day}, {0.year}": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    "{0.day}. {1} {0.year}": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "{0.day} {1}  {0.year}": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "{0.day} de {1} de {0.year}": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre "
    "diciembre",
    "{0.day} {1}, {0.year}": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre "
    "dicembre",
    "{0.day:02}-{1}-{0.year}": "januari februari maart april mei juni juli augustus september oktober november "
    "december",
}
NUMERIC = [
    "%Y-%m-%d",
    "%Y%m%d",
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%d-%m-%Y",
    "%d.%m.%y",
    "%d/%m/%Y 09:15",
    "%Y-%m-%dT23:59:59Z",
]
DAYS = st.dates(dt.date(1970, 1, 1), dt.date(2069, 12, 31))


@given(DAYS, st.sampled_from(NUMERIC))
def test_a_date_written_in_numbers_is_read_back(day: dt.date, shape: str) -> None:
    assert parse_value(day.strftime(shape), Kind.DATE) == day


@given(DAYS, st.sampled_from(list(MONTHS)), st.sampled_from([str, str.upper, str.lower]))
def test_a_date_written_in_words_is_read_back(day: dt.date, shape: str, case: type[str]) -> None:
    assert parse_value(case(shape.format(day, MONTHS[shape].split()[day.month - 1])), Kind.DATE) == day


def test_the_month_table_knows_every_month_name_that_dateparser_knows() -> None:
    english = MONTHS["{0.day} {1} {0.year}"].split()
    for language in ("en", "de", "fr", "es", "it", "nl"):
        info = import_module(f"dateparser.data.date_translation_data.{language}").info
        for number, month in enumerate(english, 1):
            words = {
                name.rstrip(".") for name in info[month] if name.rstrip(".").isalpha() and len(name.rstrip(".")) > 2
            }
            assert {name: month_number(name) for name in words} == dict.fromkeys(words, number)


WORDS = [
    "12",
    "March",
    "2024",
    "24",
    "-",
    "/",
    ".",
    ",",
    ":",
    "10:30",
    "März",
    "Tuesday",
    "99",
    "T",
    "Z",
    "+",
    "'",
    "of",
    "€",
    "(",
    ")",
    "0",
]


@given(st.lists(st.sampled_from(WORDS), max_size=7).map(" ".join))
def test_no_pile_of_date_words_makes_parsing_fail(text: str) -> None:
    parse_value(text, Kind.DATE)
    parse_value(text.replace(" ", ""), Kind.DATE)
    parse_value(text, Kind.DECIMAL)
