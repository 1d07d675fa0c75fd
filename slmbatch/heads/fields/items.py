"""Rows of a table, such as an invoice's lines: under a header of labels, each a product, together a printed sum.

A table whose rows don't multiply out, or whose amounts make no sum that is printed below, is not told at all.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from slmbatch.heads.fields.candidates import Candidate
from slmbatch.heads.fields.labels import Label, Labels, by_line
from slmbatch.heads.fields.sheet import Sheet
from slmbatch.tasks.schema import Field, Schema
from slmbatch.types import Kind, Scalar

ROW_LINES = 3  # a row's numbers may stand on: some print the amount below the others
CENT = Decimal("0.01")  # the amount is rounded, and so may the price be
MOST = 400  # numbers of a table
_CELL = re.compile(r"\S+(?: {1,2}\S+)*")
_POSITION = re.compile(r"[0-9]{1,4}[.)]?\s+(?=\D)")


@dataclass(frozen=True, slots=True)
class Table:
    """A list of the schema whose items have a text and three numbers, of which the first two make the third.

    `leaves` are the paths within an item of the text, the two factors and the product, with their fields.
    """

    path: str
    leaves: tuple[tuple[str, Field], ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of one row."""

    path: str
    field: Field
    value: Scalar
    start: int
    end: int


def tables(schema: Schema) -> tuple[Table, ...]:
    """Return the lists that rules can look for: by their first text, and their first three decimals in order."""
    found: dict[str, list[tuple[str, Field]]] = {}
    for path, field in schema.fields():
        name, listed, leaf = path.partition("[].")
        if listed and "[]" not in leaf:
            found.setdefault(name, []).append((leaf, field))
    told = []
    for name, leaves in found.items():
        texts = [one for one in leaves if one[1].kind is Kind.TEXT]
        numbers = [one for one in leaves if one[1].kind is Kind.DECIMAL]
        if texts and len(numbers) >= 3:
            told.append(Table(name, (texts[0], *numbers[:3])))
    return tuple(told)


class TableReader:
    """Reads one table in documents."""

    def __init__(self, table: Table, totals: Sequence[str]) -> None:
        """Take the labels of what may stand below a table, and so tells where it ends."""
        self._table = table
        self._labels = Labels([*(field.hint.labels if field.hint else () for _, field in table.leaves), totals])

    @property
    def path(self) -> str:
        """Where the list stands in the schema."""
        return self._table.path

    def read(self, sheet: Sheet, amounts: Sequence[Candidate]) -> list[Cell]:
        """Return the cells of all rows, none when they can't be told for sure. `amounts` are all numbers in order."""
        labels = by_line(self._labels.find(sheet, sheet.words))
        header = next(((line, columns) for line in sorted(labels) if (columns := self._columns(labels[line]))), None)
        if header is None:
            return []
        start, columns = header
        stop = self._stop(sheet, start, labels, {one.line for one in amounts})
        first, last = (bisect_left(amounts, place, key=lambda one: one.line) for place in (start + 1, stop))
        inside = amounts[first:last][:MOST]
        rows = list(_rows(inside))
        if not rows or _has_free_row(inside, rows) or not _adds_up(rows, amounts[last:]):
            return []
        cells: list[Cell] = []
        edge = sheet.lines[start].end
        for position, row in enumerate(rows):
            cells += self._cells(sheet, position, row, edge, columns)
            edge = sheet.lines[row[-1].line].end
        starts, ends = np.array([(one.start, one.end) for one in cells], np.int64).T
        return cells if sheet.on_one_page(starts, ends).all() else []

    def _columns(self, labels: Sequence[Label]) -> list[int]:
        """Return which leaf each label of a header is, from the left; nothing unless there are two of the numbers."""
        columns = [leaf for label in labels for leaf in range(len(self._table.leaves)) if label.owners >> leaf & 1]
        return columns if len(set(columns) - {0}) >= 2 else []

    def _stop(self, sheet: Sheet, start: int, labels: Mapping[int, Sequence[Label]], numbered: set[int]) -> int:
        """Return the first line under the header that begins with the label of a total, and has a number."""
        total = 1 << len(self._table.leaves)
        for line in sorted(labels):
            begins = labels[line][0].owners & total and labels[line][0].start == sheet.lines[line].start
            if line > start and begins and line in numbered:
                return line
        return len(sheet.lines)

    def _cells(
        self, sheet: Sheet, position: int, row: Sequence[Candidate], edge: int, columns: Sequence[int]
    ) -> Iterator[Cell]:
        """Yield the cells of one row, whose text stands between the row before and its numbers."""
        one, two, product = row
        turned = 1 in columns and 2 in columns and columns.index(2) < columns.index(1)
        numbers = (two, one, product) if turned else (one, two, product)
        described = _described(sheet, edge, one)
        prefix = f"{self._table.path}[{position}]."
        (text, field), *rest = self._table.leaves
        if described is not None:
            value = " ".join(sheet.text[slice(*described)].split())
            yield Cell(prefix + text, field, value, *described)
        for (leaf, kind), number in zip(rest, numbers, strict=True):
            yield Cell(prefix + leaf, kind, number.value, number.start, number.end)


