"""One amount is put right where only one can be, and nothing where it is a guess."""

from __future__ import annotations

from decimal import Decimal

import pytest

from slmbatch.checks.repair import repair
from slmbatch.checks.rules import compile_rule, rule_names

NAMES = ("net", "tax", "total", "due")
SUM = compile_rule("sum", "net + tax == total", known=rule_names(NAMES))
DUE = compile_rule("due", "due <= total", known=rule_names(NAMES))


def values(**written: str) -> dict[str, Decimal]:
    return {name: Decimal(amount) for name, amount in written.items()}


def printed(**amounts: str) -> dict[str, list[Decimal]]:
    return {name: [Decimal(one) for one in some.split()] for name, some in amounts.items()}


@pytest.mark.parametrize(
    ("wrong", "shown", "grounded", "right"),
    [
        (values(net="100", tax="19", total="191"), printed(total="119 100"), {"net", "tax"}, ("total", "119")),
        (values(net="19", tax="19", total="119"), printed(net="100"), {"tax", "total"}, ("net", "100")),
        # two ways to put it right, by changing one field or another
        (values(net="100", tax="7", total="119"), printed(tax="19", total="107"), {"net", "tax", "total"}, None),
        # what would be unchanged isn't in the document
        (values(net="100", tax="19", total="191"), printed(total="119"), {"net"}, None),
        # two fields would have to change
        (values(net="10", tax="1", total="191"), printed(net="100", tax="19", total="119"), set(NAMES), None),
        # nothing is broken, or a value is missing
        (values(net="100", tax="19", total="119"), printed(total="119"), set(NAMES), None),
        (values(net="100", total="191"), printed(total="119"), set(NAMES), None),
    ],
)
def test_one_amount_is_changed_if_only_one_change_makes_the_sum(
    wrong: dict[str, Decimal],
    shown: dict[str, list[Decimal]],
    grounded: set[str],
    right: tuple[str, str] | None,
) -> None:
    found = repair([SUM], wrong, shown, grounded=grounded)
    assert found == (right and (right[0], Decimal(right[1])))


def test_what_breaks_another_rule_is_no_repair() -> None:
    wrong = values(net="100", tax="19", total="191", due="150")
    assert repair([SUM], wrong, printed(total="119"), grounded=set(NAMES)) == ("total", Decimal(119))
    assert repair([SUM, DUE], wrong, printed(total="119"), grounded=set(NAMES)) is None
