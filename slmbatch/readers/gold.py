"""Expected answers: a table of labels, or lines of field values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from slmbatch.errors import InputError

_BROKEN = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError)  # the last: nested without end


def read_gold(path: Path) -> dict[str, Any]:
    """Read expected answers by id: a label, or values by field. Raises InputError when they can't be read.

    A run's results.parquet can be given as well: what it accepted is taken for right.
    """
    try:
        if path.suffix == ".jsonl":
            lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
            return {str(line["id"]): line.get("values", line.get("label")) for line in lines}
        if path.suffix == ".parquet":
            table = pl.read_parquet(path, use_pyarrow=True)  # polars' own reader panics on some damaged files
        else:
            table = pl.read_csv(path, infer_schema=False)
        if "status" in table.columns:
            table = table.filter(pl.col("status") == "accepted")
        return dict(zip(table["id"].cast(pl.String).to_list(), table["label"].to_list(), strict=True))
    except (*_BROKEN, pl.exceptions.PolarsError) as error:
        remedy = "Give a CSV or Parquet file with the columns id and label, or JSONL with id and values."
        raise InputError(f"{path}: can't be read as expected answers: {error}", remedy) from error
