"""From a completion to the fields of a document: parse, type, ground, score."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from slmbatch.chat import Capabilities, Completion
from slmbatch.checks.grounding import TextIndex
from slmbatch.checks.values import parse_value
from slmbatch.confidence.tokens import SpanScore, TokenSpans
from slmbatch.run.checked import FieldChecks, list_lengths, says_nothing, storable
from slmbatch.run.repairing import CheckedFields
from slmbatch.tasks.extract import ExtractTask
from slmbatch.tasks.schema import Field
from slmbatch.tasks.spans import LeafText, Reply, scan
from slmbatch.types import Answer, Document, Grounded, Grounding, Leaf, Scalar


class FieldReader:
    """Read the fields of a schema, with everything that's known about each."""

    def __init__(self, task: ExtractTask, capabilities: Capabilities) -> None:
        self._day_first = task.schema.day_first
        self._raw_logprobs = capabilities.raw_logprobs
        self._checks = FieldChecks(task)
        self._fields = CheckedFields(task)

    def read(self, completion: Completion, document: Document) -> Answer | None:
        reply = self.reply(completion, document)
        return None if reply is None else self._fields.answer(*reply, document)

    def reply(self, completion: Completion, document: Document) -> tuple[Sequence[Leaf], list[str]] | None:
        """Return all fields of the schema as the reply has them, and what is wrong with the reply as a whole."""
        reply = scan(completion.text)
        if not reply.leaves and not reply.whole:
            return None
        index = TextIndex(document.pages, day_first=self._day_first)
        spans = None if completion.tokens is None else TokenSpans(completion.tokens)
        written = _Written(reply, completion.text, spans)
        problems = [] if reply.whole else ["the reply breaks off" + " (max_tokens)" * completion.cut_short]
        told = _Read(written, index, day_first=self._day_first, raw_logprobs=self._raw_logprobs)
        return self._checks.answer(told).leaves, problems


class _Read:
    """What a reply says, typed, grounded in the document and scored."""

    def __init__(self, written: _Written, index: TextIndex, *, day_first: bool, raw_logprobs: bool) -> None:
        self._written = written
        self._index = index
        self._day_first = day_first
        self._raw_logprobs = raw_logprobs

    def count(self, path: str) -> int:
        return self._written.count(path)

    def leaf(self, field: Field, path: str) -> Leaf:
        text = self._written.leaves.get(path)
        told = self._written.score(text)
        value: Scalar | None = None
        grounding = Grounding(Grounded.NONE)
        if text is not None and text.text is not None and not says_nothing(text.text):
            value = self._value(field, text)
            if value is not None:
                grounding = self._index.find(text.text, value, field.kind)
        return Leaf(
            path=path,
            value=value,
            raw=text.text if text else None,
            score=math.exp(told.mean) if told else None,
            logprob_mean=told.mean if told else None,
            logprob_min=told.least if told else None,
            forced_logprob=told.first if told and self._raw_logprobs else None,
            grounding=grounding,
        )

    def _value(self, field: Field, text: LeafText) -> Scalar | None:
        assert text.text is not None
        value = parse_value(text.text, field.kind, day_first=self._day_first, enum=field.enum, literal=text.literal)
        return value if storable(value) else None


class _Written:
    """What a reply holds, by path, and the tokens' scores of each place."""

    def __init__(self, reply: Reply, text: str, spans: TokenSpans | None) -> None:
        self.leaves: Mapping[str, LeafText] = {leaf.path: leaf for leaf in reply.leaves}
        self._text = text
        self._ascii = text.isascii()
        self._spans = spans
        self._counts = list_lengths(self.leaves)

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
