"""Rules between the fields of one answer, such as `net + tax == gross`. Arithmetic is exact and nothing is executed.

rule       = comparison { "and" comparison }
comparison = sum ( "==" | "!=" | "<=" | ">=" | "<" | ">" ) sum
sum        = product { ( "+" | "-" ) product }
product    = factor { ( "*" | "/" ) factor }
factor     = "-" factor | "(" sum ")" | "sum" "(" name ")" | number | name

A field of a list stands for one item's: the rule is then held against every item.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import NoReturn

from slmbatch.checks.expressions import Comparison, Expression, Field, Number, Operation, Sum, Values, holds
from slmbatch.errors import TaskError

ITEM = "[]"  # after a list's field: what one item has there, beside the list itself
_MAX_TOKENS = 150  # keeps the recursion shallow
_TOKEN = re.compile(r"[0-9]+(?:\.[0-9]+)?|[^\W\d]\w*(?:\.[^\W\d]\w*)*|==|!=|<=|>=|[-+*/()<>]|\S")


@dataclass(frozen=True, slots=True)
class Rule:
    """A compiled rule. `names` are the fields it reads, in the order in which the expression mentions them.

    `each` are those of them that are read item by item, all of one list.
    """

    id: str
    expression: str
    level: str
    names: tuple[str, ...]
    tolerance: Decimal
    comparisons: tuple[Comparison, ...]
    each: tuple[str, ...] = ()

    def check(self, values: Values) -> bool | None:
        """Say whether the rule holds; None when it divides by zero or a value is missing or of the wrong type.

        A sum over a list with a missing entry, or over an empty one, is missing; a rule about items holds if none
        breaks it. Equality allows `tolerance` between numbers, and inequalities allow it in the rule's favour. Dates
        are compared with dates only, to the day.
        """
        verdicts = self._verdicts(values)
        return False if False in verdicts else None if not verdicts or None in verdicts else True

    def broken_items(self, values: Values) -> list[int]:
        """Return the positions, from 0, of the items that break the rule; none where it isn't about items."""
        return [at for at, held in enumerate(self._verdicts(values)) if held is False] if self.each else []

    def _verdicts(self, values: Values) -> list[bool | None]:
        if not self.each:
            return [self._holds(values)]
        columns = [values.get(name) for name in self.each]
        items = zip(*(one if isinstance(one, list | tuple) else () for one in columns), strict=False)
        names = [name + ITEM for name in self.each]
        return [self._holds({**values, **dict(zip(names, item, strict=True))}) for item in items]

    def _holds(self, values: Values) -> bool | None:
        verdicts = [holds(comparison, values, self.tolerance) for comparison in self.comparisons]
        return None if None in verdicts else all(verdicts)


def compile_rule(
    rule_id: str, expression: str, *, tolerance: Decimal = Decimal(0), level: str = "error", known: Mapping[str, str]
) -> Rule:
    """Compile a rule over the `known` fields, as `rule_names` gives them.

    A list's field is named as in `sum(line_items.amount)`, or by itself for a rule that each item must keep.

    Raise TaskError, which names the position and what was expected there, when the expression can't be read or names
    an unknown field.
    """
    reader = _Reader(rule_id, expression, known)
    comparisons = reader.rule()
    names, each = (tuple(dict.fromkeys(some)) for some in (reader.names, reader.each))
    return Rule(rule_id, expression, level, names, tolerance, comparisons, each)


def rule_names(paths: Iterable[str]) -> dict[str, str]:
    """Return what rules call the leaves at these paths (`line_items[].amount`), and the list that each is in, or ""."""
    return {path.replace("[]", ""): path.rpartition("[]")[0] for path in paths}


