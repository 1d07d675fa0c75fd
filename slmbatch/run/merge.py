"""One document's fields out of the answers about its pieces: per field by evidence, lists one after another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from slmbatch.checks.letters import meaning
from slmbatch.confidence.gate import measure
from slmbatch.run.pieces import Piece
from slmbatch.types import Leaf, Scalar

DIFFERENT = "parts of the document tell different values"
_LISTED = re.compile(r"([^\[]*)\[(\d+)\](.*)")
_Item = dict[str, Leaf]  # by the path within the item


@dataclass(frozen=True, slots=True)
class Told:
    """What a reply said of a piece, its leaves placed in the whole document. Without a piece: of selected passages."""

    piece: Piece | None
    leaves: Sequence[Leaf]


def merge(told: Sequence[Told], page_starts: Mapping[int, int]) -> tuple[list[Leaf], list[str]]:
    """Return the leaves of a document, and warnings for fields that its pieces tell differently.

    Of a field the value is taken that stands in its piece, then the one with the highest score, then the first.
    """
    single: dict[str, list[Leaf]] = {}
    for one in told:
        for leaf in one.leaves:
            if "[" not in leaf.path:
                single.setdefault(leaf.path, []).append(leaf)
    leaves = [max(candidates, key=_evidence) for candidates in single.values()]
    warnings = [f"{path}: {DIFFERENT}" for path, some in single.items() if _differ(some)]
    lists: dict[str, list[_Item]] = {}
    before: Piece | None = None
    for one in told:
        shared = before.end if before is not None and one.piece is not None else 0
        for path, items in _items(one.leaves).items():
            known = lists.setdefault(path, [])
            known += items[_told_before(known, items, page_starts, shared) :]
        before = one.piece or before
    for path, items in lists.items():
        for position, item in enumerate(items):
            leaves += [replace(leaf, path=f"{path}[{position}]{rest}") for rest, leaf in item.items()]
    return leaves, warnings


def _evidence(leaf: Leaf) -> tuple[bool, bool, float]:
    return leaf.value is not None, leaf.grounding.stands, measure(leaf) or 0.0


def _differ(leaves: Iterable[Leaf]) -> bool:
    values = {_same(leaf.value) for leaf in leaves if leaf.value is not None and leaf.grounding.stands}
    return len(values) > 1


def _same(value: Scalar | None) -> Scalar | None:
    """Return a value as it's compared: texts without case, blanks and marks."""
    return meaning(value) if isinstance(value, str) else value


def _items(leaves: Iterable[Leaf]) -> dict[str, list[_Item]]:
    """Return the items of each outermost list, in order, without those that are empty."""
    found: dict[str, dict[int, _Item]] = {}
    for leaf in leaves:
        listed = _LISTED.fullmatch(leaf.path)
        if listed:
            path, position, rest = listed.groups()
            found.setdefault(path, {}).setdefault(int(position), {})[rest] = leaf
    return {
        path: [item for item in items.values() if any(leaf.value is not None for leaf in item.values())]
        for path, items in found.items()
    }


def _told_before(known: Sequence[_Item], items: Sequence[_Item], page_starts: Mapping[int, int], shared: int) -> int:
    """Return how many items at the beginning are the last known ones again, told of the text that both pieces hold.

    An item stands there if all of it that was found begins before `shared`, the end of the piece before. Rows that are
    the same twice within the overlap count once; the independent count of rows notices.
    """
    for count in range(min(len(known), len(items)), 0, -1):
        again = items[:count]
        if [_values(item) for item in known[-count:]] == [_values(item) for item in again] and all(
            _ends_before(item, page_starts, shared) for item in again
        ):
            return count
    return 0


def _values(item: _Item) -> dict[str, Scalar | None]:
    return {rest: _same(leaf.value) for rest, leaf in item.items() if leaf.value is not None}


def _ends_before(item: _Item, page_starts: Mapping[int, int], shared: int) -> bool:
    places = [
        page_starts[leaf.grounding.page] + leaf.grounding.start
        for leaf in item.values()
        if leaf.grounding.page is not None and leaf.grounding.start is not None
    ]
    return bool(places) and max(places) < shared
