"""What a rule is made of, and its value. Numbers are fractions here, so that division is exact too."""

from __future__ import annotations

import datetime as dt
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

from slmbatch.types import Scalar

Values: TypeAlias = Mapping[str, Scalar | Sequence[Scalar | None] | None]


@dataclass(frozen=True, slots=True)
class Number:
    value: Fraction


@dataclass(frozen=True, slots=True)
class Field:
    name: str


@dataclass(frozen=True, slots=True)
class Sum:
    """The sum of a list field."""

    name: str


@dataclass(frozen=True, slots=True)
class Operation:
    """`left` and `right` joined by one of + - * /."""

    sign: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left` and `right` joined by one of == != <= >= < >."""

    sign: str
    left: Expression
    right: Expression


Expression: TypeAlias = Number | Field | Sum | Operation

_ARITHMETIC: Mapping[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


def holds(comparison: Comparison, values: Values, tolerance: Decimal) -> bool | None:
    """Say whether a comparison holds, None when it can't be said."""
    left, right = _value(comparison.left, values), _value(comparison.right, values)
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return _compare(comparison.sign, left - right, Fraction(tolerance))
    if isinstance(left, dt.date) and isinstance(right, dt.date):
        return _compare(comparison.sign, Fraction((left - right).days), Fraction(0))
    return None


def _compare(sign: str, difference: Fraction, tolerance: Fraction) -> bool:
    match sign:
        case "==":
            return abs(difference) <= tolerance
        case "!=":
            return abs(difference) > tolerance
        case "<=":
            return difference <= tolerance
        case ">=":
            return difference >= -tolerance
        case "<":
            return difference < tolerance
        case _:
            return difference > -tolerance


def _value(expression: Expression, values: Values) -> Fraction | dt.date | None:
    match expression:
        case Number(value):
            return value
        case Field(name):
            return _scalar(values.get(name))
        case Sum(name):
            return _total(values.get(name))
        case Operation(sign, left, right):
            one, other = _value(left, values), _value(right, values)
            if not isinstance(one, Fraction) or not isinstance(other, Fraction) or (sign == "/" and other == 0):
                return None
            return _ARITHMETIC[sign](one, other)


def _scalar(value: object) -> Fraction | dt.date | None:
    if isinstance(value, bool) or (isinstance(value, Decimal) and not value.is_finite()):
        return None
    if isinstance(value, int | Decimal):
        return Fraction(value)
    return value if isinstance(value, dt.date) else None


def _total(items: object) -> Fraction | None:
    if not isinstance(items, Sequence) or isinstance(items, str) or not items:
        return None
    total = Fraction(0)
    for item in items:
        number = _scalar(item)
        if not isinstance(number, Fraction):
            return None
        total += number
    return total
