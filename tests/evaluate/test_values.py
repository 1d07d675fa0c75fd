"""Comparing values with expected ones, by type."""

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmbatch.evaluate import same
from slmbatch.evaluate.values import likeness


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
        ("version 1.5", "version 15", False),
        (None, "x", False),
        (3, "3", True),
        (True, "true", True),
    ],
)
def test_values_are_compared_by_type(found: object, expected: object, equal: bool) -> None:
    assert same(found, expected) is equal


def test_spellings_of_one_letter_are_the_same_and_signs_are_not() -> None:
    assert same("Mu\u0308ller", "Müller")
    assert not same("€", "$")


@pytest.mark.parametrize(
    ("found", "expected", "like"),
    [
        ("Acme Ltd", "ACME  Ltd", 1.0),
        ("Acme Ltd", "Acne Ltd", 7 / 8),
        ("abcd", "abxy", 0.5),  # at the threshold
        ("abc", "axy", 0.0),  # below it: 1/3
        (None, None, 1.0),
        (None, "x", 0.0),
        ("x", None, 0.0),
        (Decimal("119.00"), "119", 1.0),
        (dt.date(2024, 3, 12), "12.03.2024", 1.0),
        (dt.date(2024, 3, 12), "2024-03-13", 0.9),
    ],
)
def test_likeness_counts_edits(found: object, expected: object, like: float) -> None:
    assert likeness(found, expected) == pytest.approx(like)


@given(st.text("ab", max_size=6), st.text("ab", max_size=6))
def test_edits_are_the_fewest_that_make_one_text_of_the_other(one: str, other: str) -> None:
    def edits(left: str, right: str) -> int:
        if not left or not right:
            return len(left) + len(right)
        kept = edits(left[1:], right[1:]) + (left[0] != right[0])
        return min(kept, edits(left[1:], right) + 1, edits(left, right[1:]) + 1)

    longest = max(len(one), len(other))
    expected = 1 - edits(one, other) / longest if longest else 1.0
    assert likeness(one, other) == pytest.approx(expected if expected >= 0.5 else 0.0)
