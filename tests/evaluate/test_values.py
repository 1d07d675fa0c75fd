"""Comparing values with expected ones, by type."""

import datetime as dt
from decimal import Decimal

import pytest

from slmbatch.evaluate import same


@pytest.mark.parametrize(
    ("found", "expected", "equal"),
    [
        (Decimal("119.00"), "119", True),
        (Decimal("119.00"), "119.004", True),
        (Decimal("119.00"), "-119", False),
        (dt.date(2024, 3, 12), "2024-03-12", True),
        (dt.date(2024, 3, 12), "2024-03-13", False),
        ("DE12 3456", "de123456", True),
        ("Müller AG", "Muller AG", False),
        (None, "x", False),
        (3, "3", True),
        (True, "true", True),
    ],
)
def test_values_are_compared_by_type(found: object, expected: object, equal: bool) -> None:
    assert same(found, expected) is equal
