"""One document's values beside the expected ones. Fields that these don't name aren't judged; null: none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from slmbatch.errors import InputError
from slmbatch.evaluate.items import Item, Matched, match_items
from slmbatch.evaluate.values import same


@dataclass(frozen=True, slots=True)
class Cell:
    """One single field: what was found, what was expected, and whether that's the same."""

    path: str
    found: Any
    expected: Any
    right: bool


@dataclass(slots=True)
class Sheet:
    """What one document's expected values name: single fields, and lists by path."""

    cells: list[Cell] = field(default_factory=list)
    lists: dict[str, Matched] = field(default_factory=dict)

    @property
    def right(self) -> bool:
        """Whether nothing in it is wrong, missing or too much."""
        return all(cell.right for cell in self.cells) and all(one.exact for one in self.lists.values())


def sheet(found: Mapping[str, Any], expected: Mapping[str, Any], *, where: str) -> Sheet:
    """Compare two documents' values by path (see `flat`). Raises InputError where one has a list and one a value."""
    made = Sheet()
    for path, wanted in expected.items():
        mine = found.get(path)
        if mine is not None and wanted is not None and isinstance(mine, list) is not isinstance(wanted, list):
            is_list = isinstance(mine, list)
            raise InputError(
                f"{where}: {path} is {'not ' * is_list}a list.", f"Give {'a list' if is_list else 'one value'}."
            )
        if isinstance(mine, list) or isinstance(wanted, list):
            made.lists[path] = match_items([_item(one) for one in mine or []], [_item(one) for one in wanted or []])
        else:
            made.cells.append(Cell(path, mine, wanted, same(mine, wanted)))
    return made


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Return the fields of nested values by dotted path; lists stay whole."""
    if not isinstance(value, Mapping):
        return {path: value}
    found: dict[str, Any] = {}
    for name, member in value.items():
        found |= flat(member, f"{path}.{name}" if path else str(name))
    return found


def _item(value: Any) -> Item:
    """An item's cells by path; items of lists inside it go by position."""
    cells: dict[str, Any] = {}
    for path, one in flat(value).items():
        for at, inner in enumerate(one if isinstance(one, list) else ()):
            cells |= {f"{path}[{at}].{rest}".rstrip("."): cell for rest, cell in _item(inner).items()}
        if not isinstance(one, list):
            cells[path] = one
    return cells
