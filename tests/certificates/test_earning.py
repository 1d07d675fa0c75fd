from fractions import Fraction
from math import comb

import pytest

from slmbatch.certificates.earning import Replaced, replaced, sign_test


def coins(gained: int, lost: int) -> Fraction:
    """Twice the tail of so few of the rarer side, counted out."""
    tail = Fraction(sum(comb(gained + lost, hits) for hits in range(min(gained, lost) + 1)), 2 ** (gained + lost))
    return min(Fraction(1), 2 * tail)


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (1, 0), (5, 0), (6, 0), (12, 25), (25, 12), (7, 7), (0, 60)])
def test_the_sign_test_is_that_of_coins(gained: int, lost: int) -> None:
    assert sign_test(gained, lost) == pytest.approx(float(coins(gained, lost)))


def test_answers_are_compared_with_those_that_they_replaced() -> None:
    rows = [
        ([("small", "a"), ("middle", "b"), ("large", "b")], "b"),
        ([("small", "a"), ("middle", "b")], "a"),
        ([("small", "a"), ("middle", "b")], "c"),
        ([("small", "a"), ("middle", "a")], "a"),
        ([("small", "a"), ("large", "b")], "b"),  # the middle one had no answer
        ([("small", "a")], "a"),
    ]
    assert replaced(rows) == [
        Replaced("middle", "small", rows=4, changed=3, became_right=1, became_wrong=1),
        Replaced("large", "middle", rows=1, changed=0, became_right=0, became_wrong=0),
        Replaced("large", "small", rows=1, changed=1, became_right=1, became_wrong=0),
    ]


@pytest.mark.parametrize(
    ("right", "wrong", "earned", "verdict"),
    [
        (12, 25, False, "leave it out."),
        (25, 12, True, "it earns its place."),
        (5, 0, None, "label more rows, or leave it out."),
        (6, 0, True, "it earns its place."),
        (0, 0, None, "label more rows, or leave it out."),
    ],
)
def test_a_tier_must_earn_its_place(right: int, wrong: int, earned: bool | None, verdict: str) -> None:
    one = Replaced("middle", "small", rows=120, changed=40, became_right=right, became_wrong=wrong)
    assert one.earned is earned
    assert str(one).startswith(f"middle changed 40 of 120 answers of small: {right} became right, {wrong} wrong (p = ")
    assert str(one).endswith(verdict)