def _rows(amounts: Sequence[Candidate]) -> Iterator[tuple[Candidate, Candidate, Candidate]]:
    """Yield two numbers of one line and their product, on that line or, where it isn't there, on one just below."""
    lines: dict[int, list[Candidate]] = {}
    for one in amounts:
        lines.setdefault(one.line, []).append(one)
    below: list[Candidate] = []  # the numbers of the last line without a product
    for line, numbers in lines.items():
        row = next((row for one in reversed(numbers) if (row := _row(numbers, one))), None)
        if row is None and below and line - below[0].line < ROW_LINES:
            row = next((row for one in numbers if (row := _row(below, one))), None)
        if row is not None:
            yield row
            below = []
        elif len(numbers) > 1:
            below = numbers


def _row(numbers: Sequence[Candidate], product: Candidate) -> tuple[Candidate, Candidate, Candidate] | None:
    """Return the last two numbers before a product that make it. It has cents, as prices have."""
    if not isinstance(product.value, Decimal) or product.value.as_tuple().exponent != -2 or not product.value:
        return None
    before = [one for one in numbers if one.end <= product.start]
    for last in range(len(before) - 1, 0, -1):
        for first in range(last - 1, -1, -1):
            one, two = before[first], before[last]
            if one.end <= two.start and abs(_number(one) * _number(two) - product.value) < CENT:
                return one, two, product
    return None


def _number(one: Candidate) -> Decimal:
    return one.value if isinstance(one.value, Decimal) else Decimal(0)


def _has_free_row(amounts: Sequence[Candidate], rows: Sequence[Sequence[Candidate]]) -> bool:
    """Say whether 0.00 stands on a line without a row's numbers: it may be of a row that no sum would miss."""
    known = {one.line for row in rows for one in row}
    return any(one.line not in known and str(one.value) == "0.00" for one in amounts)


def _adds_up(rows: Sequence[Sequence[Candidate]], below: Sequence[Candidate]) -> bool:
    total = sum((_number(product) for *_, product in rows), Decimal(0))
    return any(one.value == total for one in below)


def _described(sheet: Sheet, edge: int, number: Candidate) -> tuple[int, int] | None:
    """Return the cell with the most letters before the first number on its line, else on the lines above it."""
    line = sheet.lines[number.line]
    for start, end in ((max(edge, line.start), number.start), (edge, line.start)):
        best, most = None, 1
        for found in _CELL.finditer(sheet.text, start, max(start, end)):
            letters = sum(map(str.isalpha, found.group()))
            if letters > most:
                best, most = found.span(), letters
        if best is not None:
            numbered = _POSITION.match(sheet.text, *best)
            return (numbered.end() if numbered else best[0]), best[1]
    return None
