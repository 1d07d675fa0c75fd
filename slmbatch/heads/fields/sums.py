"""Amounts that must add up: among the likeliest candidates of each leaf, those that obey the schema's equations win."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from slmbatch.checks.expressions import Expression, Field, Operation
from slmbatch.checks.rules import compile_rule, rule_names
from slmbatch.tasks.schema import Schema
from slmbatch.types import Kind, Scalar

LIKELIEST = 10  # candidates of each leaf
ADDS_UP, ADDS_UP_TRIVIALLY, CONTRADICTS = 3.5, 1.0, -1.5  # in logits; trivially: with a zero, so that others are equal
_MOST_LEAVES = 4
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Equation:
    """`sum(sign * leaf) == 0` within the tolerance."""

    paths: tuple[str, ...]
    signs: tuple[int, ...]
    tolerance: float


def equations(schema: Schema) -> tuple[Equation, ...]:
    """Read the schema's rules that are sums of amounts; other rules are left to the checks."""
    kinds = dict(schema.fields())
    known = rule_names(kinds)
    single = {path for path, field in kinds.items() if field.kind is Kind.DECIMAL and "[]" not in path}
    found = []
    used: set[str] = set()
    for spec in schema.rules:
        rule = compile_rule(spec.id, spec.expr, tolerance=spec.tolerance, level=spec.level, known=known)
        for one in rule.comparisons:
            terms = [*_terms(one.left, 1), *_terms(one.right, -1)] if one.sign == "==" else []
            paths = [path for path, _ in terms]
            different = single.issuperset(paths) and len(set(paths)) == len(paths)
            if different and 2 < len(paths) <= _MOST_LEAVES and not used & set(paths):
                used |= set(paths)
                found.append(Equation(tuple(paths), tuple(sign for _, sign in terms), float(rule.tolerance) + 1e-6))
    return tuple(found)


def _terms(expression: Expression, sign: int) -> Iterator[tuple[str, int]]:
    match expression:
        case Field(name):
            yield name, sign
        case Operation("+" | "-" as operation, left, right):
            yield from _terms(left, sign)
            yield from _terms(right, sign if operation == "+" else -sign)
        case _:
            yield "", sign  # no leaf, so that the equation is left out


@dataclass(frozen=True, slots=True)
class Choices:
    """One leaf's candidates: their values, and their logits with none's last."""

    values: Sequence[Scalar]
    logits: Matrix


def settle(equation: Equation, choices: Mapping[str, Choices]) -> tuple[dict[str, Matrix], dict[str, int] | None]:
    """Return each leaf's probabilities given the others, in the order of its logits, and the sum that was found.

    The sum is the likeliest combination if it adds up other than trivially: the candidate's index by path.
    """
    some = [choices[path] for path in equation.paths]
    kept = [np.append(np.argsort(-one.logits[:-1], kind="stable")[:LIKELIEST], len(one.logits) - 1) for one in some]
    joint = np.zeros([len(one) for one in kept])
    total, zero = np.zeros_like(joint), np.zeros_like(joint, bool)
    for axis, (one, places, sign) in enumerate(zip(some, kept, equation.signs, strict=True)):
        shape = [1] * len(some)
        shape[axis] = -1
        values = np.array([_number(one.values[place]) for place in places[:-1]] + [np.nan])
        joint = joint + one.logits[places].reshape(shape)
        total = total + (sign * values).reshape(shape)
        zero = zero | (values == 0).reshape(shape)
    fits = np.abs(total) <= equation.tolerance
    joint += np.where(np.isnan(total), 0.0, np.where(fits, np.where(zero, ADDS_UP_TRIVIALLY, ADDS_UP), CONTRADICTS))
    chance = np.exp(joint - joint.max())
    chance /= chance.sum()
    best = np.unravel_index(int(joint.argmax()), joint.shape)
    after = {}
    for axis, (path, one, places) in enumerate(zip(equation.paths, some, kept, strict=True)):
        after[path] = np.zeros(len(one.logits))
        after[path][places] = chance.sum(axis=tuple(other for other in range(len(some)) if other != axis))
    found = bool(fits[best]) and not zero[best]
    chosen = {path: int(kept[axis][best[axis]]) for axis, path in enumerate(equation.paths)}
    return after, chosen if found else None


def _number(value: Scalar) -> float:
    return float(value) if isinstance(value, Decimal) and value.adjusted() < 15 else float("nan")
