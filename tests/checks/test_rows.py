"""How many rows a text has at least: seen by their positions or by their arithmetic, and nothing seen elsewhere."""

from __future__ import annotations

import pytest

from slmbatch.checks.rows import count_rows


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("1 Desk 60.00\n2 Chair 40.00\n3 Lamp 9.90", 3),
        ("1. Desk\nmade of oak\n60,00\n2. Chair\n40,00", 2),  # the amount below
        ("Desk 2 30.00 60.00\nChair 4 10.00 40.00\nTotal 100.00", 2),
        ("Desk   3 x 1.333   4.00\nChair   1   40,00   40,00", 2),  # rounded
        ("1 Desk 60.00\n" + "Page 1 of 2\n" * 5 + "2 Chair 40.00", 2),  # over a page's end
        ("1 Desk 60.00", 0),  # one row is no table
        ("net 100.00 19% 19.00\ntotal 119.00", 0),
        ("net 100.00 0% 0.00 100.00\nnet 50.00 0% 0.00 50.00", 0),  # taxes of nothing
        ("1. The parties agree.\n2. The term is 3 years.\n3. The end.", 0),
        ("2 Chair 40.00\n3 Lamp 9.90", 0),  # nothing begins
        ("10 20 30 40 50 60 70 80 90\n" * 3, 0),
        ("", 0),
    ],
)
def test_rows_are_counted(text: str, rows: int) -> None:
    assert count_rows(text) == rows
