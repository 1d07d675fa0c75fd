"""Repair before paying: an amount that breaks a sum is looked for beside its label in the document itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import product

from slmbatch.checks.expressions import Values
from slmbatch.checks.repair import repair
from slmbatch.checks.rules import Rule
from slmbatch.run.checked import FieldChecks, compile_rules, rule_values
from slmbatch.run.listing import RowCount
from slmbatch.tasks.extract import ExtractTask
from slmbatch.types import Answer, Document, Grounded, Grounding, Kind, Leaf, Scalar

NEAR_LINES = 5  # from the first amount of a sum to the last: of 48 sample invoices 44 print all three so close
MOST_PLACES = 12  # of one amount that are looked at


class CheckedFields:
    """Makes an answer of leaves: checked, put right where that's certain, and then checked again."""

    def __init__(self, task: ExtractTask) -> None:
        self._checks = FieldChecks(task)
        self._repairer = Repairer(task)
        self._rows = RowCount(task)

    def answer(self, leaves: Sequence[Leaf], problems: Sequence[str], document: Document) -> Answer:
        """Return the answer that these leaves make; `problems` are known ones of the whole row.

        Raises ValueError for a leaf that the schema doesn't have.
        """
        problems = [*problems, *(f"{path}: {wrong}" for path, wrong in self._rows.missing(leaves, document).items())]
        answer = self._checks.checked(leaves, problems)
        mended = self._repairer.mended(answer.leaves, document)
        return answer if mended is None else self._checks.checked(mended, problems)


class Repairer:
    """Puts amounts right, one to a document.

    The new amount stands beside a label of its field, the old one doesn't, and all other amounts of the sum stand
    beside theirs. So each amount of a repaired sum is told twice: by its label and by the sum. They stand close to each
    other, down the page in the order in which the rule names them, since net and tax exchanged add up as well. None is
    zero, since then the sum says only that two others are equal.
    """

    def __init__(self, task: ExtractTask) -> None:
        self._schema = task.schema
        self._rules = [rule for rule in compile_rules(task) if rule.level == "error"]
        fields = dict(task.schema.fields())
        amounts = {path for path, field in fields.items() if field.kind is Kind.DECIMAL and "[" not in path}
        self._amounts = {name for rule in self._rules if _is_sum(rule) for name in rule.names if name in amounts}

    def mended(self, leaves: Sequence[Leaf], document: Document) -> list[Leaf] | None:
        """Return the leaves with one amount put right; None where nothing is broken, or nothing certain was found."""
        values = rule_values(leaves)
        if not self._amounts or all(rule.check(values) is not False for rule in self._rules):
            return None
        beside, lines = self._amounts_of(document)
        known = {leaf.path: leaf for leaf in leaves if leaf.path in self._amounts and leaf.value is not None}
        told = {path for path, leaf in known.items() if leaf.value in beside[path]}
        printed = {path: list(beside[path]) for path in known if path not in told}
        found = repair(self._rules, values, printed, grounded=told)
        if found is None:
            return None
        path, amount = found
        mended = values | {path: amount}
        if not all(_goes_down(rule, mended, lines) for rule in self._rules if rule.check(values) is False):
            return None
        right = _with_amount(known[path], amount, beside[path][amount])
        return [right if leaf.path == path else leaf for leaf in leaves]

    def _amounts_of(
        self, document: Document
    ) -> tuple[dict[str, dict[Decimal, Grounding]], Mapping[Scalar, Sequence[int]]]:
        """Return the amounts that stand beside a label of each field, with the first such place of each.

        Beside them the numbers of the lines that each amount of the document is on.
        """
        from slmbatch.heads.fields.money import AMOUNT_TRAITS, find_amounts
        from slmbatch.heads.fields.reading import Reader

        sheet, views = Reader(self._schema).read(document)
        found = find_amounts(sheet)
        no_money = [AMOUNT_TRAITS.index(name) for name in ("percent", "zero", "inside_longer")]
        money = {
            (one.start, one.end)
            for one, traits in zip(found.candidates, found.traits, strict=True)
            if not traits[no_money].any()
        }
        amounts: dict[str, dict[Decimal, Grounding]] = {path: {} for path in self._amounts}
        for path, view in ((path, views[path]) for path in self._amounts if path in views):
            for one, labelled in zip(view.candidates, view.labelled, strict=True):
                if labelled and isinstance(one.value, Decimal) and (one.start, one.end) in money:
                    amounts[path].setdefault(one.value, sheet.grounding(one.start, one.end))
        lines: dict[Scalar, list[int]] = {}
        for one in found.candidates:
            lines.setdefault(one.value, []).append(one.line)
        return amounts, lines


def _goes_down(rule: Rule, values: Values, lines: Mapping[Scalar, Sequence[int]]) -> bool:
    """Say whether the rule's amounts outside lists stand in its order down the page, within NEAR_LINES."""
    amounts = [value for name in rule.names if isinstance(value := values.get(name), Decimal)]
    places = [lines.get(amount, ())[:MOST_PLACES] for amount in amounts]
    return any(list(one) == sorted(one) and one[-1] - one[0] <= NEAR_LINES for one in product(*places))


def _is_sum(rule: Rule) -> bool:
    return any(one.sign == "==" for one in rule.comparisons)


def _with_amount(leaf: Leaf, amount: Decimal, place: Grounding) -> Leaf:
    """Return the leaf with another amount; `raw` still says what was found first. Its scores were that one's."""
    return Leaf(
        leaf.path,
        amount,
        str(leaf.value) if leaf.raw is None else leaf.raw,
        grounding=replace(place, found=Grounded.NORMALISED),
        required=leaf.required,
        repaired=True,
    )
