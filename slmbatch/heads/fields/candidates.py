"""What could be a date, a number or a code: every place of a sheet that reads as one, and its own traits.

Knows no leaves. Amounts are in money.py, company names in parties.py, addresses in addresses.py.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from slmbatch.checks.dates import scan_dates
from slmbatch.heads.fields.characters import Numbers
from slmbatch.heads.fields.labels import Label
from slmbatch.heads.fields.sheet import Sheet
from slmbatch.types import Scalar

Matrix = npt.NDArray[np.float64]
MOST = 300  # candidates of one kind, in the order of the document; of amounts see money.py
DATE_TRAITS = ("time_follows", "plausible_year", "repeated", "alone", "earliest", "latest")
IDENTIFIER_TRAITS = (
    "share_of_digits", "short", "long", "all_digits", "year", "date", "cents", "separators", "repeated", "alone",
    "colon_before", "hash_before",
)  # fmt: skip
IBAN_TRAITS = ("check_digits", "known_length")
VAT_TRAITS = ("country", "digits_only", "slashes", "length_fits", "repeated")
TEXT_TRAITS = ("same_line",)

_IDENTIFIER = re.compile(
    r"[^\W_](?<![\w.,/-].)(?:(?=(?<=[0-9])|[\w./-]*[0-9])[\w./-]{0,28}[^\W_](?!\w)|(?<=[0-9])(?![\w.,]))"
)
_CENTS = re.compile(r"[0-9.,]*[.,][0-9]{2}")
# A set first, here and below, which the engine finds quickly.
_IBAN = re.compile(r"[A-Z](?<!\w.)[A-Z][0-9]{2}(?: ?[0-9A-Z]){11,30}(?!\w)")
_IBAN_LENGTHS = dict(
    re.findall(
        r"([A-Z]{2})(\d\d)",
        "AD24AT20BE16BG22CH21CY28CZ24DE22DK18EE20ES24FI18FR27GB22GR27HR21HU28IE22IS26IT27LI21LT20LU20LV21MC27MT31NL18"
        "NO15PL28PT25RO24SE24SI19SK24SM27TR26SA24AE23",
    )
)
_VAT = re.compile(
    r"[A-Z](?<!\w.)(?:(?<=A)(?:TU|T U|T)|(?<=B)[EG]|(?<=C)(?:HE|Y|Z)|(?<=D)[EK]|(?<=E)[ELS]|(?<=F)[IR]|(?<=G)[BR]|"
    r"(?<=H)[RU]|(?<=I)[ET]|(?<=L)[TUV]|(?<=M)T|(?<=N)[LO]|(?<=P)[LT]|(?<=R)O|(?<=S)[EIK]|(?<=X)I)"
    r"[ .-]?[0-9A-Z](?:[ .-]?[0-9A-Z]){6,12}(?!\w)"
)
_TAX_NUMBER = re.compile(
    r"[0-9A-Z](?:(?<=[0-9])(?<![\w/.-].)(?:[/ -]?[0-9]){8,13}(?![\w/])|(?<=[A-Z])(?<!\w.)[0-9]{7,8}[A-Z]?(?!\w))"
)
_VAT_DIGITS = {"DE": 9, "AT": 8, "BE": 10, "IT": 11, "FR": 11, "NL": 10, "GB": 9, "CH": 9, "ES": 8, "PL": 10, "LU": 8}
_POINTS = frozenset(".,")
_DIGIT, _YEAR = re.compile(r"\d"), re.compile(r"(?:19|20)\d\d")
_TIME = re.compile(r"[ ,T-]{0,3}[0-2]?[0-9][:.h][0-5][0-9]")


class Candidate(NamedTuple):
    """One place that could be a leaf's value. A tuple, since a document has hundreds of them."""

    start: int
    end: int
    value: Scalar
    line: int


@dataclass(frozen=True, slots=True)
class Found:
    """All candidates of one kind, and what each place tells by itself: a row of traits, which the kind names."""

    candidates: Sequence[Candidate]
    traits: Matrix

    @classmethod
    def of(cls, candidates: Sequence[Candidate], columns: Mapping[str, npt.ArrayLike], names: Sequence[str]) -> Found:
        """Put columns together, one for each name."""
        traits = np.empty((len(names), len(candidates)))
        for row, name in zip(traits, names, strict=True):
            row[:] = columns[name]
        return cls(candidates, traits.T)

    @classmethod
    def of_rows(cls, pairs: Sequence[tuple[Candidate, Sequence[float]]], names: Sequence[str]) -> Found:
        """Put candidates with their traits together, in the order of the names."""
        traits = np.array([row for _, row in pairs], np.float64).reshape(-1, len(names))
        return cls([one for one, _ in pairs], traits)

    def where(self, keep: npt.NDArray[np.bool_]) -> Found:
        """Leave out the others."""
        return Found([self.candidates[place] for place in np.flatnonzero(keep).tolist()], self.traits[keep])


