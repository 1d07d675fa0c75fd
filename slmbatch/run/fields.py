"""From a completion to the fields of a document: parse, type, ground, check, score."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from slmbatch.checks.grounding import TextIndex
from slmbatch.checks.rules import Rule, compile_rule
from slmbatch.checks.values import parse_value
from slmbatch.confidence.gate import FORCED_LOGPROB
from slmbatch.confidence.tokens import SpanScore, TokenSpans
from slmbatch.tasks.extract import ExtractTask
from slmbatch.tasks.schema import Field, Group, Node
from slmbatch.tasks.spans import LeafText, Reply, scan
from slmbatch.types import Answer, Capabilities, Completion, Document, Grounded, Grounding, Kind, Leaf, Scalar

UNGROUNDED = (Kind.BOOLEAN, Kind.ENUM)  # a model's conclusion: the words needn't stand in the text
NAMES = {
    Kind.DECIMAL: "a number",
    Kind.INTEGER: "a whole number",
    Kind.DATE: "a date",
    Kind.BOOLEAN: "true or false",
    Kind.ENUM: "one of the allowed values",
    Kind.CURRENCY: "a currency code",
    Kind.TEXT: "a text",
}
REPLY_EXCERPT = 80
DECIMALS, INTEGER_DIGITS = 9, 29  # what a decimal128(38, 9) column holds
LARGEST_INTEGER = 2**63 - 1
NOT_FOUND = "not found in the document"
FORCED = "the grammar forced this value: the model wanted to write something else"


class FieldReader:
    """Read the fields of a schema, with everything that's known about each."""

    def __init__(self, task: ExtractTask, capabilities: Capabilities) -> None:
        self._schema = task.schema
        self._raw_logprobs = capabilities.raw_logprobs
        self._rules = compile_rules(task)

    def read(self, completion: Completion, document: Document) -> Answer | None:
        reply = scan(completion.text)
        if not reply.leaves and not reply.whole:
            return None
        index = TextIndex(document.pages, day_first=self._schema.day_first)
        spans = None if completion.tokens is None else TokenSpans(completion.tokens)
        written = _Written(reply, completion.text, spans)
        leaves: list[Leaf] = []
        problems = [] if reply.whole else ["the reply breaks off" + " (max_tokens)" * completion.cut_short]
        self._walk(self._schema.root, "", (written, index), leaves, problems)
        problems += [
            f"{leaf.path}: {problem}" for leaf in leaves for problem in leaf.problems if _blocks(leaf, problem)
        ]
        broken = {level: _broken(self._rules, leaves, level) for level in ("error", "warning")}
        return Answer(
            leaves=tuple(leaves),
            score=_row_score(leaves),
            problems=(*problems, *broken["error"]),
            warnings=tuple(broken["warning"]),
        )

    def _walk(
        self, node: Node, path: str, sources: tuple[_Written, TextIndex], leaves: list[Leaf], problems: list[str]
    ) -> None:
        if isinstance(node, Field):
            leaves.append(self._leaf(node, path, *sources))
        elif isinstance(node, Group):
            for name, member in node.members:
                self._walk(member, f"{path}.{name}" if path else name, sources, leaves, problems)
        else:
            count = sources[0].count(path)
            if node.required and not count:
                problems.append(f"{path}: required, and empty")
            for position in range(count):
                self._walk(node.item, f"{path}[{position}]", sources, leaves, problems)

    def _leaf(self, field: Field, path: str, written: _Written, index: TextIndex) -> Leaf:
        text = written.leaves.get(path)
        told = written.score(text)
        value: Scalar | None = None
        grounding, problems = Grounding(Grounded.NONE), []
        if text is not None and text.text is not None and not _says_nothing(text.text):
            value = self._value(field, text)
            problems += _format_problems(field, text.text, value)
            if value is not None:
                grounding = index.find(text.text, value, field.kind)
                if grounding.found is Grounded.NONE and field.kind not in UNGROUNDED:
                    problems.append(NOT_FOUND)
        elif field.required:
            problems.append("required, and missing")
        forced = told.first if told and self._raw_logprobs else None
        if forced is not None and forced < FORCED_LOGPROB:
            problems.append(FORCED)
        return Leaf(
            path=path,
            value=value,
            raw=text.text if text else None,
            score=math.exp(told.mean) if told else None,
            logprob_mean=told.mean if told else None,
            logprob_min=told.least if told else None,
            forced_logprob=forced,
            grounding=grounding,
            problems=tuple(problems),
            required=field.required,
        )

    def _value(self, field: Field, text: LeafText) -> Scalar | None:
        assert text.text is not None
        value = parse_value(
            text.text, field.kind, day_first=self._schema.day_first, enum=field.enum, literal=text.literal
        )
        return value if _storable(value) else None


