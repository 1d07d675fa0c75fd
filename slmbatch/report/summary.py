"""report.json: a run's figures in one document."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl

from slmbatch.errors import RunFolderError
from slmbatch.report.bill import itemised
from slmbatch.report.costs import TierCost
from slmbatch.report.plots import plots
from slmbatch.store.folder import DONE, RunFolder, write_durably
from slmbatch.store.sessions import SessionPace

Summary: TypeAlias = dict[str, Any]
FORMAT = 3
MOST_REASONS = 10
SERVER = r"(with status \d+): .*"  # what a server says may repeat what it was asked
QUOTED, NUMBER = r"'.*'|\".*\"", r"\b(score|byte|line|cost|leaves|of) \d[\d,]*(?:\.\d+)?"
SCORE = r"\(\d\.\d+\)"


def summarise(
    folder: RunFolder, costs: Sequence[TierCost], facts: Mapping[str, Any], paces: Sequence[SessionPace]
) -> Summary:
    """Count results.parquet, add the costs and the run's own facts."""
    rows = pl.scan_parquet(folder.root / "results.parquet")
    statuses = _counts(rows, "status")
    summary: Summary = {
        "format": FORMAT,
        **facts,
        "rows": sum(statuses.values()),
        "status": statuses,
        "truncated": int(rows.select(pl.col("truncated").sum()).collect().item() or 0),
        "uncalibrated_rows": uncalibrated(rows),
        "usd": format(sum((cost.usd for cost in costs), Decimal(0)), "f"),
        "tiers": [_tier(cost) for cost in costs],
        "bill": itemised(costs, sum(statuses.values())),
        "over_budget": _over_budget(rows, costs),
        **_reasons(rows),
        "plots": plots(rows, paces),
    }
    for column in ("label", "type"):
        if column in rows.collect_schema():
            summary[f"{column}s"] = _counts(rows.filter(pl.col(column).is_not_null()), column)
    return summary


def write_summary(root: Path, summary: Summary) -> None:
    """Write report.json: with it the run has finished."""
    write_durably(root / DONE, json.dumps(summary, indent=2, ensure_ascii=False).encode())


def read_summary(root: Path) -> Summary:
    """Read report.json back. Raises RunFolderError if the run hasn't finished, there's none, or in another format."""
    path = root / DONE
    try:
        summary = json.loads(path.read_bytes())
    except OSError as error:
        if RunFolder(root).manifest.exists():
            remedy = "Run the same command again: it goes on where it stopped."
            raise RunFolderError(f"{root}: this run hasn't finished.", remedy) from error
        raise RunFolderError(f"{root}: no run of slmbatch.", "Give the folder that -o named.") from error
    if not isinstance(summary, dict) or summary.get("format") != FORMAT:
        raise RunFolderError(f"{path}: written by another version of slmbatch.", "Read it with that version.")
    return summary


def uncalibrated(rows: pl.LazyFrame) -> int:
    """Rows with a score that is no calibrated probability; a row without a score has none to be misread."""
    unknown = pl.col("confidence").is_null() & pl.col("score").is_not_null()
    return int(rows.select(unknown.sum()).collect().item() or 0)


def _over_budget(rows: pl.LazyFrame, costs: Sequence[TierCost]) -> list[Summary]:
    """The rows that the budget kept from a tier, and what asking it would cost: as much as a request there has cost."""
    waiting = _counts(rows.filter(pl.col("waits_for").is_not_null()), "waits_for")
    known = {cost.tier: cost.usd_billed / cost.requests for cost in costs if cost.requests}
    return [
        {"tier": tier, "rows": count, "usd_estimated": str(round(known[tier] * count, 6)) if tier in known else None}
        for tier, count in waiting.items()
    ]


def _counts(rows: pl.LazyFrame, column: str) -> dict[str, int]:
    counted = rows.group_by(column).len().sort("len", column, descending=[True, False]).collect()
    return dict(counted.iter_rows())


def _reasons(rows: pl.LazyFrame) -> Summary:
    """Why rows weren't accepted, without what differs from row to row, and without words of the documents.

    The most frequent reasons (MOST_REASONS), the first row's id for each, and how many others there are.
    """
    plain = pl.col("reason").str.replace_all(QUOTED, "…").str.replace_all(SERVER, "$1")
    kind = (
        plain.str.split("; then ")
        .list.last()
        .str.split("; ")
        .list.first()
        .str.replace_all(NUMBER, "$1 …")
        .str.replace_all(SCORE, "(…)")
        .str.slice(0, 160)
    )
    refused = rows.filter(pl.col("status") != "accepted").select(kind.alias("reason"), "id")
    kinds = refused.group_by("reason").agg(pl.len(), pl.col("id").first())
    counted = kinds.sort("len", "reason", descending=[True, False]).collect()
    others = counted["len"][MOST_REASONS:]
    named = [(str(reason), count, example) for reason, count, example in counted.head(MOST_REASONS).iter_rows()]
    return {
        "reasons": {reason: count for reason, count, _ in named},
        "reason_examples": {reason: example for reason, _, example in named},
        "other_reasons": {"reasons": len(others), "rows": int(others.sum())},
    }


def _tier(cost: TierCost) -> Summary:
    return {
        "tier": cost.tier,
        "engine": cost.engine,
        "model": cost.model,
        "local": cost.local,
        "paid": cost.price.paid,
        "documents": cost.documents,
        "settled": cost.settled,
        "requests": cost.requests,
        **asdict(cost.usage),
        "requests_in_doubt": cost.requests_in_doubt,
        "reused": cost.reused,
        "busy_s": round(cost.busy_s, 3),
        "usd": format(cost.usd, "f"),
        "usd_billed": format(cost.usd_billed, "f"),
        "usd_in_doubt": format(cost.usd_in_doubt, "f"),
        "usd_estimated": format(cost.usd_estimated, "f"),
        "spared_input_tokens": cost.spared_input_tokens,
        "spared_output_tokens": cost.spared_output_tokens,
        "usd_spared": format(cost.usd_spared, "f"),
        "basis": cost.basis,
        "price_source": cost.price.source,
    }
