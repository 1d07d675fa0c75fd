"""Which result belongs to which expected answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl


@dataclass(frozen=True, slots=True)
class Paired:
    """`rows`: results that have an expected answer, in its order, with text answers beside them as `expected`.

    `missing` ids have no result; `unjudged` results have no expected answer; `repeated` ones have the id of an earlier
    result and aren't looked at.
    """

    rows: pl.DataFrame
    missing: list[str]
    unjudged: int
    repeated: int


def pair(results: pl.DataFrame, expected: Mapping[str, Any]) -> Paired:
    """Put results (with a column `id`) in the order of expected answers."""
    once = results.unique("id", keep="first", maintain_order=True)
    texts = [one if isinstance(one, str) else None for one in expected.values()]
    wanted = pl.DataFrame({"id": list(expected), "expected": texts}, schema={"id": pl.String, "expected": pl.String})
    rows = wanted.join(once, on="id", maintain_order="left")
    missing = wanted.join(once, on="id", how="anti", maintain_order="left")["id"].to_list()
    return Paired(rows, missing, once.height - rows.height, results.height - once.height)