class _Written:
    """What a reply holds, by path, and the tokens' scores of each place."""

    def __init__(self, reply: Reply, text: str, spans: TokenSpans | None) -> None:
        self.leaves: Mapping[str, LeafText] = {leaf.path: leaf for leaf in reply.leaves}
        self._text = text
        self._ascii = text.isascii()
        self._spans = spans
        self._counts: dict[str, int] = {}
        for path in self.leaves:
            for match in re.finditer(r"\[(\d+)\]", path):
                array = path[: match.start()]
                self._counts[array] = max(self._counts.get(array, 0), int(match.group(1)) + 1)

    def count(self, path: str) -> int:
        """How many items the list at `path` has."""
        return self._counts.get(path, 0)

    def score(self, leaf: LeafText | None) -> SpanScore | None:
        """Score a leaf's own tokens: without the quotes, which any string has."""
        if leaf is None or self._spans is None:
            return None
        quoted = self._text[leaf.start] == '"' and leaf.end - leaf.start > len('""')
        start, end = self._offset(leaf.start), self._offset(leaf.end)
        return self._spans.score(start + quoted, end - quoted, decided_at=start)

    def _offset(self, characters: int) -> int:
        return characters if self._ascii else len(self._text[:characters].encode())


def compile_rules(task: ExtractTask) -> tuple[Rule, ...]:
    """Compile the schema's cross-field rules. Raises TaskError naming the rule that is wrong."""
    known = {path.replace("[]", ""): "[]" in path for path, _ in task.schema.fields()}
    return tuple(
        compile_rule(rule.id, rule.expr, tolerance=rule.tolerance, level=rule.level, known=known)
        for rule in task.schema.rules
    )


def _says_nothing(raw: str) -> bool:
    """Whether a model wrote "", "-" or "N/A" where it meant null."""
    return parse_value(raw, Kind.TEXT) is None


def _format_problems(field: Field, raw: str, value: Scalar | None) -> list[str]:
    if value is None:
        return [f"{raw[:REPLY_EXCERPT]!r} is not {NAMES[field.kind]}"]
    if field.pattern is not None and not re.search(field.pattern, str(value)):
        return [f"{raw[:REPLY_EXCERPT]!r} doesn't fit the pattern {field.pattern}"]
    return []


def _blocks(leaf: Leaf, problem: str) -> bool:
    """A value that fails its format or was forced is never accepted; one that isn't found, only where it's required."""
    return leaf.required or problem != NOT_FOUND


def _storable(value: Scalar | None) -> bool:
    """Whether the typed columns of the tables hold this value exactly."""
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        return isinstance(exponent, int) and exponent >= -DECIMALS and value.adjusted() < INTEGER_DIGITS
    return not isinstance(value, int) or abs(value) <= LARGEST_INTEGER


def _row_score(leaves: Sequence[Leaf]) -> float | None:
    """The least score of the required leaves; without required ones, of those that have a value; else of all."""
    for chosen in (
        [leaf.score for leaf in leaves if leaf.required],
        [leaf.score for leaf in leaves if leaf.value is not None],
        [leaf.score for leaf in leaves],
    ):
        known = [score for score in chosen if score is not None]
        if chosen:
            return min(known) if len(known) == len(chosen) else None
    return None


def _broken(rules: Sequence[Rule], leaves: Sequence[Leaf], level: str) -> list[str]:
    """The rules of this level that the values break; a rule that lacks a value says nothing."""
    values: dict[str, Scalar | list[Scalar | None] | None] = {}
    for leaf in leaves:
        if "[" not in leaf.path:
            values[leaf.path] = leaf.value
            continue
        listed = values.setdefault(re.sub(r"\[\d+\]", "", leaf.path), [])
        assert isinstance(listed, list)
        listed.append(leaf.value)
    return [
        f"rule {rule.id} is broken: {rule.expression}"
        for rule in rules
        if rule.level == level and rule.check(values) is False
    ]
