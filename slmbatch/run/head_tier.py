"""A head as a tier: documents that wait are answered together, in a thread of their own."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from slmbatch.engines.models import embeddings_folder
from slmbatch.engines.settings import EngineSettings
from slmbatch.errors import ConfigError, SlmbatchError
from slmbatch.heads.folder import Stored, load_head
from slmbatch.heads.head import Head
from slmbatch.heads.memory import give_memory_back, share_memory
from slmbatch.run.answers import RunTask, Task
from slmbatch.run.clock import BusyClock
from slmbatch.run.plan import TierPlan
from slmbatch.run.repairing import CheckedFields
from slmbatch.tasks.classify import ClassifyTask
from slmbatch.tasks.extract import ExtractTask
from slmbatch.tasks.triage import TriageTask
from slmbatch.types import Answer, Attempt, Document

if TYPE_CHECKING:
    from slmbatch.heads.text.embeddings import Embedder

log = logging.getLogger("slmbatch")
BATCH, BATCHES = 64, 4  # documents in flight: one batch is answered while the next ones gather
Waiting: TypeAlias = tuple[Document, "asyncio.Future[tuple[Answer | SlmbatchError | None, str | None, float]]"]


class HeadTier:
    """One rung of the cascade, in this process. What it answers with is loaded by the first document."""

    def __init__(self, plan: TierPlan, task: RunTask, *, download: bool, busy: BusyClock | None = None) -> None:
        """`busy` is the clock of several rungs that are one tier."""
        self.plan = plan
        self.busy = busy or BusyClock()
        share_memory()
        self._load = head_loader(plan, task, download=download)
        self._head: Head | None = None
        self._waiting: list[Waiting] = []
        self._worker: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "head")  # one, since each thread would keep memory of its own

    @property
    def concurrency(self) -> int:
        return BATCHES * BATCH

    async def attempt(self, document: Document, before: Attempt | None = None) -> Attempt | None:  # noqa: ARG002
        """Answer one document, and all about it, since that costs next to nothing.

        None if it carries no e-invoice for a tier that answers from these. Raises what loading the head raised, for
        every document that waited for it.
        """
        if self.plan.embedded and document.xml is None:
            return None
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((document, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        answer, error, seconds = await future
        if isinstance(answer, SlmbatchError):
            raise answer
        return Attempt(
            self.plan.name,
            answer,
            seconds=seconds,
            truncated=self._head is not None and len(document.text) > self._head.characters,
            error_kind=None if error is None else "internal",
            error=error,
        )

    async def start(self) -> None:
        """There is nothing that can't wait for the first document."""

    async def close(self) -> None:
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait([self._worker])
        self._thread.shutdown()
        self._head = None
        give_memory_back()

    async def _work(self) -> None:
        """Answer whoever waits, a batch at a time, until nobody does."""
        while self._waiting:
            size = 1 if self._head is None else self._head.batch
            batch, self._waiting = self._waiting[:size], self._waiting[size:]
            started = time.monotonic()
            with self.busy:
                documents = [document for document, _ in batch]
                told = await asyncio.get_running_loop().run_in_executor(self._thread, self._answers, documents)
            seconds = (time.monotonic() - started) / len(batch)
            for (_, future), (answer, error) in zip(batch, told, strict=True):
                if not future.done():  # cancelled, when the run is being stopped
                    future.set_result((answer, error, seconds))

    def _answers(self, documents: list[Document]) -> list[tuple[Answer | SlmbatchError | None, str | None]]:
        try:
            if self._head is None:
                self._head = self._load()
            return [(answer, None) for answer in self._head.answer(documents)]
        except SlmbatchError as error:
            return [(error, None) for _ in documents]
        except Exception as error:  # the rim: a bug of ours costs this row only, and is recorded there
            if len(documents) > 1:
                return [told for document in documents for told in self._answers([document])]
            log.exception("internal error", extra={"facts": {"document": documents[0].id}})
            return [(None, f"{type(error).__name__}: {error}")]


def head_loader(
    plan: TierPlan, task: RunTask, *, download: bool, embedder: Embedder | None = None
) -> Callable[[], Head]:
    """Check what can be checked at once, and return what makes the head ready.

    `embedder` is the sentence model where it's loaded already. Raises ConfigError for a head that doesn't fit the task,
    ModelError for a folder that is no head.
    """
    if isinstance(task, TriageTask):
        return _types_head(task)
    if plan.embedded:
        return _embedded_head(task)
    where = plan.spec.model
    stored = load_head(Path(where).expanduser()) if where else None
    if isinstance(task, ExtractTask):
        return _field_head(plan, task, stored)
    if plan.spec.engine == "rules":
        raise ConfigError("rules: they find fields, and can't classify.", "Leave --model out, or give head:FOLDER.")
    return _text_head(plan, task, stored, embed=lambda: embedder or sentence_model(plan.settings, download=download))


def _types_head(task: TriageTask) -> Callable[[], Head]:
    from slmbatch.heads.fields.types import TypesHead

    return lambda: TypesHead({name: one.schema for name, one in task.types.items()})


def _embedded_head(task: Task) -> Callable[[], Head]:
    from slmbatch.heads.embedded_xml import EmbeddedXml

    if not isinstance(task, ExtractTask):
        raise ConfigError("embedded-xml: it finds fields, and can't classify.", "Leave it out.")
    head = CheckedHead(EmbeddedXml(task.schema), task)
    return lambda: head


def _text_head(
    plan: TierPlan, task: ClassifyTask, stored: Stored | None, *, embed: Callable[[], Embedder]
) -> Callable[[], Head]:
    from slmbatch.heads.text.text_head import check_labels, head_of_labels, load_classifier

    if stored is not None:
        check_labels(stored, task.labels, plan.spec.model)

    def load() -> Head:
        if stored is None:
            return head_of_labels(task.labels, embed())
        return load_classifier(stored, embed(), plan.spec.model)

    return load


def _field_head(plan: TierPlan, task: ExtractTask, stored: Stored | None) -> Callable[[], Head]:
    from slmbatch.heads.fields.learned import load_fields
    from slmbatch.heads.fields.shipped import rules_head

    if stored is None and plan.spec.engine == "head":
        raise ConfigError("head: it is made out of a label file, and can't extract.", "Use rules, or head:FOLDER.")
    found = rules_head(task.schema) if stored is None else load_fields(stored, task.schema)
    return lambda: CheckedHead(found, task)


class CheckedHead:
    """A head for fields whose answers are checked against the schema, as a model's are."""

    def __init__(self, head: Head, task: ExtractTask) -> None:
        self._head = head
        self._fields = CheckedFields(task)

    @property
    def fingerprint(self) -> str:
        return self._head.fingerprint

    @property
    def batch(self) -> int:
        return self._head.batch

    @property
    def characters(self) -> int:
        return self._head.characters

    def answer(self, documents: Sequence[Document]) -> list[Answer]:
        """Answer, check, and put right what breaks a sum."""
        answers = self._head.answer(documents)
        return [self._checked(answer, document) for answer, document in zip(answers, documents, strict=True)]

    def _checked(self, told: Answer, document: Document) -> Answer:
        answer = self._fields.answer(told.leaves, told.problems, document)
        return replace(answer, warnings=(*told.warnings, *answer.warnings))


def sentence_model(settings: EngineSettings, *, download: bool) -> Embedder:
    """Load the sentence model of a head's tier: the chosen one, else the pinned one."""
    from slmbatch.heads.text.embeddings import Embedder

    return Embedder(
        embeddings_folder(settings.embeddings, download=download), threads=settings.threads or os.cpu_count() or 1
    )
