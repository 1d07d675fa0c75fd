"""What is known of a document's fields once each has a value: formats, what is missing, rules, the row's score.

The same for every tier, whoever found the values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Protocol

from slmbatch.checks.identifiers import iban_doubt, vat_doubt
from slmbatch.checks.rules import Rule, compile_rule, rule_names
from slmbatch.checks.values import parse_value
from slmbatch.confidence.gate import FORCED_LOGPROB, UNSURE_OCR, least, measure, told_once
from slmbatch.tasks.extract import ExtractTask
from slmbatch.tasks.hints import HintKind
from slmbatch.tasks.schema import Field, Group, Node, schema_path
from slmbatch.types import Answer, Grounded, Grounding, Kind, Leaf, Scalar

UNGROUNDED = (Kind.BOOLEAN, Kind.ENUM)  # a conclusion: the words needn't stand in the text
NAMES = {
    Kind.DECIMAL: "a number",
    Kind.INTEGER: "a whole number",
    Kind.DATE: "a date",
    Kind.BOOLEAN: "true or false",
    Kind.ENUM: "one of the allowed values",
    Kind.CURRENCY: "a currency code",
    Kind.TEXT: "a text",
}
DOUBTS = {HintKind.IBAN: iban_doubt, HintKind.VAT: vat_doubt}
RAW_EXCERPT = 80
MOST_ITEMS = 5  # of a list, that a broken rule names
DECIMALS, INTEGER_DIGITS = 9, 29  # what a decimal128(38, 9) column holds
LARGEST_INTEGER = 2**63 - 1
NOT_FOUND = "not found in the document"
FORCED = "the grammar forced this value: the model wanted to write something else"


class Found(Protocol):
    """What one tier found in one document."""

    def count(self, path: str) -> int:
        """Return how many items the list at `path` has."""

    def leaf(self, field: Field, path: str) -> Leaf:
        """Return the field at `path` as it was found, grounded and scored, not yet checked."""


class FieldChecks:
    """Check what was found against the schema."""

    def __init__(self, task: ExtractTask) -> None:
        self._root = task.schema.root
        self._rules = compile_rules(task)
        hints = {path: field.hint.kind for path, field in task.schema.fields() if field.hint}
        self._doubts = {path: DOUBTS[kind] for path, kind in hints.items() if kind in DOUBTS}

    def answer(self, found: Found, problems: Iterable[str] = ()) -> Answer:
        """Return all fields of the schema in its order, checked; `problems` are known ones of the whole row.

        Its score is the least of those leaves that one source alone tells: the others are trusted for being told twice.
        """
        leaves: list[Leaf] = []
        noted = list(problems)
        self._walk(self._root, "", found, (leaves, noted))
        noted += [f"{leaf.path}: {problem}" for leaf in leaves for problem in leaf.problems if _blocks(leaf, problem)]
        return Answer(
            leaves=tuple(leaves),
            score=least(told_once(leaves), measure),
            confidence=least(leaves, lambda leaf: leaf.confidence),
            problems=(*noted, *_said(self.broken(leaves), leaves)),
            warnings=(*self._doubted(leaves), *_said(_broken(self._rules, leaves, "warning"), leaves)),
        )

    def _doubted(self, leaves: Sequence[Leaf]) -> Iterator[str]:
        """Say of which values the check digits are wrong. True documents have such, too: it's a warning."""
        for leaf in leaves:
            doubt = self._doubts.get(schema_path(leaf.path)) if leaf.value is not None else None
            if doubt is not None and (told := doubt(str(leaf.value))):
                yield f"{leaf.path}: {told}"

    def checked(self, leaves: Sequence[Leaf], problems: Iterable[str] = ()) -> Answer:
        """Return the answer that these leaves make: those of a head, which has only values, places and scores.

        `problems` are known ones of the whole row.
        Fields of the schema without a leaf are missing. Raises ValueError for a leaf that the schema doesn't have.
        """
        answer = self.answer(_Given({leaf.path: leaf for leaf in leaves}), problems)
        unknown = {leaf.path for leaf in leaves} - {leaf.path for leaf in answer.leaves}
        if unknown:
            raise ValueError(f"the schema has no field {min(unknown)}")
        return answer

    def broken(self, leaves: Sequence[Leaf]) -> list[Rule]:
        """Return the rules of level error that these leaves break."""
        return _broken(self._rules, leaves, "error")

    def _walk(self, node: Node, path: str, found: Found, told: tuple[list[Leaf], list[str]]) -> None:
        leaves, problems = told
        if isinstance(node, Field):
            leaves.append(_checked(node, found.leaf(node, path)))
        elif isinstance(node, Group):
            for name, member in node.members:
                self._walk(member, f"{path}.{name}" if path else name, found, told)
        else:
            count = found.count(path)
            if node.required and not count:
                problems.append(f"{path}: required, and empty")
            for position in range(count):
                self._walk(node.item, f"{path}[{position}]", found, told)


