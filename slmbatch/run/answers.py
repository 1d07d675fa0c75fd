"""From a completion to an answer: which reader reads the replies of a tier, and reading labels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Protocol, TypeAlias

from slmbatch.chat import Capabilities, Completion
from slmbatch.confidence.tokens import LabelScorer
from slmbatch.run.fields import FieldReader
from slmbatch.tasks.classify import ClassifyTask
from slmbatch.tasks.extract import ExtractTask
from slmbatch.tasks.triage import TriageTask
from slmbatch.types import Answer, Document

Task: TypeAlias = ClassifyTask | ExtractTask
"""What is asked of one document."""
RunTask: TypeAlias = Task | TriageTask
"""What is asked of all documents of a run."""


def extractions(task: RunTask) -> Mapping[str, ExtractTask]:
    """Return what is extracted from documents of each type, by type; the only one is "", and none is for labels."""
    if isinstance(task, TriageTask):
        return task.types
    return {"": task} if isinstance(task, ExtractTask) else {}


class AnswerReader(Protocol):
    """Turns completions of one tier into answers."""

    def read(self, completion: Completion, document: Document) -> Answer | None:
        """Return the answer, or None when the reply can't be used at all."""


def answer_reader(task: Task, capabilities: Capabilities) -> AnswerReader:
    """Return the reader for this task and for what this tier's engine tells."""
    if isinstance(task, ClassifyTask):
        return LabelReader(task, capabilities)
    return FieldReader(task, capabilities)


class LabelReader:
    """Read labels and score all of them from the tokens."""

    def __init__(self, task: ClassifyTask, capabilities: Capabilities) -> None:
        self._task = task
        self._choice = capabilities.choice
        self._raw_logprobs = capabilities.raw_logprobs
        self._scorers: dict[bytes, LabelScorer] = {}

    def read(self, completion: Completion, document: Document) -> Answer | None:  # noqa: ARG002
        label = self._task.parse(completion.text)
        if label is None:
            return None
        if not completion.tokens:
            return Answer(label=label)
        told = self._scorer(completion.text).score(completion.tokens)
        scores = tuple(sorted(told.scores.items(), key=lambda item: -item[1]))
        mass = told.mass if self._raw_logprobs else None  # behind a mask labels are all there is
        return Answer(label=label, scores=scores, mass=mass, score=told.scores.get(label))

    def _scorer(self, reply: str) -> LabelScorer:
        """The scorer for replies that begin as this one does: `{"label":` may be written with or without blanks."""
        head = b"" if self._choice else reply[: reply.find('"', reply.find(":")) + 1].encode()
        if head not in self._scorers:
            if self._choice:
                replies = {name: code.encode() for name, code in self._task.codes.items()}
            else:
                names = self._task.labels.names
                replies = {name: head + json.dumps(name, ensure_ascii=False)[1:].encode() for name in names}
            self._scorers[head] = LabelScorer(replies)
        return self._scorers[head]
