"""How many rows a document's table has at least, told by the text alone: to hold a list against. Knows no fields.

Two independent signs: positions that count up from 1 at the beginning of rows, and numbers of one line of which two
multiply to a third. Both may miss rows, and saw none that isn't there on 48 sample invoices (benchmarks/longdocs.py).
"""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import combinations

from slmbatch.checks.amounts import scan_amounts

ROW_LINES = 3  # within so many lines a numbered row has its amount
FEWEST = 2  # rows that make a table
MOST_NUMBERS = 8  # of one line: more are a line of something else
CENT = Decimal("0.01")
_POSITION = re.compile(r"\s*0*(\d{1,3})[.)]?\s+(?=\S)")


def count_rows(text: str) -> int:
    """Return how many rows of amounts the text has at least, 0 where no table is seen."""
    lines = text.split("\n")
    numbers = [[one.value for one in sorted(scan_amounts(line), key=lambda one: one.start)] for line in lines]
    rows = max(_positions(lines, numbers), sum(map(_multiplies, numbers)))
    return rows if rows >= FEWEST else 0


def _positions(lines: list[str], numbers: list[list[Decimal]]) -> int:
    """Return how far the rows count up, each with an amount before the next."""
    counted = 0
    for at, line in enumerate(lines):
        position = _POSITION.match(line)
        if position and int(position.group(1)) == counted + 1:
            near = [number for some in (numbers[at][1:], *numbers[at + 1 : at + ROW_LINES]) for number in some]
            counted += any(_has_cents(number) for number in near)
    return counted


def _multiplies(numbers: list[Decimal]) -> bool:
    """Say whether the line has an amount that two numbers before it make."""
    if len(numbers) > MOST_NUMBERS:
        return False
    return any(
        abs(one * other - product) < CENT
        for one, other, product in combinations(numbers, 3)
        if product and _has_cents(product)
    )


def _has_cents(number: Decimal) -> bool:
    return number.as_tuple().exponent == CENT.as_tuple().exponent
