"""Results against expected answers: share of right labels, share of right field values by typed comparison."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl

from slmbatch.checks.values import parse_value
from slmbatch.errors import InputError
from slmbatch.readers.gold import read_gold
from slmbatch.tasks.labels import JOINT
from slmbatch.types import Kind

CENT = Decimal("0.005")


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many were right."""

    right: int
    total: int

    def __str__(self) -> str:
        return f"{self.right} of {self.total}" + (f" ({100 * self.right / self.total:.1f} %)" if self.total else "")


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Against the expected answers: all, only accepted rows, by label or field, and from some scores on.

    `unmatched` ids have no result.
    """

    overall: Share
    accepted: Share
    by_name: Mapping[str, Share]
    by_threshold: Mapping[float, Share]
    unmatched: tuple[str, ...]


# label or field, right, accepted, its own confidence or else the row's score
Judged: TypeAlias = tuple[str, bool, bool, float]
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


def compare(root: Path, gold: Path) -> Accuracy:
    """Compare a finished run with expected answers.

    `gold` has columns id and label (CSV, Parquet) for classify, or lines {"id": …, "values": {…}} (JSONL) for extract.
    Raises InputError when it can't be read or doesn't fit the run.
    """
    results = pl.read_parquet(root / "results.parquet")
    expected = read_gold(gold)
    found = {row["id"]: row for row in results.iter_rows(named=True)}
    matched = {key: value for key, value in expected.items() if key in found}
    if "label" in results.columns:
        judged = [one for key, value in matched.items() for one in _judge_label(found[key], value, gold)]
    else:
        sure = _confidences(root / "fields.parquet")
        judged = [one for key, value in matched.items() for one in _judge_fields(found[key], value, gold, sure)]
    names = sorted({name for name, *_ in judged})
    return Accuracy(
        overall=_share([right for _, right, *_ in judged]),
        accepted=_share([right for _, right, accepted, _ in judged if accepted]),
        by_name={name: _share([right for other, right, *_ in judged if other == name]) for name in names},
        by_threshold={at: _share([right for _, right, _, score in judged if score >= at]) for at in THRESHOLDS},
        unmatched=tuple(key for key in expected if key not in found),
    )


def _share(judged: list[bool]) -> Share:
    return Share(sum(judged), len(judged))


def _judge_label(row: Mapping[str, Any], expected: Any, gold: Path) -> list[Judged]:
    if not isinstance(expected, str):
        raise InputError(f"{gold}: the label of {row['id']} is not a text.", "This run classified: give labels.")
    return [(expected, _labels(row["label"]) == _labels(expected), row["status"] == "accepted", row["score"] or 0.0)]


def _labels(joined: str | None) -> frozenset[str]:
    """A text's labels: one, or several joined, in any order."""
    return frozenset((joined or "").split(JOINT))


def _confidences(fields: Path) -> dict[tuple[str, str], float | None]:
    """The confidence of every field that has a value, by document and path."""
    table = pl.read_parquet(fields, columns=["id", "path", "value", "confidence"]).filter(pl.col("value").is_not_null())
    return {(row_id, path): confidence for row_id, path, _, confidence in table.iter_rows()}


def _judge_fields(
    row: Mapping[str, Any], expected: Any, gold: Path, sure: Mapping[tuple[str, str], float | None]
) -> list[Judged]:
    if not isinstance(expected, Mapping):
        raise InputError(f"{gold}: {row['id']} has no values.", "This run extracted: give JSONL with id and values.")
    accepted = row["status"] == "accepted"
    values = row["values"]
    scalars = {name: value for name, value in expected.items() if not isinstance(value, (list, dict))}
    judged: list[Judged] = []
    for name, value in scalars.items():
        known = sure.get((row["id"], name))
        score = (row["score"] or 0.0) if known is None else known
        judged.append((name, values is not None and same(values.get(name), value), accepted, score))
    return judged


def same(found: Any, expected: Any) -> bool:
    """Whether two values mean the same: amounts within half a cent, dates by day, texts by letters and digits."""
    if found is None or expected is None:
        return found is expected
    if isinstance(found, bool):
        return str(found).casefold() == str(expected).casefold()
    if isinstance(found, (Decimal, int)):
        wanted = parse_value(str(expected), Kind.DECIMAL, literal=True)
        return isinstance(wanted, Decimal) and abs(Decimal(found) - wanted) < CENT
    if isinstance(found, dt.date):
        return found == parse_value(str(expected), Kind.DATE)
    return _plain(str(found)) == _plain(str(expected))


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())
