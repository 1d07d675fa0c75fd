"""A finished run's answers, tier by tier, beside expected ones or the last tier's. Equal texts count once."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from slmbatch.confidence.gate import counting
from slmbatch.errors import InputError
from slmbatch.evaluate.sheets import Sheet, flat, sheet
from slmbatch.evaluate.unfitting import nothing_judged
from slmbatch.readers.gold import read_gold
from slmbatch.store.folder import RunFolder
from slmbatch.store.located import LocatedParts
from slmbatch.store.parts import part_paths
from slmbatch.store.records import Record
from slmbatch.store.rows import GROUP_ROWS
from slmbatch.tasks.labels import JOINT, in_order
from slmbatch.tasks.schema import schema_path
from slmbatch.types import Leaf

_ITEM = re.compile(r"(?P<list>.*?)\[(?P<at>\d+)\]\.?(?P<rest>.*)")
Expected = Mapping[bytes, Any]  # by content: a label, or values by path (lists whole)


@dataclass(slots=True)
class Labelled:
    """One tier's answers with a score: of labels one for each row, of extract one for each field.

    `row` is each answer's row; `right` is None where nobody says. `basis` has, for each row, the answers that its
    acceptance rests on: none where it couldn't be accepted by its score. `rows_right` says whether the row is right.
    """

    score: list[float] = field(default_factory=list)
    right: list[bool | None] = field(default_factory=list)
    row: list[int] = field(default_factory=list)
    basis: list[list[int]] = field(default_factory=list)
    rows_right: list[bool] = field(default_factory=list)


class Answers:
    """What a run's parts tell of each tier. `types` are the fields' Arrow types by path; None for labels."""

    def __init__(self, out: Path, *, extract: bool) -> None:
        self._out = out
        folder = RunFolder(out)
        values = pq.read_schema(out / "results.parquet").field("values").type if extract else None
        self.types = None if values is None else dict(_types(values, ""))
        stages = [folder.stage("answers").parts, folder.stage("top").parts]
        certified = extract and stages[0].exists()  # the results keep only one tier's fields of each row
        self._located = [LocatedParts(part_paths(parts)) for parts in (stages if certified else [folder.parts])]
        rows = pq.read_table(folder.rows, columns=["id", "key"])
        self.keys: dict[str, bytes] = {}
        self._ids: dict[bytes, str] = {}
        for name, key in zip(rows["id"].to_pylist(), rows["key"].to_pylist(), strict=True):
            self.keys.setdefault(name, key)
            self._ids.setdefault(key, name)

    def records(self, keys: Sequence[bytes]) -> Iterator[Record]:
        """Yield what was settled about these contents, in each pass of the run."""
        for located in self._located:
            found = located.find(keys)
            found = found[found >= 0]
            for start in range(0, len(found), GROUP_ROWS):
                yield from located.take(found[start : start + GROUP_ROWS]).to_pylist()

    def of_gold(self, gold: Path) -> Expected:
        """Return the expected answers of a file by content. Raises InputError where they don't fit the run."""
        expected: dict[bytes, Any] = {}
        told = read_gold(gold)
        for name, one in told.items():
            if name in self.keys and one is not None:
                expected.setdefault(self.keys[name], self._expected(one, f"{gold}: {name}"))
        if not expected:
            missing = [name for name in told if name not in self.keys]
            raise nothing_judged(self._out, gold, told.keys(), missing, not_asked=())
        return expected

    def of_tier(self, tier: str) -> Expected:
        """Return one tier's answers by content."""
        expected: dict[bytes, Any] = {}
        for one in self.records(list(dict.fromkeys(self.keys.values()))):
            if self.types is not None and one["tier"] == tier:
                expected[one["key"]] = found_values(one["leaves"], self.types)
            elif self.types is None:
                for each in one["attempts"]:
                    if each["tier"] == tier and each["label"] is not None:
                        expected[one["key"]] = in_order(each["label"])
        return expected

    def _expected(self, told: Any, where: str) -> Any:
        if self.types is None:
            label = JOINT.join(told) if isinstance(told, list) and all(isinstance(one, str) for one in told) else told
            if not isinstance(label, str):
                raise InputError(f"{where}: the label is not a text.", "This run classified: give labels.")
            return in_order(label)
        if not isinstance(told, Mapping):
            remedy = 'This run extracted: give JSONL with lines {"id": …, "values": {…}}.'
            raise InputError(f"{where}: has no values.", remedy)
        return flat(told)

    def beside(self, expected: Expected) -> dict[str, Labelled]:
        """Return each tier's answers to the contents that have an expected answer."""
        found: dict[str, Labelled] = {}
        for one in self.records(list(expected)):
            if self.types is None:
                _add_labels(found, one, expected[one["key"]])
            elif one["tier"] is not None:
                types, wanted = self.types, expected[one["key"]]
                known = {path: value for path, value in wanted.items() if path in _names(types)}
                values = found_values(one["leaves"], types)
                judged = sheet(values, known, where=self._ids[one["key"]])
                _add_fields(found.setdefault(one["tier"], Labelled()), one, judged)
        return found


