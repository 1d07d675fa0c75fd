"""report.json: a run's figures in one document, and the same as text for a terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl

from slmbatch.errors import RunFolderError
from slmbatch.report.costs import TierCost
from slmbatch.store.folder import DONE, RunFolder, write_durably

Summary: TypeAlias = dict[str, Any]
LABELS_SHOWN = 20
SERVER = r"(with status \d+): .*"  # what a server says may repeat what it was asked
QUOTED, NUMBER = r"'.*'|\".*\"", r"\b(score|byte|line) \d+(?:\.\d+)?"


def summarise(folder: RunFolder, costs: Sequence[TierCost], facts: Mapping[str, Any]) -> Summary:
    """Count results.parquet, add the costs and the run's own facts, write report.json and return it."""
    rows = pl.scan_parquet(folder.root / "results.parquet")
    statuses = _counts(rows, "status")
    summary: Summary = {
        "format": 1,
        **facts,
        "rows": sum(statuses.values()),
        "status": statuses,
        "truncated": int(rows.select(pl.col("truncated").sum()).collect().item() or 0),
        "uncalibrated_rows": _uncalibrated(rows),
        "usd": format(sum((cost.usd for cost in costs), Decimal(0)), "f"),
        "tiers": [_tier(cost) for cost in costs],
        "reasons": _reasons(rows),
    }
    if "label" in rows.collect_schema():
        summary["labels"] = _counts(rows.filter(pl.col("label").is_not_null()), "label")
    write_durably(folder.root / DONE, json.dumps(summary, indent=2, ensure_ascii=False).encode())
    return summary


def read_summary(root: Path) -> Summary:
    """Read report.json back. Raises RunFolderError when the run hasn't finished, or there's none."""
    path = root / DONE
    try:
        summary = json.loads(path.read_bytes())
    except OSError as error:
        if RunFolder(root).manifest.exists():
            remedy = "Run the same command again: it goes on where it stopped."
            raise RunFolderError(f"{root}: this run hasn't finished.", remedy) from error
        raise RunFolderError(f"{root}: no run of slmbatch.", "Give the folder that -o named.") from error
    assert isinstance(summary, dict)
    return summary


def _uncalibrated(rows: pl.LazyFrame) -> int:
    """Rows with an answer whose confidence isn't known, scored or not."""
    unknown = pl.col("confidence").is_null() & pl.col("tier").is_not_null()
    return int(rows.select(unknown.sum()).collect().item() or 0)


def _counts(rows: pl.LazyFrame, column: str) -> dict[str, int]:
    counted = rows.group_by(column).len().sort("len", column, descending=[True, False]).collect()
    return dict(counted.iter_rows())


def _reasons(rows: pl.LazyFrame) -> dict[str, int]:
    """Why rows weren't accepted, without what differs from row to row, and without words of the documents."""
    plain = pl.col("reason").str.replace_all(QUOTED, "…").str.replace_all(SERVER, "$1")
    kind = plain.str.split("; ").list.first().str.replace_all(NUMBER, "$1 …").str.slice(0, 160)
    refused = rows.filter(pl.col("status") != "accepted").select(kind.alias("reason"))
    counted = refused.group_by("reason").len().sort("len", "reason", descending=[True, False]).head(10).collect()
    return {str(reason): count for reason, count in counted.iter_rows()}


def _tier(cost: TierCost) -> Summary:
    return {
        "tier": cost.tier,
        "local": cost.local,
        "documents": cost.documents,
        "settled": cost.settled,
        "requests": cost.requests,
        "input_tokens": cost.input_tokens,
        "cached_tokens": cost.cached_tokens,
        "output_tokens": cost.output_tokens,
        "busy_s": round(cost.busy_s, 3),
        "usd": format(cost.usd, "f"),
        "price_source": cost.price.source,
    }


def as_text(summary: Summary) -> str:
    """Return the summary as lines for a terminal."""
    rows, seconds = summary["rows"], summary["seconds"]
    lines = [f"{summary['task']}: {rows} rows in {seconds:.1f} s" + (f" ({rows / seconds:.1f}/s)" if seconds else "")]
    lines += [f"  {status:<12} {count:>8}  {100 * count / rows:5.1f} %" for status, count in summary["status"].items()]
    if summary["resumed_rows"]:
        lines.append(f"  {summary['resumed_rows']} rows had been settled by earlier sessions; the time is that of all")
    if summary["truncated"]:
        lines.append(f"  {summary['truncated']} rows were truncated to the model's context")
    if summary["skipped_files"]:
        lines.append(f"  {summary['skipped_files']} files of unknown type were skipped")
    lines.append("tiers:")
    for tier in summary["tiers"]:
        lines.append(
            f"  {tier['tier']}: {tier['documents']} documents, {tier['settled']} accepted, "
            f"{tier['requests']} requests, "
            f"{tier['input_tokens']} tokens in ({tier['cached_tokens']} cached), {tier['output_tokens']} out, "
            f"busy {tier['busy_s']:.1f} s, {float(tier['usd']):.6f} USD"
        )
        lines.append(f"    price: {tier['price_source']}")
    if summary.get("labels"):
        lines.append("labels:")
        shown = list(summary["labels"].items())[:LABELS_SHOWN]
        lines += [f"  {label:<32} {count:>8}" for label, count in shown]
        if len(summary["labels"]) > LABELS_SHOWN:
            lines.append(f"  and {len(summary['labels']) - LABELS_SHOWN} more")
    if summary["reasons"]:
        lines.append("not accepted, because:")
        lines += [f"  {count:>8}  {reason}" for reason, count in summary["reasons"].items()]
    if summary["uncalibrated_rows"]:
        lines.append(
            f"Scores of {summary['uncalibrated_rows']} rows are uncalibrated: a score of 0.9 doesn't mean right nine "
            "times out of ten."
        )
    return "\n".join(lines)
