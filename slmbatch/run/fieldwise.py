"""Asking the next tier for the doubtful fields only: which, showing what, and what its reply makes of the answer.

What an earlier tier found is never told to the next one unless a check has refuted it: that both say the same is worth
something only if they say so independently.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from slmbatch.chat import Capabilities, Completion, Request, Usage
from slmbatch.checks.letters import meaning
from slmbatch.confidence.gate import asked_below, doubtful, measure
from slmbatch.run.checked import NOT_FOUND, FieldChecks
from slmbatch.run.fields import FieldReader
from slmbatch.run.listing import RowCount
from slmbatch.run.passages import passages
from slmbatch.run.pieces import page_starts
from slmbatch.run.repairing import CheckedFields
from slmbatch.tasks.extract import ExtractTask
from slmbatch.tasks.schema import Field
from slmbatch.tasks.subset import askable, subset
from slmbatch.types import Answer, Attempt, Document, Leaf

MOST_NOTES, NOTE = 12, 120  # what failed: how many lines, and characters of each
LEAF_CHARACTERS = 6  # of a reply: quotes, colon and comma around a name and a value
NULL = 4  # characters
COMBINATIONS = 256  # sets of fields whose prompts are kept


@dataclass(frozen=True, slots=True)
class Question:
    """What a tier is asked about one document: `asked`, showing `text`, after `before` hasn't been trusted."""

    task: ExtractTask
    asked: tuple[str, ...]
    text: str
    failed: tuple[str, ...]
    before: Attempt
    parts: bool  # whether `text` leaves something out

    def request(self, text: str, capabilities: Capabilities, *, parts: bool | None = None) -> Request:
        """Ask about a text, the question's own or a part of it; `parts`: whether it leaves something out."""
        return self.task.request(text, capabilities, failed=self.failed, parts=self.parts if parts is None else parts)