class _Reader:
    """Reads one expression from left to right, one method for each line of the grammar."""

    def __init__(self, rule_id: str, expression: str, known: Mapping[str, str]) -> None:
        self._rule_id = rule_id
        self._expression = expression
        self._known = known
        self._tokens = [(found.group(), found.start()) for found in _TOKEN.finditer(expression)]
        self._next = 0
        self.names: list[str] = []
        self.each: list[str] = []
        if len(self._tokens) > _MAX_TOKENS:
            raise TaskError(
                f"rule {rule_id!r} has more than {_MAX_TOKENS} words and signs", "Split it into several rules."
            )

    def rule(self) -> tuple[Comparison, ...]:
        comparisons = [self._comparison()]
        while self._take("and"):
            comparisons.append(self._comparison())
        if self._token:
            self._refuse("'and' or the end of the rule")
        return tuple(comparisons)

    def _comparison(self) -> Comparison:
        left = self._sum()
        sign = self._take("==", "!=", "<=", ">=", "<", ">")
        if not sign:
            self._refuse("a comparison (== != <= >= < >)")
        return Comparison(sign, left, self._sum())

    def _sum(self) -> Expression:
        left = self._product()
        while sign := self._take("+", "-"):
            left = Operation(sign, left, self._product())
        return left

    def _product(self) -> Expression:
        left = self._factor()
        while sign := self._take("*", "/"):
            left = Operation(sign, left, self._factor())
        return left

    def _factor(self) -> Expression:
        if self._take("-"):
            return Operation("-", Number(Fraction(0)), self._factor())
        if self._take("("):
            inner = self._sum()
            self._demand(")")
            return inner
        token = self._token
        if "0" <= token[:1] <= "9":
            self._next += 1
            return Number(Fraction(token))
        name = self._name()
        if name == "sum" and self._take("("):
            total = Sum(self._field(self._name(), listed=True))
            self._demand(")")
            return total
        field = self._field(name, listed=False)
        return Field(field + ITEM if self._known[field] else field)

    def _name(self) -> str:
        word = self._token
        if word == "and" or not (word[:1].isalpha() or word[:1] == "_"):
            self._refuse("a number, a field or '('")
        self._next += 1
        return word

    def _field(self, name: str, *, listed: bool) -> str:
        position = self._tokens[self._next - 1][1] + 1
        if listed and self._known.get(name) == "":
            raise TaskError(
                f"rule {self._rule_id!r}, position {position}: {name!r} is one value", f"Write {name} by itself."
            )
        if name not in self._known:
            near = difflib.get_close_matches(name, self._known, n=1, cutoff=0.0)
            raise TaskError(
                f"rule {self._rule_id!r}, position {position}: there is no field {name!r} in the schema",
                f"Did you mean {near[0]!r}?" if near else "Name a field of the schema.",
            )
        self.names.append(name)
        if self._known[name] and not listed:
            self._add_item_field(name, position)
        return name

    def _add_item_field(self, name: str, position: int) -> None:
        if self.each and self._known[self.each[0]] != self._known[name]:
            raise TaskError(
                f"rule {self._rule_id!r}, position {position}: {name!r} and {self.each[0]!r} are in different lists",
                f"A rule is held against the items of one list: write sum({name}), or another rule.",
            )
        self.each.append(name)

    @property
    def _token(self) -> str:
        return self._tokens[self._next][0] if self._next < len(self._tokens) else ""

    def _take(self, *wanted: str) -> str:
        """Step over the next token if it is one of those wanted, and return it; otherwise return nothing."""
        token = self._token
        if token not in wanted:
            return ""
        self._next += 1
        return token

    def _demand(self, wanted: str) -> None:
        if not self._take(wanted):
            self._refuse(repr(wanted))

    def _refuse(self, expected: str) -> NoReturn:
        here = self._tokens[self._next][1] if self._token else len(self._expression)
        found = repr(self._token) if self._token else "the end"
        raise TaskError(
            f"rule {self._rule_id!r}, position {here + 1}: expected {expected}, found {found} in {self._expression!r}",
            "Write it like net + tax == gross, with fields, numbers, + - * / ( ), sum(list.field) and 'and'.",
        )
