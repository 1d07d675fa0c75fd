"""What docs/certificates.md shows is what happens."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slmbatch.certificates import calibration, certificate, counting, gates, planning, ranking, settling, ways

PAGE = (Path(__file__).parents[2] / "docs" / "certificates.md").read_text()


def test_the_example_runs_and_its_certificate_is_true() -> None:
    random = np.random.default_rng(0)
    rows = 500
    pool, scores = rows, random.random(rows)
    right = random.random(rows) < 0.4 + 0.6 * scores**0.2
    names: dict[str, Any] = {"ids": [str(one) for one in range(rows)], "scores": scores, "answers": ["a"] * rows}
    for module in (calibration, certificate, counting, gates, planning, ranking, settling, ways):
        names |= vars(module)
    names |= {"rows": rows, "pool": pool, "seed": 5, "prices": (Decimal(0), Decimal("0.01"))}
    names["labels"] = {str(one): bool(right[one]) for one in range(rows)}
    assert len(TABLE) == 6
    code = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert code is not None
    freezing, settled = code[1].split("line = ")
    exec(freezing, names)
    names["agrees"] = right[names["ranking"].order[names["sample"]]].tolist()
    exec(f"line = {settled}", names)
    assert names["refused"] is None
    assert names["certificate"].kept > 0
    assert names["differences"] == ()


TABLE = re.findall(r"^\| ([\d,]+) \| (.+) \|$", PAGE.split("## What can be promised at all")[1].split("##")[0], re.M)


@pytest.mark.parametrize(("rows", "cells"), TABLE)
def test_the_table_of_plans_is_what_planning_says(rows: str, cells: str) -> None:
    count = int(rows.replace(",", ""))
    way = ways.ranked_way([ways.default_chances(count)])
    for agreement, cell in zip((0.9, 0.95, 0.98, 0.99), cells.split(" | "), strict=True):
        made = planning.plan(way, planning.Batch(count, count), counting.Target(agreement, 0.1))
        if isinstance(made, gates.Refusal):
            assert cell == f"refused: {made.numbers['labels']:.0f} labels"
        else:
            assert cell == f"{made.sample:,}, {made.tolerated}, {made.saving:.2f}"
