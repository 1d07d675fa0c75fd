"""Results against expected answers: share of right labels, share of right field values by typed comparison."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl

from slmbatch.checks.values import parse_value
from slmbatch.errors import InputError
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


Judged: TypeAlias = tuple[str, bool, bool, float]  # label or field, right, accepted, the row's score
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


def compare(root: Path, gold: Path) -> Accuracy:
    """Compare a finished run with expected answers.

    `gold` has columns id and label (CSV, Parquet) for classify, or lines {"id": …, "values": {…}} (JSONL) for extract.
    Raises InputError when it can't be read or doesn't fit the run.
    """
    results = pl.read_parquet(root / "results.parquet")
    expected = _read_gold(gold)
    found = {row["id"]: row for row in results.iter_rows(named=True)}
    matched = {key: value for key, value in expected.items() if key in found}
    judge = _judge_label if "label" in results.columns else _judge_fields
    judged = [one for key, value in matched.items() for one in judge(found[key], value, gold)]
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


def _read_gold(path: Path) -> dict[str, Any]:
    try:
        if path.suffix == ".jsonl":
            lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
            return {str(line["id"]): line.get("values", line.get("label")) for line in lines}
        table = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema=False)
        return dict(zip(table["id"].cast(pl.String).to_list(), table["label"].to_list(), strict=True))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pl.exceptions.PolarsError) as error:
        remedy = "Give a CSV or Parquet file with the columns id and label, or JSONL with id and values."
        raise InputError(f"{path}: can't be read as expected answers: {error}", remedy) from error


def _judge_label(row: Mapping[str, Any], expected: Any, gold: Path) -> list[Judged]:
    if not isinstance(expected, str):
        raise InputError(f"{gold}: the label of {row['id']} is not a text.", "This run classified: give labels.")
    return [(expected, row["label"] == expected, row["status"] == "accepted", row["score"] or 0.0)]


def _judge_fields(row: Mapping[str, Any], expected: Any, gold: Path) -> list[Judged]:
    if not isinstance(expected, Mapping):
        raise InputError(f"{gold}: {row['id']} has no values.", "This run extracted: give JSONL with id and values.")
    accepted = row["status"] == "accepted"
    values = row["values"]
    scalars = {name: value for name, value in expected.items() if not isinstance(value, (list, dict))}
    score = row["score"] or 0.0
    return [
        (name, values is not None and same(values.get(name), value), accepted, score) for name, value in scalars.items()
    ]


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
