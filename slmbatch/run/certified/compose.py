"""The results of a certified run: the cheap answer of rows that keep it, the top tier's of all others."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from slmbatch.store.folder import flush, publish
from slmbatch.store.located import LocatedParts
from slmbatch.store.parts import KeyIndex, part_paths
from slmbatch.store.records import PART, Record
from slmbatch.types import Status


def compose(answered: Path, topped: Path, results: Path, kept: KeyIndex) -> None:
    """Write the parts of the results anew, out of those of both passes.

    `kept` are the keys that stay with the cheap answer. What is unreadable stays so; a row that the top tier didn't
    answer shows its cheap answer, in review.
    """
    top = LocatedParts(part_paths(topped))
    for path in part_paths(results):
        path.unlink()
    for path in part_paths(answered):
        table = pq.read_table(path)
        stay = pa.array(kept.contains(table["key"].to_pylist()))
        unread = pc.equal(table["status"], Status.UNREADABLE.value)
        changed = table.filter(pc.invert(pc.or_(stay, unread))).to_pylist()
        told = top.take(top.find([one["key"] for one in changed])).to_pylist()
        merged = [_topped(cheap, best) for cheap, best in zip(changed, told, strict=True)]
        tables = [_accepted(table.filter(stay)), table.filter(unread), pa.Table.from_pylist(merged, PART)]
        temporary = results / f"{path.stem}.tmp"
        pq.write_table(pa.concat_tables(tables).combine_chunks(), temporary, compression="zstd")
        flush(temporary)
        publish(temporary, results / path.name)


def _accepted(table: pa.Table) -> pa.Table:
    columns = {name: table[name] for name in PART.names}
    columns["status"] = pa.array([Status.ACCEPTED.value] * len(table), pa.string())
    columns["reason"] = pa.nulls(len(table), pa.string())
    return pa.table(columns, PART)


def _topped(cheap: Record, top: Record) -> Record:
    """One row with the attempts of both passes."""
    attempts = [*cheap["attempts"], *top["attempts"]]
    both = {"attempts": attempts, "truncated": cheap["truncated"] or top["truncated"]}
    if top["tier"] is not None:
        return top | both
    status = Status.FAILED if cheap["tier"] is None else Status.REVIEW
    reasons = [one["reason"] for one in (cheap, top) if one["reason"]]
    return cheap | both | {"status": status.value, "reason": "; then ".join(reasons)}
