"""How a sheet shows what is in a cell: its number format, digits, per cent and currency.

Dates come as ISO 8601 whatever their format: the commonest one depends on the reader's country, which no file tells.
So do separators: amounts are written 1,234.50.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import NamedTuple

_DROPPED = re.compile(r"\[(?!\$)[^\]]*\]|_.|\*.|\?")  # colours and conditions, widths of characters, fillings
_SYMBOL = re.compile(r"\[\$([^\]-]*)[^\]]*\]")  # [$€-407]: a currency, and a country
_QUOTED = re.compile(r'"([^"]*)"|\\(.)')
_DIGITS = re.compile(r"[#0][#0,]*(?:\.([#0]*))?,*")
GENERAL = re.compile(r"general|@?", re.IGNORECASE)


class _Form(NamedTuple):
    """A number format that is understood: at least `whole` digits before the point, `padded` to `decimals` after it."""

    before: str
    after: str
    whole: int
    decimals: int
    padded: int
    grouped: bool
    percent: bool


def shown(value: object, number_format: str) -> str:
    """Write a cell's value as a person sees it."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (int, float)):
        return _number(value, number_format)
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(" ", "minutes")
    if isinstance(value, dt.time):
        return value.isoformat("minutes")
    return str(value)


def _number(value: float, number_format: str) -> str:
    form = _form(number_format)
    exact = Decimal(repr(value))
    if form is None or not exact.is_finite():  # 0.1 + 0.2 is shown as 0.3
        return f"{value:.15g}" if isinstance(value, float) and abs(value) < 1e15 else str(value)
    if form.percent:
        exact *= 100
    rounded = exact.quantize(Decimal(1).scaleb(-form.decimals), ROUND_HALF_UP)
    whole, _, fraction = f"{abs(rounded):{',' if form.grouped else ''}f}".partition(".")
    fraction = fraction[: form.padded] + fraction[form.padded :].rstrip("0")
    whole = whole.zfill(form.whole)
    sign = "-" if rounded < 0 else ""
    return f"{sign}{form.before}{whole}{'.' if fraction else ''}{fraction}{form.after}".strip()


@lru_cache(maxsize=256)
def _form(number_format: str) -> _Form | None:
    """Understand a format, or leave the number as it is: fractions, powers of ten, formats of years ahead."""
    first = number_format.split(";", maxsplit=1)[0]
    if GENERAL.fullmatch(first.strip()):
        return None
    plain = _SYMBOL.sub(r'"\1"', _DROPPED.sub("", first))
    literal: list[str] = []

    def kept(match: re.Match[str]) -> str:
        literal.append(match[1] if match[1] is not None else match[2])
        return chr(0xE000 + len(literal) - 1)  # so that digits in quotes aren't taken for the number's

    plain = _QUOTED.sub(kept, plain)
    digits = _DIGITS.search(plain)
    if digits is None or digits[0].endswith(","):
        return None
    before, after = plain[: digits.start()], plain[digits.end() :]
    if re.search("[#0E/]", after):
        return None
    after_point = digits[1] or ""
    for position, text in enumerate(literal):
        before, after = (side.replace(chr(0xE000 + position), text) for side in (before, after))
    whole, padded = digits[0].partition(".")[0].count("0"), after_point.rfind("0") + 1
    return _Form(before, after, whole, len(after_point), padded, "," in digits[0], percent="%" in plain)
