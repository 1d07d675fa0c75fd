"""Putting one value right that breaks a rule, from what else is printed. Knows no document, only its amounts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from slmbatch.checks.expressions import Values
from slmbatch.checks.rules import Rule


def repair(
    rules: Sequence[Rule], values: Values, printed: Mapping[str, Sequence[Decimal]], *, grounded: Collection[str]
) -> tuple[str, Decimal] | None:
    """Return the one field, and its amount, with which every rule holds; None where there's none or more than one.

    `printed` are, by field, the amounts that the document shows for it; fields without are left as they are. The other
    fields of the broken rules must be `grounded`: a sum with an invented term proves nothing. Two fields are never
    changed at once, since too many pairs of amounts add up by chance (benchmarks/fieldwise.py says how often).
    """
    broken = [rule for rule in rules if rule.check(values) is False]
    named = {name for rule in broken for name in rule.names}
    found = [
        (name, amount)
        for name in sorted(named)
        if named - {name} <= set(grounded)
        for amount in dict.fromkeys(printed.get(name, ()))
        if _holds(rules, broken, {**values, name: amount})
    ]
    return found[0] if len(found) == 1 else None


def _holds(rules: Sequence[Rule], broken: Sequence[Rule], values: Values) -> bool:
    """Say whether the broken rules hold now, and no other has come to be broken."""
    return all(rule.check(values) for rule in broken) and all(rule.check(values) is not False for rule in rules)
