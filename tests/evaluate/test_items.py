"""Lists against expected lists: the best matching, and what's counted."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from slmbatch.evaluate.items import Tally, match_items
from slmbatch.evaluate.values import same

ITEMS = st.lists(st.fixed_dictionaries({"name": st.sampled_from("abc"), "price": st.sampled_from("123")}), max_size=4)
WOOD = {"description": "Oak board", "quantity": Decimal(3), "amount": Decimal("12.00")}
NAILS = {"description": "Nails, 100 pieces", "quantity": Decimal(1), "amount": Decimal("4.50")}


def test_the_order_of_items_does_not_matter() -> None:
    matched = match_items([NAILS, WOOD], [{"description": "oak board", "amount": "12"}, {"amount": "4.50"}])
    assert matched.exact
    assert matched.items == Tally(2, 2, 2)
    assert matched.cells == {"amount": Tally(2, 2, 2), "description": Tally(1, 1, 1)}
    assert matched.like == matched.size == 3


def test_what_is_wrong_missing_or_too_much_is_counted() -> None:
    dear = WOOD | {"amount": Decimal("13.00")}
    extra = {"description": "Delivery", "quantity": None, "amount": Decimal(5)}
    expected = [
        {"description": "Oak board", "amount": "12.00"},
        {"description": "Nails, 100 pieces", "amount": "4.50"},
        {"description": "Glue", "amount": None},
    ]
    matched = match_items([dear, extra, NAILS], expected)
    assert matched.items == Tally(right=1, found=3, wanted=3)  # Delivery is matched with Glue, and wrong
    assert matched.cells["amount"] == Tally(right=1, found=3, wanted=2)
    assert matched.cells["description"] == Tally(right=2, found=3, wanted=3)
    assert not matched.exact


def test_an_item_too_many_or_too_few_is_wrong() -> None:
    wanted = [{"description": "Oak board", "amount": "12.00"}]
    assert match_items([WOOD, NAILS], wanted).items == Tally(1, 2, 1)
    assert match_items([WOOD, NAILS], wanted).cells["amount"] == Tally(1, 2, 1)
    assert match_items([], wanted).cells == {"amount": Tally(0, 0, 1), "description": Tally(0, 0, 1)}
    assert match_items([WOOD], []).items == Tally(0, 1, 0)
    assert match_items([], []).exact


def test_the_more_alike_is_meant_where_as_much_is_right() -> None:
    found = [{"name": "Consulting March"}, {"name": "Travel"}]
    matched = match_items(found, [{"name": "Travels"}, {"name": "Consulting in March"}])
    assert matched.items.right == 0
    assert matched.like > 1.6  # the other way round it's 0


@given(ITEMS, ITEMS)
def test_no_matching_has_more_right_cells(found: list[dict[str, str]], expected: list[dict[str, str]]) -> None:
    def right(pairs: list[tuple[dict[str, str], dict[str, str]]]) -> int:
        return sum(same(mine[name], wanted[name]) for mine, wanted in pairs for name in mine)

    few, many = sorted((found, expected), key=len)
    most = max(right(list(zip(few, some, strict=True))) for some in permutations(many, len(few)))
    assert sum(cell.right for cell in match_items(found, expected).cells.values()) == most
