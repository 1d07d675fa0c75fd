"""cost.parquet: what each tier was asked, how much it said, how long it was busy, and what that cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from slmbatch.money.prices import Price
from slmbatch.store.folder import flush, publish
from slmbatch.store.tables import USD

SUMMED = ("requests", "input_tokens", "cached_tokens", "output_tokens", "usd")
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
        "busy_s": pa.float64(),
        "usd": USD,
        "price_source": pa.string(),
    },
    metadata={"slmbatch.cost": "1"},
)


@dataclass(slots=True)
class TierCost:
    """One row of cost.parquet. `documents` were asked about, `settled` of them got their result here."""

    tier: str
    engine: str
    model: str
    local: bool
    price: Price
    documents: int = 0
    settled: int = 0
    requests: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    busy_s: float = 0.0
    tokens_usd: Decimal = field(default=Decimal(0))

    @property
    def usd(self) -> Decimal:
        return self.tokens_usd + self.price.of_time(self.busy_s)


def add_up(costs: Sequence[TierCost], parts: Sequence[Path], busy_s: Mapping[str, float]) -> None:
    """Fill in what the parts record. Every attempt that was made counts, also those of a failure retried later."""
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
            cost.documents += row["tier_count"]
            cost.requests += row["requests_sum"]
            cost.input_tokens += row["input_tokens_sum"]
            cost.cached_tokens += row["cached_tokens_sum"]
            cost.output_tokens += row["output_tokens_sum"]
            cost.tokens_usd += row["usd_sum"]


def _by_tier(attempts: pa.ChunkedArray) -> pa.Table:
    flat = pc.list_flatten(attempts.combine_chunks())
    columns = {name: pc.struct_field(flat, name) for name in ("tier", *SUMMED)}
    columns["usd"] = columns["usd"].cast(USD)
    return pa.table(columns).group_by("tier").aggregate([("tier", "count"), *((name, "sum") for name in SUMMED)])


def write_costs(path: Path, costs: Sequence[TierCost]) -> None:
    rows = [
        {name: getattr(cost, name) for name in COST.names if name not in {"usd", "price_source"}}
        | {"usd": cost.usd.quantize(Decimal(1).scaleb(-USD.scale)), "price_source": cost.price.source}
        for cost in costs
    ]
    temporary = path.with_name(path.name + ".tmp")
    pq.write_table(pa.Table.from_pylist(rows, COST), temporary)
    flush(temporary)
    publish(temporary, path)