class Fieldwise:
    """Makes questions of doubtful answers, and answers of the replies. The same for every tier of a run."""

    def __init__(self, task: ExtractTask, threshold: float) -> None:
        self._task = task
        self._threshold = threshold
        self._checks = FieldChecks(task)
        self._fields = CheckedFields(task)
        self._rows = RowCount(task)
        self._askable = dict(askable(task.schema))
        self._subtask = lru_cache(COMBINATIONS)(lambda asked: ExtractTask(subset(task.schema, asked)))
        self._reader = lru_cache(COMBINATIONS)(lambda asked, told: FieldReader(self._subtask(asked), told))

    def question(self, document: Document, before: Attempt | None) -> Question | None:
        """Return what to ask for, None for everything: where nothing is known, or nothing is trusted."""
        if before is None or before.answer is None:
            return None
        leaves = before.answer.leaves
        broken = self._checks.broken(leaves)
        missing = self._rows.missing(leaves, document)
        suspects = {*missing, *(name for rule in broken for name in rule.names)}
        asked = tuple(path for path in self._askable if self._in_doubt(path, leaves, suspects))
        if not asked or len(asked) == len(self._askable):
            return None
        failed = [*_refuted(leaves, asked), *(f"It must hold: {rule.expression}" for rule in broken)]
        failed += [f"{path}: {wrong}" for path, wrong in missing.items()]
        text = self._shown(document, leaves, asked)
        return Question(
            self._subtask(asked),
            asked,
            document.text if text is None else text,
            tuple(failed[:MOST_NOTES]),
            before,
            parts=text is not None,
        )

    def reader(self, question: Question, capabilities: Capabilities) -> FieldReader:
        """Return what reads the replies to this question."""
        return self._reader(question.asked, capabilities)

    def read(
        self, question: Question, completion: Completion, document: Document, capabilities: Capabilities
    ) -> Answer | None:
        """Return the earlier answer with what was asked for replaced, None when the reply can't be used at all."""
        reply = self.reader(question, capabilities).reply(completion, document)
        return None if reply is None else self.joined(question, *reply, document)

    def joined(self, question: Question, found: Sequence[Leaf], problems: Sequence[str], document: Document) -> Answer:
        """Return the earlier answer with what was asked for replaced, and all checked anew against the whole document.

        `problems` are known ones of the whole row.
        """
        assert question.before.answer is not None
        earlier = {leaf.path: leaf for leaf in question.before.answer.leaves}
        kept = [
            replace(leaf, tier=leaf.tier or question.before.tier)
            for leaf in earlier.values()
            if not _within(leaf.path, question.asked)
        ]
        told = [self._of_two(earlier.get(leaf.path), question.before.tier, leaf) for leaf in found]
        return self._fields.answer([*kept, *told], problems, document)

    def spared(self, question: Question, usage: Usage, answer: Answer, *, shown: int, whole: int) -> Usage:
        """Estimate the tokens that asking for everything would have taken besides, from the characters of both.

        `shown` are the characters of the text in the request, `whole` how many there would have been; the reply's share
        is that of the asked fields among all in `answer`.
        """
        sent = len(question.task.instructions) + shown + sum(map(len, question.failed))
        full = len(self._task.instructions) + whole
        all_ = sum(map(_length, answer.leaves))
        asked = sum(_length(leaf) for leaf in answer.leaves if _within(leaf.path, question.asked)) or all_
        return Usage(
            input_tokens=max(0, round(usage.input_tokens * (full / sent - 1))),
            output_tokens=max(0, round((usage.output_tokens - usage.reasoning_tokens) * (all_ / asked - 1))),
        )

    def _in_doubt(self, path: str, leaves: Sequence[Leaf], suspects: set[str]) -> bool:
        if any(_is_of(name, path, ".") for name in suspects):
            return True
        own = [leaf for leaf in leaves if _is_of(leaf.path, path, "[")]
        return not own or any(doubtful(leaf, threshold=asked_below(self._threshold)) for leaf in own)

    def _of_two(self, earlier: Leaf | None, tier: str, found: Leaf) -> Leaf:
        """Return what was found now, unless it fails and the earlier value would have been trusted.

        A new value without a score doesn't fail by that: its engine tells none. Items of a list aren't compared.
        """
        found = replace(found, agreed=_agree(earlier, found))
        if (
            earlier is None
            or earlier.value is None
            or "[" in found.path
            or doubtful(earlier, threshold=self._threshold)
        ):
            return found
        unscored = found.value is not None and not found.problems and measure(found) is None
        if unscored or (found.value is not None and not doubtful(found, threshold=self._threshold)):
            return found
        return replace(earlier, tier=earlier.tier or tier)

    def _shown(self, document: Document, leaves: Sequence[Leaf], asked: Sequence[str]) -> str | None:
        """Return the parts of the text to show, None for all: a list may stand anywhere."""
        fields = [(path, self._askable[path]) for path in asked]
        if not all(isinstance(field, Field) for _, field in fields):
            return None
        starts = page_starts(document)
        places = [
            starts[leaf.grounding.page] + leaf.grounding.start
            for leaf in leaves
            if leaf.path in asked and leaf.grounding.page in starts and leaf.grounding.start is not None
        ]
        singles = [(path, field) for path, field in fields if isinstance(field, Field)]
        return passages(document.text, singles, places)


def _refuted(leaves: Sequence[Leaf], asked: Sequence[str]) -> Iterator[str]:
    """Yield what was read and can't be: each is in the wrong format, or stands nowhere in the document."""
    for leaf in leaves:
        refuted = leaf.value is None or NOT_FOUND in leaf.problems
        if refuted and leaf.problems and leaf.raw and _within(leaf.path, asked):
            yield f"{leaf.path} isn't {leaf.raw!r}: {leaf.problems[0]}"[:NOTE]


def _agree(earlier: Leaf | None, found: Leaf) -> bool:
    """Say whether two tiers found the same value, and it stands in the document."""
    if earlier is None or earlier.value is None or not found.grounding.stands:
        return False
    if isinstance(earlier.value, str) and isinstance(found.value, str):
        return meaning(earlier.value) == meaning(found.value)
    return earlier.value == found.value


def _within(path: str, asked: Sequence[str]) -> bool:
    return any(_is_of(path, one, "[") for one in asked)


def _is_of(path: str, whole: str, joint: str) -> bool:
    return path == whole or path.startswith(whole + joint)


def _length(leaf: Leaf) -> int:
    return len(leaf.path) + (NULL if leaf.value is None else len(str(leaf.value))) + LEAF_CHARACTERS
