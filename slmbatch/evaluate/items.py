"""A list of items against the expected one: which item is meant by which, and what is right in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from scipy.optimize import linear_sum_assignment

from slmbatch.evaluate.values import likeness, same

Item: TypeAlias = Mapping[str, Any]  # value by path within the item; an item that is a value has the path ""


@dataclass(frozen=True, slots=True)
class Tally:
    """What precision and recall are made of: how many were `found`, `wanted`, and both and `right`."""

    right: int = 0
    found: int = 0
    wanted: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.right + other.right, self.found + other.found, self.wanted + other.wanted)


@dataclass(frozen=True, slots=True)
class Matched:
    """One document's list: whole items, their cells by column, and the sum of likenesses of so many cells."""

    items: Tally
    cells: Mapping[str, Tally]
    like: float
    size: int

    @property
    def exact(self) -> bool:
        """Whether every item is right and none is too many."""
        return self.items.right == self.items.found == self.items.wanted


@dataclass(slots=True)
class _Counting:
    right: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    wanted: Counter[str] = field(default_factory=Counter)


def match_items(found: Sequence[Item], expected: Sequence[Item]) -> Matched:
    """Match items one to one so that most cells are right, then most alike (the assignment problem), and count.

    Only the cells that an expected item names are looked at; in an item that nothing matches, those that any of the
    expected items names. The order of the items doesn't matter.
    """
    named = {path for item in expected for path in item} or {path for item in found for path in item}
    pairs = _pairs(found, expected)
    counts, right_items, like, size = _Counting(), 0, 0.0, 0
    for here, there in pairs:
        mine, wanted = found[here], expected[there]
        right_items += all(same(mine.get(path), value) for path, value in wanted.items())
        for path, value in wanted.items():
            counts.found[path] += mine.get(path) is not None
            counts.wanted[path] += value is not None
            counts.right[path] += value is not None and same(mine.get(path), value)
            like += likeness(mine.get(path), value)
            size += 1
    matched = [{here for here, _ in pairs}, {there for _, there in pairs}]
    for items, counted, taken in zip((found, expected), (counts.found, counts.wanted), matched, strict=True):
        for item in (item for at, item in enumerate(items) if at not in taken):
            filled = [path for path in named if item.get(path) is not None]
            counted.update(filled)
            size += len(filled)
    cells = {path: Tally(counts.right[path], counts.found[path], counts.wanted[path]) for path in sorted(named)}
    return Matched(Tally(right_items, len(found), len(expected)), cells, like, size)


def _pairs(found: Sequence[Item], expected: Sequence[Item]) -> list[tuple[int, int]]:
    """The positions, in both lists, of items that are matched."""
    if not found or not expected:
        return []
    # all likenesses together weigh less than one right cell
    most = 1 + min(len(found), len(expected)) * max(len(item) for item in expected)
    weights = np.array([[_weight(mine, wanted, most) for wanted in expected] for mine in found])
    rows, columns = linear_sum_assignment(weights, maximize=True)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def _weight(found: Item, expected: Item, most: int) -> float:
    right = sum(same(found.get(path), value) for path, value in expected.items())
    like = sum(likeness(found.get(path), value) for path, value in expected.items())
    return right + like / most
