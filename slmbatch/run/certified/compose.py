"""The results of a certified run: the cheap answer of rows that keep it, the top tier's of all others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from slmbatch.errors import OverBudget
from slmbatch.store.located import LocatedParts
from slmbatch.store.parts import KeyIndex, part_paths
from slmbatch.store.records import PART, Record, record
from slmbatch.store.table_file import write_table
from slmbatch.types import Attempt, Result, Status


def compose(answered: Path, topped: Path, results: Path, kept: KeyIndex, *, waits_for: str | None = None) -> None:
    """Write the parts of the results anew, out of those of both passes.

    `kept` are the keys that stay with the cheap answer. What is unreadable stays so; a row that the top tier didn't
    answer shows its cheap answer, in review. `waits_for` names the top tier where the budget has ended before it was
    asked about all others: these wait for it.
    """
    top = LocatedParts(part_paths(topped))
    for path in part_paths(results):
        path.unlink()
    later = KeyIndex()
    for path in reversed(part_paths(answered)):
        table = pq.read_table(path)
        composed = _composed(table, top, kept, later, waits_for)
        later.add(table["key"].to_pylist())
        write_table(results / path.name, composed)


def _composed(table: pa.Table, top: LocatedParts, kept: KeyIndex, later: KeyIndex, waits_for: str | None) -> pa.Table:
    """One part of the results.

    What was settled again `later`, and contents that have left the input since they were answered, are as they were:
    they cost something and are nobody's result.
    """
    keys = table["key"].to_pylist()
    staying, again = (np.array(some.contains(keys), bool) for some in (kept, later))
    told = top.find(keys)
    unread = pc.equal(table["status"], Status.UNREADABLE.value).to_numpy()
    accepted, going_up = staying & ~again, ~(staying | again | unread)
    changed = going_up & (told >= 0)
    pairs = zip(table.filter(changed).to_pylist(), top.take(told[changed]).to_pylist(), strict=True)
    rows = [_topped(cheap, best) for cheap, best in pairs]
    left = ~(accepted | changed)
    if waits_for is not None:
        waiting = going_up & (told < 0)
        rows += [_waiting(cheap, waits_for) for cheap in table.filter(waiting).to_pylist()]
        left &= ~waiting
    kept_rows = _accepted(table.filter(accepted))
    tables = [table.filter(left).select(PART.names), kept_rows, pa.Table.from_pylist(rows, PART)]
    return pa.concat_tables([one.cast(PART) for one in tables]).combine_chunks()


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


def _waiting(cheap: Record, tier: str) -> Record:
    """One row that the top tier will be asked about when there's money again; some wait for a cheaper tier first."""
    if any(one["error_kind"] == OverBudget.kind for one in cheap["attempts"]):
        return cheap
    status = Status.FAILED if cheap["tier"] is None else Status.REVIEW
    unasked = Attempt(tier, None, error_kind=OverBudget.kind, error="other rows come first")
    attempts = [*cheap["attempts"], *record(Result(cheap["key"], status, (unasked,)))["attempts"]]
    reasons = [one for one in (cheap["reason"], f"{unasked.error_kind}: {unasked.error}") if one]
    return cheap | {"attempts": attempts, "status": status.value, "reason": "; then ".join(reasons)}