def _add_labels(found: dict[str, Labelled], one: Record, expected: str) -> None:
    for attempt in one["attempts"]:
        tier = found.setdefault(attempt["tier"], Labelled())
        right = attempt["label"] is not None and in_order(attempt["label"]) == expected
        tier.basis.append([])
        tier.rows_right.append(right)
        if attempt["label"] is not None and attempt["score"] is not None:
            tier.basis[-1].append(len(tier.score))
            tier.row.append(len(tier.basis) - 1)
            tier.score.append(attempt["score"])
            tier.right.append(right)


def _names(types: Mapping[str, pa.DataType]) -> set[str]:
    return {path.partition("[")[0] for path in types}


def _add_fields(tier: Labelled, one: Record, judged: Sheet) -> None:
    """A head's own confidence is its score. Items of lists aren't judged one by one, only with the row."""
    rights = {cell.path: cell.right for cell in judged.cells}
    places: dict[str, int] = {}
    for leaf in one["leaves"]:
        if leaf["tier"] not in {None, one["tier"]}:
            continue  # an earlier tier's, which was sure of it
        score = leaf["confidence"] if leaf["score"] is None else leaf["score"]
        if score is not None:
            places[leaf["path"]] = len(tier.score)
            tier.row.append(len(tier.basis))
            tier.score.append(score)
            tier.right.append(rights.get(leaf["path"]) if not leaf["problems"] else None)
    count = counting([Leaf(each["path"], each["value"], None, required=each["required"]) for each in one["leaves"]])
    scored = not one["problems"] and all(leaf.path in places for leaf in count)
    tier.basis.append([places[leaf.path] for leaf in count] if scored else [])
    tier.rows_right.append(judged.right)


def found_values(leaves: Sequence[Record], types: Mapping[str, pa.DataType]) -> dict[str, Any]:
    """Return a document's values by path, typed, with lists as lists of items: what `flat` makes of results."""
    found: dict[str, Any] = {}
    for leaf in leaves:
        value = _typed(leaf["value"], types[schema_path(leaf["path"])])
        item = _ITEM.fullmatch(leaf["path"])
        if item is None:
            found[leaf["path"]] = value
            continue
        items, at = found.setdefault(item["list"], []), int(item["at"])
        items += [{} for _ in range(at + 1 - len(items))]
        items[at][item["rest"]] = value
    return found


def _types(kind: pa.DataType, path: str) -> Iterator[tuple[str, pa.DataType]]:
    if pa.types.is_struct(kind):
        for member in kind:
            yield from _types(member.type, f"{path}.{member.name}" if path else member.name)
    elif pa.types.is_list(kind):
        yield from _types(kind.value_type, f"{path}[]")
    else:
        yield path, kind


def _typed(value: str | None, kind: pa.DataType) -> Any:
    """Read a canonical value back (see store.records) by its column's type."""
    if value is None:
        return None
    if pa.types.is_decimal(kind):
        return Decimal(value)
    if pa.types.is_date(kind):
        return dt.date.fromisoformat(value)
    if pa.types.is_boolean(kind):
        return value == "true"
    return int(value) if pa.types.is_integer(kind) else value
