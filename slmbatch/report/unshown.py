"""The documents that report.html has no pages of, though a person should know of them: by id, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

import polars as pl

from slmbatch.report.marked import drawable
from slmbatch.report.markup import element, table

MOST_LISTED = 50
LONGEST = 300  # characters of a reason: it may quote what a server said
NAMES = {"review": "for review", "failed": "failed", "unreadable": "unreadable"}  # in the order of the list


@dataclass(frozen=True, slots=True)
class Unshown:
    """Documents that weren't accepted and have nothing that could be drawn and marked.

    `counts` holds their number by status, `rows` the first of them (at most MOST_LISTED) as id, status and reason.
    `drawable` counts the documents for review that do have pages: those that aren't shown are beyond what was asked
    for.
    """

    counts: Mapping[str, int]
    rows: tuple[tuple[str, str, str], ...]
    drawable: int


def unshown(root: Path) -> Unshown:
    """Read results.parquet for the documents without pages: for review first, each status in input order."""
    rows = pl.scan_parquet(root / "results.parquet").with_row_index("at")
    drawn = drawable(rows).filter(pl.col("status") == "review").select("at")
    left = rows.filter(pl.col("status").is_in(list(NAMES))).join(drawn, on="at", how="anti")
    counted = dict(left.group_by("status").len().collect().iter_rows())
    listed: list[tuple[str, str, str]] = []
    for status in NAMES:
        some = left.filter(pl.col("status") == status).sort("at").select("id", "status", "reason")
        listed += [(one, kind, why or "") for one, kind, why in some.head(MOST_LISTED - len(listed)).collect().rows()]
    counts = {status: counted[status] for status in NAMES if status in counted}
    return Unshown(counts, tuple(listed), int(drawn.select(pl.len()).collect().item()))


def listed(found: Unshown, shown: int) -> list[Element]:
    """Return the list for people, below `shown` documents for review with their pages; nothing where all is shown."""
    parts = []
    if more := found.drawable - shown:
        told = f"{more:,} more for review have pages: slmbatch report OUT --pages {found.drawable} shows all of them."
        parts.append(element("p", told))
    if found.counts:
        *first, last = [f"{count:,} {NAMES[status]}" for status, count in found.counts.items()]
        counted = f"{', '.join(first)} and {last}" if first else last
        parts.append(element("p", f"Without pages, or without fields to mark on them: {counted}."))
        lines = [[id_, NAMES[status], _short(reason)] for id_, status, reason in found.rows]
        parts.append(table(["Document", "Status", "Why"], lines, id_="unshown"))
    if rest := sum(found.counts.values()) - len(found.rows):
        parts.append(element("p", f"And {rest:,} more: `status` and `reason` in results.parquet.", class_="soft"))
    return [element("h2", "Documents that aren't shown"), *parts] if parts else []


def _short(reason: str) -> str:
    return reason if len(reason) <= LONGEST else f"{reason[: LONGEST - 1]}…"
