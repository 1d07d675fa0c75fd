"""cost.parquet: what each tier was asked, how much it said, how long it was busy, and what that cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from slmbatch.chat import NO_USAGE, Usage
from slmbatch.errors import OverBudget
from slmbatch.money.prices import PICO, Price, from_pico
from slmbatch.store.entries import TierTotal
from slmbatch.store.table_file import write_table
from slmbatch.store.tables import USD

SUMMED = ("requests", "input_tokens", "cached_tokens", "output_tokens")
SPARED = ("spared_input_tokens", "spared_output_tokens")
COST = pa.schema(
    {
        "tier": pa.string(),
        "engine": pa.string(),
        "model": pa.string(),
        "local": pa.bool_(),
        "documents": pa.int64(),
        "settled": pa.int64(),
        "requests": pa.int64(),
        "input_tokens": pa.int64(),
        "cached_tokens": pa.int64(),
        "output_tokens": pa.int64(),
        "cache_write_tokens": pa.int64(),
        "reasoning_tokens": pa.int64(),
        "requests_in_doubt": pa.int64(),
        "reused": pa.int64(),
        "busy_s": pa.float64(),
        "usd": USD,
        "usd_billed": USD,
        "usd_in_doubt": USD,
        "usd_estimated": USD,
        "spared_input_tokens": pa.int64(),
        "spared_output_tokens": pa.int64(),
        "usd_spared": USD,
        "basis": pa.string(),
        "price_source": pa.string(),
    },
    metadata={"slmbatch.cost": "4"},
)


@dataclass(slots=True)
class TierCost:
    """One row of cost.parquet.

    `documents` were asked about, `settled` of them got their result here; `reused` were answered from the ledger. For a
    tier that is paid by the request the figures are the ledger's: `usd_billed` at the price for the tokens that the
    provider reported, `usd_in_doubt` the most that requests can have cost whose reply never came. `usd_estimated` is
    what busy time costs at a price by the hour. `spared` are the tokens that asking for doubtful fields alone has saved
    against asking for all fields again with the whole text, an estimate, at `token_price`.
    """

    tier: str
    engine: str
    model: str
    local: bool
    price: Price
    metered: bool = False  # through the ledger
    documents: int = 0
    settled: int = 0
    requests: int = 0
    usage: Usage = NO_USAGE
    requests_in_doubt: int = 0
    reused: int = 0
    busy_s: float = 0.0
    usd_billed: Decimal = Decimal(0)
    usd_in_doubt: Decimal = Decimal(0)
    spared: Usage = NO_USAGE
    token_price: Price | None = None  # where it isn't `price`: through a batch endpoint
    left_out: bool = False  # of a certified run

    @property
    def spared_input_tokens(self) -> int:
        return self.spared.input_tokens

    @property
    def spared_output_tokens(self) -> int:
        return self.spared.output_tokens

    @property
    def usd_spared(self) -> Decimal:
        rates = (self.token_price or self.price).rates[:1]  # of short requests: it's a sum of many
        return sum((one.usd(self.spared) for one in rates), Decimal(0)).quantize(PICO)

    @property
    def usd(self) -> Decimal:
        return self.usd_billed + self.usd_in_doubt + self.usd_estimated

    @property
    def usd_estimated(self) -> Decimal:
        return self.price.of_time(self.busy_s).quantize(PICO)

    @property
    def basis(self) -> str:
        """What the figures rest on, in a few words."""
        if self.left_out:
            return "not asked: left out by what earlier runs cost"
        by_hour = f"estimated (busy time), at {self.price.usd_per_hour} USD per hour" if self.price.usd_per_hour else ""
        if self.price.paid or self.usd_billed:
            return f"billed: tokens that the server reported, at {self.price.source}" + (by_hour and f"; {by_hour}")
        return by_hour or f"free: {self.price.source.removeprefix('none: ')}"

    def take_unmetered(self, row: Mapping[str, Any]) -> None:
        """Add a part's sums, unless the ledger says them."""
        if not self.metered:
            self.requests += row["requests_sum"]
            tokens = (row["input_tokens_sum"], row["cached_tokens_sum"], row["output_tokens_sum"])
            self.usage = self.usage + Usage(*tokens)

    def take(self, total: TierTotal) -> None:
        """Add what the ledger says."""
        self.requests += total.requests
        self.requests_in_doubt += total.requests_in_doubt
        self.usd_billed += from_pico(total.billed)
        self.usd_in_doubt += from_pico(total.in_doubt)
        self.usage = self.usage + total.usage


