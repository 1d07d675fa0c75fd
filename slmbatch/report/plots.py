"""What the plots of the report show, as counts: where rows settled, how sure their answers were, how fast it went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import polars as pl

from slmbatch.store.sessions import SessionPace

BINS = 20


def plots(rows: pl.LazyFrame, paces: Sequence[SessionPace]) -> dict[str, Any]:
    """Count results.parquet for the plots. Scores that are calibrated probabilities are told apart from others."""
    calibrated = pl.col("confidence").is_not_null()
    return {
        "settled": _settled(rows),
        "confidence": _histogram(rows.filter(calibrated), "confidence"),
        "score": _histogram(rows.filter(~calibrated), "score"),
        "sessions": [asdict(pace) for pace in paces],
    }


def _settled(rows: pl.LazyFrame) -> list[dict[str, Any]]:
    """Rows by status, and by the tier whose answer was accepted."""
    accepted = pl.when(pl.col("status") == "accepted").then(pl.col("tier"))
    counted = rows.group_by("status", accepted.alias("tier")).agg(pl.len().alias("rows"))
    return counted.sort("rows", "status", "tier", descending=[True, False, False]).collect().to_dicts()


def _histogram(rows: pl.LazyFrame, column: str) -> dict[str, list[int]] | None:
    """Answers in BINS equal intervals of [0, 1], the last of them closed, by whether they were accepted."""
    place = (pl.col(column) * BINS).floor().clip(0, BINS - 1).cast(pl.Int64).alias("bin")
    accepted = (pl.col("status") == "accepted").alias("accepted")
    counted = rows.filter(pl.col(column).is_not_null()).group_by(place, accepted).len().collect()
    if not counted.height:
        return None
    bins: dict[bool, list[int]] = {True: [0] * BINS, False: [0] * BINS}
    for at, kind, count in counted.iter_rows():
        bins[kind][at] = count
    return {"accepted": bins[True], "not_accepted": bins[False]}
