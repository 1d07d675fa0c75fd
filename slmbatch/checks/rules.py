"""Rules between the fields of one answer, such as `net + tax == gross`. Arithmetic is exact and nothing is executed.

rule       = comparison { "and" comparison }
comparison = sum ( "==" | "!=" | "<=" | ">=" | "<" | ">" ) sum
sum        = product { ( "+" | "-" ) product }
product    = factor { ( "*" | "/" ) factor }
factor     = "-" factor | "(" sum ")" | "sum" "(" name ")" | number | name
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import NoReturn

from slmbatch.checks.expressions import Comparison, Expression, Field, Number, Operation, Sum, Values, holds
from slmbatch.errors import TaskError

_MAX_TOKENS = 150  # keeps the recursion shallow
_TOKEN = re.compile(r"[0-9]+(?:\.[0-9]+)?|[^\W\d]\w*(?:\.[^\W\d]\w*)*|==|!=|<=|>=|[-+*/()<>]|\S")


@dataclass(frozen=True, slots=True)
class Rule:
    """A compiled rule. `names` are the fields it reads, in the order in which the expression mentions them."""

    id: str
    expression: str
    level: str
    names: tuple[str, ...]
    tolerance: Decimal
    comparisons: tuple[Comparison, ...]

    def check(self, values: Values) -> bool | None:
        """Say whether the rule holds; None when it divides by zero or a value is missing or of the wrong type.

        A list with a missing entry, and an empty list, is missing. Equality allows `tolerance` between numbers, and
        inequalities allow it in the rule's favour. Dates are compared with dates only, to the day.
        """
        verdicts = [holds(comparison, values, self.tolerance) for comparison in self.comparisons]
        return None if None in verdicts else all(verdicts)


def compile_rule(
    rule_id: str, expression: str, *, tolerance: Decimal = Decimal(0), level: str = "error", known: Mapping[str, bool]
) -> Rule:
    """Compile a rule over the `known` fields, each of which tells whether it stands in a list.

    A list's field is named as in `sum(line_items.amount)`.

    Raise TaskError, which names the position and what was expected there, when the expression can't be read or names
    an unknown field.
    """
    reader = _Reader(rule_id, expression, known)
    comparisons = reader.rule()
    return Rule(rule_id, expression, level, tuple(dict.fromkeys(reader.names)), tolerance, comparisons)


class _Reader:
    """Reads one expression from left to right, one method for each line of the grammar."""

    def __init__(self, rule_id: str, expression: str, known: Mapping[str, bool]) -> None:
        self._rule_id = rule_id
        self._expression = expression
        self._known = known
        self._tokens = [(found.group(), found.start()) for found in _TOKEN.finditer(expression)]
        self._next = 0
        self.names: list[str] = []
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
            field = Sum(self._field(self._name(), listed=True))
            self._demand(")")
            return field
        return Field(self._field(name, listed=False))

    def _name(self) -> str:
        word = self._token
        if word == "and" or not (word[:1].isalpha() or word[:1] == "_"):
            self._refuse("a number, a field or '('")
        self._next += 1
        return word

    def _field(self, name: str, *, listed: bool) -> str:
        position = self._tokens[self._next - 1][1] + 1
        if name in self._known and self._known[name] is not listed:
            raise TaskError(
                f"rule {self._rule_id!r}, position {position}: {name!r} is {'one value' if listed else 'a list'}",
                f"Write {name} by itself." if listed else f"Write sum({name}).",
            )
        if name not in self._known:
            near = difflib.get_close_matches(name, self._known, n=1, cutoff=0.0)
            raise TaskError(
                f"rule {self._rule_id!r}, position {position}: there is no field {name!r} in the schema",
                f"Did you mean {near[0]!r}?" if near else "Name a field of the schema.",
            )
        self.names.append(name)
        return name

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