def add_up(
    costs: Sequence[TierCost],
    parts: Sequence[Path],
    busy_s: Mapping[str, float],
    ledger: Sequence[TierTotal],
    *,
    again: Sequence[Path] = (),
) -> None:
    """Fill in what the parts record, and the ledger of paid tiers.

    Every attempt that was made counts, also those of a failure retried later. The parts in `again` are of documents
    that were asked about a second time: they count as requests and tokens alone.
    """
    by_tier = {cost.tier: cost for cost in costs}
    for cost in costs:
        cost.busy_s = busy_s.get(cost.tier, 0.0)
    for path in parts:
        table = pq.read_table(path, columns=["tier", "status", "attempts"])
        accepted = table.filter(pc.equal(table["status"], "accepted"))["tier"]
        for entry in accepted.value_counts().to_pylist():
            by_tier[entry["values"]].settled += entry["counts"]
        for row in _by_tier(table["attempts"]).to_pylist():
            cost = by_tier[row["tier"]]
            cost.documents += row["asked_sum"]
            cost.reused += row["reused_sum"]
            cost.spared = cost.spared + Usage(row["spared_input_tokens_sum"], 0, row["spared_output_tokens_sum"])
            cost.take_unmetered(row)
    for path in again:
        for row in _by_tier(pq.read_table(path, columns=["attempts"])["attempts"]).to_pylist():
            by_tier[row["tier"]].take_unmetered(row)
    for total in ledger:
        if total.tier in by_tier:
            by_tier[total.tier].take(total)


def _by_tier(attempts: pa.ChunkedArray) -> pa.Table:
    flat = pc.list_flatten(attempts.combine_chunks())
    columns = {name: pc.struct_field(flat, name) for name in ("tier", *SUMMED)}
    kept_away = pc.is_in(pc.struct_field(flat, "error_kind"), value_set=pa.array([OverBudget.kind]))
    remembered = pc.and_(pc.equal(columns["requests"], 0), pc.greater(columns["input_tokens"], 0))
    now = pc.greater(columns["requests"], 0)  # what the ledger remembers was spared when it was asked
    columns |= {name: pc.if_else(now, pc.fill_null(pc.struct_field(flat, name), 0), 0) for name in SPARED}
    columns |= {"asked": pc.invert(kept_away).cast(pa.int64()), "reused": remembered.cast(pa.int64())}
    columns["row"] = pc.list_parent_indices(attempts.combine_chunks())  # one may be asked for its type and its fields
    by_row = [*((name, "sum") for name in (*SUMMED, *SPARED)), ("asked", "max"), ("reused", "max")]
    rows = pa.table(columns).group_by(["row", "tier"]).aggregate(by_row)
    rows = rows.rename_columns([name.removesuffix("_sum").removesuffix("_max") for name in rows.column_names])
    return rows.group_by("tier").aggregate([(name, "sum") for name in (*SUMMED, *SPARED, "asked", "reused")])


def write_costs(path: Path, costs: Sequence[TierCost]) -> None:
    """Write cost.parquet: a row per tier, in the order of the cascade."""
    write_table(path, pa.Table.from_pylist([_row(cost) for cost in costs], COST), compression="snappy")


def _row(cost: TierCost) -> dict[str, object]:
    whole = {name: getattr(cost, name) for name in COST.names if hasattr(cost, name)} | asdict(cost.usage)
    amounts = {name: value.quantize(PICO) for name, value in whole.items() if isinstance(value, Decimal)}
    return whole | amounts | {"price_source": cost.price.source}