def line_places(sheet: Sheet, starts: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Return the line of each place, and where that starts and ends."""
    lines = sheet.lines_at(starts)
    return lines, sheet.line_starts[lines], sheet.line_ends[lines]


def find_dates(sheet: Sheet, *, day_first: bool) -> Found:
    """Return every date."""
    read = sorted(scan_dates(sheet.text, day_first=day_first), key=lambda one: one.start)[:MOST]
    times = Counter(one.value for one in read)
    first, last = min(times, default=None), max(times, default=None)
    found = []
    for one in read:
        line = sheet.line_at(one.start)
        row = sheet.lines[line]
        traits = (
            _TIME.match(sheet.text, one.end) is not None, 1990 <= one.value.year <= 2035, times[one.value] > 1,
            one.start - row.start < 4 and row.end - one.end < 4, one.value == first, one.value == last,
        )  # fmt: skip
        found.append((Candidate(one.start, one.end, one.value, line), traits))
    return Found.of_rows(found, DATE_TRAITS)


def find_identifiers(sheet: Sheet, days: Sequence[Candidate]) -> Found:
    """Return every word with a digit. `days` are the dates of the sheet."""
    read = [(*one.span(), one.group()) for one in islice(_IDENTIFIER.finditer(sheet.text), MOST)]
    raws = [raw for *_, raw in read]
    starts, ends = np.array([place[:2] for place in read], np.int64).reshape(-1, 2).T
    lines, row_starts, row_ends = line_places(sheet, starts)
    times = Counter(raws)
    lengths = ends - starts
    digits = sheet.tally.digits[ends] - sheet.tally.digits[starts]
    befores = [sheet.text[max(0, start - 3) : start].rstrip()[-1:] for start, *_ in read]
    dates = np.array([(one.start, one.end) for one in days], np.int64).reshape(-1, 2)
    columns = {
        "share_of_digits": digits / lengths,
        "short": lengths < 4,
        "long": lengths > 16,
        "all_digits": digits == lengths,
        "year": [len(raw) == 4 and _YEAR.fullmatch(raw) is not None for raw in raws],
        "date": ((starts[:, None] >= dates[:, 0]) & (starts[:, None] < dates[:, 1])).any(axis=1),
        "cents": [raw[-3:-2] in _POINTS and _CENTS.fullmatch(raw) is not None for raw in raws],
        "separators": ["-" in raw or "." in raw or "/" in raw for raw in raws],
        "repeated": [times[raw] > 1 for raw in raws],
        "alone": lengths >= row_ends - row_starts - 2,
        "colon_before": [before == ":" for before in befores],
        "hash_before": [before == "#" for before in befores],
    }
    found = [Candidate(*one, line) for one, line in zip(read, lines.tolist(), strict=True)]
    return Found.of(found, columns, IDENTIFIER_TRAITS)


def find_ibans(sheet: Sheet) -> Found:
    """Return everything of an IBAN's shape, cut to its country's length."""
    found = []
    for one in _IBAN.finditer(sheet.text):
        length = int(_IBAN_LENGTHS.get(one.group()[:2], 0))
        raw = _first_letters(one.group(), length) if length else one.group()
        letters = raw.replace(" ", "")
        traits = (_mod_97(letters) == 1, len(letters) == length)
        start = one.start()
        found.append((Candidate(start, start + len(raw), letters, sheet.line_at(start)), traits))
    return Found.of_rows(found, IBAN_TRAITS)


def _first_letters(text: str, length: int) -> str:
    places = [place for place, character in enumerate(text) if character != " "][:length]
    return text[: places[-1] + 1]


def _mod_97(letters: str) -> int:
    """ISO 13616: the first four characters go to the end, letters count from A = 10; a valid IBAN leaves 1."""
    return int("".join(str(int(one, 36)) for one in letters[4:] + letters[:4])) % 97


def find_vats(sheet: Sheet, ibans: Sequence[Candidate]) -> Found:
    """Return everything of a VAT or tax number's shape that isn't in one of the sheet's IBANs."""
    shapes = [(one, True) for one in _VAT.finditer(sheet.text)]
    shapes += [(one, False) for one in _TAX_NUMBER.finditer(sheet.text)]
    times = Counter(one.group() for one, _ in shapes)
    found = []
    for one, country in sorted(shapes[:MOST], key=lambda shape: shape[0].start()):
        raw, (start, end) = one.group(), one.span()
        digits = len(_DIGIT.findall(raw))
        if digits < 7 or any(iban.start <= start < iban.end for iban in ibans):
            continue
        fits = country and _VAT_DIGITS.get(raw[:2], digits) in {digits, len(raw) - 2}
        traits = (country, not country and digits == len(raw), "/" in raw, fits, times[raw] > 1)
        found.append((Candidate(start, end, " ".join(raw.split()), sheet.line_at(start)), traits))
    return Found.of_rows(found, VAT_TRAITS)


def find_rests(sheet: Sheet, labels: Sequence[Label], owners: int) -> Found:
    """Return what follows each label up to a wide gap or the end of its line, else the next line."""
    found: list[tuple[Candidate, tuple[float]]] = []
    for place, line in ((one.end, one.line) for one in labels if one.owners & owners):
        rest = re.match(r"[\s:.#-]*(\S+(?: \S+)*)", sheet.text[place : sheet.lines[line].end])
        if rest:
            start, end = place + rest.start(1), place + rest.end(1)
            found.append((Candidate(start, end, " ".join(rest[1].split()), line), (1.0,)))
        elif line + 1 < len(sheet.lines):
            row = sheet.lines[line + 1]
            below = Candidate(row.start, row.end, " ".join(sheet.line_text(line + 1).split()), line + 1)
            found.append((below, (0.0,)))
    return Found.of_rows(found, TEXT_TRAITS)
