"""What a row costs at the cheap tiers, which have answered all, and at the top tier, which hasn't been asked yet."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from slmbatch.run.forecast import SEED, request_usd
from slmbatch.run.plan import Plan
from slmbatch.store.parts import part_paths

DIGITS = 9  # of USD: a thousandth of what a short request costs


def per_row(plan: Plan, answered: Path) -> tuple[Decimal, Decimal] | None:
    """Return USD per row of the cheap tiers together and of the top tier; None where the top tier costs nothing.

    The first is what was paid, the second an estimate by the texts' mean length. A top tier that is paid by the hour
    counts as free: how long it takes isn't known before it was asked.
    """
    top = plan.tiers[-1]
    price = (top.batch_price if top.batched else None) or top.price
    if not price.paid or not price.rates:
        return None
    paid, characters, rows = Decimal(0), 0, 0
    for path in part_paths(answered):
        table = pq.read_table(path, columns=["characters", "attempts"])
        spent = pc.struct_field(pc.list_flatten(table["attempts"].combine_chunks()), "usd")
        paid += sum(map(Decimal, spent.to_pylist()), Decimal(0))
        characters += pc.sum(table["characters"]).as_py() or 0
        rows += len(table)
    each = request_usd(price.rates[0], plan, characters / max(rows, 1), np.random.default_rng(SEED))
    return round(paid / max(rows, 1), DIGITS), round(Decimal(float(np.median(each))), DIGITS)
