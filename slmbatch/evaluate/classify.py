"""Labels against expected labels. Whole columns at a time: there may be a hundred thousand rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse

from slmbatch.errors import InputError
from slmbatch.evaluate.judged import Judged, Mistake
from slmbatch.evaluate.pairing import Paired, pair
from slmbatch.evaluate.scores import scored
from slmbatch.evaluate.shares import Columns
from slmbatch.tasks.labels import JOINT

COLUMNS = ("id", "status", "label", "score", "confidence")


def judge_labels(root: Path, gold: Mapping[str, Any], usd_per_row: float, *, where: Path) -> Judged:
    """Compare a run's labels with the expected ones (`where` they were read from); rows without one are left out.

    A text may have several labels, joined, in any order. Raises InputError when an expected label isn't a text.
    """
    named = {key: joined(key, label, where) for key, label in gold.items() if label is not None}
    table = pl.scan_parquet(root / "results.parquet").select(COLUMNS).collect()
    paired = pair(table, named)
    rows = paired.rows.with_columns(_sorted("label").alias("label"), _sorted("expected").alias("expected"))
    right = rows.select((pl.col("label") == pl.col("expected")).fill_null(value=False)).to_series().to_numpy()
    score = rows.select(pl.coalesce("confidence", "score").cast(pl.Float64)).to_series().to_numpy()
    accepted = (rows["status"] == "accepted").to_numpy()
    columns = Columns(rows.height)
    columns.of_documents("accuracy", right, accepted)
    columns.add(("usd_per_right", None), np.full(rows.height, usd_per_row), right)
    names, told, wanted = _by_label(rows)
    columns.precision_recall_f1("", names, (told.multiply(wanted), told, wanted))
    one = scored("", np.arange(rows.height), score, right)
    columns.from_score_on(one)
    return _judged(paired, rows, columns, one)


def _judged(paired: Paired, rows: pl.DataFrame, columns: Columns, one: Any) -> Judged:
    counted = rows.group_by("expected", "label").len().sort("len", "expected", "label", descending=[True, False, False])
    return Judged(
        rows["id"].to_list(),
        columns.shares(),
        [one],
        paired.missing,
        paired.unjudged,
        paired.repeated,
        confusion=[Mistake(*cell) for cell in counted.iter_rows()],
    )


def joined(key: str, label: Any, where: Path) -> str:
    """One label, or several as a list."""
    if isinstance(label, list) and all(isinstance(one, str) for one in label):
        return JOINT.join(label)
    if not isinstance(label, str):
        raise InputError(f"{where}: the label of {key} is not a text.", "This run classified: give labels.")
    return label


def _sorted(column: str) -> pl.Expr:
    return pl.col(column).str.split(JOINT).list.sort().list.join(JOINT)


def _by_label(rows: pl.DataFrame) -> tuple[list[str], Any, Any]:
    """The expected labels, and which of them each row was told and should have been: sparse (rows, labels)."""
    names = rows.select(pl.col("expected").str.split(JOINT).explode().unique().sort().drop_nulls()).to_series()
    places = pl.DataFrame({"one": names, "place": np.arange(len(names))})
    found = []
    for column in ("label", "expected"):
        each = rows.select(pl.int_range(pl.len()).alias("row"), pl.col(column).str.split(JOINT).alias("one"))
        cells = each.explode("one").unique().join(places, on="one")
        shape = (rows.height, len(names))
        found.append(sparse.csr_matrix((np.ones(cells.height), (cells["row"], cells["place"])), shape=shape))
    return names.to_list(), *found