class _Given:
    """A head's leaves, by path."""

    def __init__(self, leaves: Mapping[str, Leaf]) -> None:
        self._leaves = leaves
        self._counts = list_lengths(leaves)

    def count(self, path: str) -> int:
        return self._counts.get(path, 0)

    def leaf(self, field: Field, path: str) -> Leaf:  # noqa: ARG002
        return self._leaves.get(path) or Leaf(path, None, None)


def list_lengths(paths: Iterable[str]) -> dict[str, int]:
    """Return how many items each list has, by the list's path."""
    counts: dict[str, int] = {}
    for path in paths:
        for match in re.finditer(r"\[(\d+)\]", path):
            array = path[: match.start()]
            counts[array] = max(counts.get(array, 0), int(match.group(1)) + 1)
    return counts


def compile_rules(task: ExtractTask) -> tuple[Rule, ...]:
    """Compile the schema's cross-field rules. Raises TaskError naming the rule that is wrong."""
    known = rule_names(path for path, _ in task.schema.fields())
    return tuple(
        compile_rule(rule.id, rule.expr, tolerance=rule.tolerance, level=rule.level, known=known)
        for rule in task.schema.rules
    )


def says_nothing(raw: str) -> bool:
    """Whether a model wrote "", "-" or "N/A" where it meant null."""
    return parse_value(raw, Kind.TEXT) is None


def storable(value: Scalar | None) -> bool:
    """Whether the typed columns of the tables hold this value exactly."""
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        return isinstance(exponent, int) and exponent >= -DECIMALS and value.adjusted() < INTEGER_DIGITS
    return not isinstance(value, int) or abs(value) <= LARGEST_INTEGER


def _checked(field: Field, leaf: Leaf) -> Leaf:
    if not storable(leaf.value):
        leaf = replace(leaf, value=None, raw=leaf.raw or str(leaf.value), grounding=Grounding(Grounded.NONE))
    return replace(leaf, problems=tuple(_problems(field, leaf)), required=field.required)


def _problems(field: Field, leaf: Leaf) -> Iterator[str]:
    if leaf.value is not None or (leaf.raw is not None and not says_nothing(leaf.raw)):
        yield from _format_problems(field, str(leaf.value) if leaf.raw is None else leaf.raw, leaf.value)
        if leaf.value is not None and not leaf.grounding.stands and field.kind not in UNGROUNDED:
            yield NOT_FOUND
        elif leaf.grounding.ocr is not None and leaf.grounding.ocr < UNSURE_OCR:
            yield f"OCR is unsure of it ({leaf.grounding.ocr:.2f})"
    elif field.required:
        yield "required, and missing"
    if leaf.forced_logprob is not None and leaf.forced_logprob < FORCED_LOGPROB:
        yield FORCED


def _format_problems(field: Field, raw: str, value: Scalar | None) -> list[str]:
    if value is None:
        return [f"{raw[:RAW_EXCERPT]!r} is not {NAMES[field.kind]}"]
    if field.pattern is not None and not re.search(field.pattern, str(value)):
        return [f"{raw[:RAW_EXCERPT]!r} doesn't fit the pattern {field.pattern}"]
    return []


def _blocks(leaf: Leaf, problem: str) -> bool:
    """A value that fails its format or was forced is never accepted; one that isn't found, only where it's required."""
    return leaf.required or problem != NOT_FOUND


def rule_values(leaves: Sequence[Leaf]) -> dict[str, Scalar | list[Scalar | None] | None]:
    """Return the values as rules name them: those of a list's field together, in order."""
    values: dict[str, Scalar | list[Scalar | None] | None] = {}
    for leaf in leaves:
        if "[" not in leaf.path:
            values[leaf.path] = leaf.value
            continue
        listed = values.setdefault(schema_path(leaf.path).replace("[]", ""), [])
        assert isinstance(listed, list)
        listed.append(leaf.value)
    return values


def _broken(rules: Sequence[Rule], leaves: Sequence[Leaf], level: str) -> list[Rule]:
    """The rules of this level that the values break; a rule that lacks a value says nothing."""
    values = rule_values(leaves)
    return [rule for rule in rules if rule.level == level and rule.check(values) is False]


def _said(rules: Iterable[Rule], leaves: Sequence[Leaf]) -> Iterator[str]:
    for rule in rules:
        items = [str(at + 1) for at in rule.broken_items(rule_values(leaves))]
        more = f" and {len(items) - MOST_ITEMS} more" if len(items) > MOST_ITEMS else ""
        where = f" (items {', '.join(items[:MOST_ITEMS])}{more}, counted from 1)" if items else ""
        yield f"rule {rule.id} is broken: {rule.expression}{where}"
