"""What a tier's replies about one document make together: its answer, or the error's kind and message."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from slmbatch.chat import Capabilities
from slmbatch.run.answers import Task, answer_reader
from slmbatch.run.asking import Exchange
from slmbatch.run.fields import FieldReader
from slmbatch.run.fieldwise import Fieldwise, Question
from slmbatch.run.merge import Told, merge
from slmbatch.run.pieces import in_document, page_starts, view
from slmbatch.run.repairing import CheckedFields
from slmbatch.tasks.extract import ExtractTask
from slmbatch.types import Answer, Document

log = logging.getLogger("slmbatch")
EXCERPT = 80  # characters of a reply that go into an error
Read: TypeAlias = tuple[Answer | None, str | None, str | None]


class Replies:
    """Reads what one tier's engine replies."""

    def __init__(self, task: Task, capabilities: Capabilities, fieldwise: Fieldwise | None) -> None:
        self._reader = answer_reader(task, capabilities)
        self._capabilities = capabilities
        self._fieldwise = fieldwise
        self._fields = CheckedFields(task) if isinstance(task, ExtractTask) else None
        known = list(task.schema.fields()) if isinstance(task, ExtractTask) else []
        self._needed = [path for path, field in known if field.required] or [path for path, _ in known]

    def read(self, exchanges: Sequence[Exchange], document: Document, question: Question | None) -> Read:
        """Return the answer, or None with the error's kind and message; both, where parts of it are missing."""
        last = [one for one in exchanges if not one.superseded]
        try:
            if len(last) > 1:
                return self._together(last, document, question)
            return self._one(last[0], document, question)
        except Exception as error:  # the rim: a bug of ours costs this attempt only, and is recorded in its row
            log.exception("internal error", extra={"facts": {"document": document.id}})
            return None, "internal", f"{type(error).__name__}: {error}"

    def suffices(self, exchange: Exchange, document: Document) -> bool:
        """Say whether a reply about selected passages finds each required field, or each where none is required."""
        if exchange.completion is None or not isinstance(self._reader, FieldReader):
            return False
        reply = self._reader.reply(exchange.completion, document)
        leaves = {} if reply is None else {leaf.path: leaf for leaf in reply[0]}
        needed = [leaves.get(path) for path in self._needed]
        return all(one and one.value is not None and one.grounding.stands for one in needed)

    def _one(self, exchange: Exchange, document: Document, question: Question | None) -> Read:
        if exchange.completion is None:
            return None, *_failure(exchange)
        if self._fieldwise and question:
            answer = self._fieldwise.read(question, exchange.completion, document, self._capabilities)
        else:
            answer = self._reader.read(exchange.completion, document)
        return (None, *_failure(exchange)) if answer is None else (answer, None, None)

    def _together(self, exchanges: Sequence[Exchange], document: Document, question: Question | None) -> Read:
        """Merge the replies about pieces. One that failed is a problem of the row, so that it isn't accepted."""
        reader = self._fieldwise.reader(question, self._capabilities) if self._fieldwise and question else self._reader
        assert isinstance(reader, FieldReader)
        pieces = [one for one in exchanges if one.piece is not None]
        told, problems, failures = [], [], []
        for one in exchanges:
            where, left_out = view(document, one.piece) if one.piece else (document, None)
            reply = reader.reply(one.completion, where) if one.completion else None
            wrong = list(reply[1]) if reply else []
            if reply is None:
                failures.append(_failure(one))
                wrong = [": ".join(failures[-1])]
            else:
                told.append(
                    Told(one.piece, reply[0] if left_out is None else in_document(reply[0], document, left_out))
                )
            if one.piece is not None:  # what selected passages didn't tell, the pieces were asked for
                problems += [f"part {pieces.index(one) + 1} of {len(pieces)}: {problem}" for problem in wrong]
        if not told:
            return None, *failures[0]
        leaves, warnings = merge(told, page_starts(document))
        if self._fieldwise and question:
            answer = self._fieldwise.joined(question, leaves, problems, document)
        else:
            assert self._fields is not None
            answer = self._fields.answer(leaves, problems, document)
        kind, message = failures[0] if failures else (None, None)
        return replace(answer, warnings=(*answer.warnings, *warnings)), kind, message


def _failure(exchange: Exchange) -> tuple[str, str]:
    if exchange.error is not None:
        return exchange.error.kind, exchange.error.message
    completion = exchange.completion
    assert completion is not None
    if completion.cut_short:
        return "cut_short", f"the reply breaks off before it answers: {completion.text[:EXCERPT]!r}"
    return "unusable_reply", f"the reply answers nothing: {completion.text[:EXCERPT]!r}"
