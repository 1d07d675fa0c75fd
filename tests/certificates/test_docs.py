"""What docs/certificates.md shows is what happens."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slmbatch.certificates import calibration, certificate, counting, gates, planning, ranking, settling, ways

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "certificates.md").read_text()


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


def table(first: str) -> list[dict[str, str]]:
    """The rows of the table whose head begins so."""
    head, _, *lines = PAGE[PAGE.index(f"| {first} |") :].partition("\n\n")[0].split("\n")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in (head, *lines)]
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


@pytest.mark.parametrize("method", ["count rule", "BARGAIN_A", "Hoeffding", "Learn then Test", "no bound"])
def test_the_plot_of_calls_avoided_shows_the_table(method: str) -> None:
    plot, rows = (DOCS / "certificates.svg").read_text(), table("rows | target | sets")
    shares = [row[method] for row in rows]
    for at in range(0, len(rows), 4):  # targets of a size
        assert f"{method} {' '.join(shares[at : at + 4])}" in plot
    assert len(rows) == 16


def test_the_plot_of_broken_promises_shows_the_table() -> None:
    plot, rows = (DOCS / "certificates-broken.svg").read_text(), table("method | cells | avoided")
    for row in rows:
        broken, worst = row["broken (at most 0.1)"].split()[0], row["worst cell"].split()[0]
        assert re.search(rf"{row['method']}: {broken} of [\d,]+, worst cell {worst}(;|<|\")", plot), row["method"]
        assert f"{worst} in the worst of {row['cells']} cells" in plot
    assert len(rows) == 6
