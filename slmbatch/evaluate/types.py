"""The types that a run of several schemas told of documents, beside the expected ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from slmbatch.errors import InputError
from slmbatch.evaluate.judged import Judged, Measure
from slmbatch.evaluate.pairing import pair
from slmbatch.evaluate.shares import Columns
from slmbatch.tasks.triage import OTHER


def type_accuracy(out: Path, expected: Mapping[str, str], types: Sequence[str], *, where: Path) -> list[Measure]:
    """Return the share of documents that were told to be of their type; one in doubt isn't. Empty without any.

    `types` are those of the run. Raises InputError when another one is expected (`where` that was read from).
    """
    known = {*types, OTHER}
    for name, type_ in expected.items():
        if type_ not in known:
            remedy = f"Types are called as their schemas' files: {', '.join(sorted(known))}."
            raise InputError(f"{where}: {name}: {type_!r} is no type of this run.", remedy)
    told = pair(pl.read_parquet(out / "results.parquet", columns=["id", "type"]), expected).rows
    if told.is_empty():
        return []
    right = told.select((pl.col("type") == pl.col("expected")).fill_null(value=False)).to_series().to_numpy()
    columns = Columns(told.height)
    columns.add(("type_accuracy", None), right, np.ones(told.height))
    return Judged(told["id"].to_list(), columns.shares(), [], [], 0).measures()
