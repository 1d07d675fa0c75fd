"""A tier at work: its engine, its limit of concurrent requests, and one attempt at one document."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

from slmbatch.chat import NO_USAGE, Completion, Request
from slmbatch.engines.loaders import load_engine
from slmbatch.engines.wire import Meter
from slmbatch.errors import ConfigError, EngineError, RequestError
from slmbatch.run.answers import Task, answer_reader
from slmbatch.run.clock import BusyClock
from slmbatch.run.fieldwise import Fieldwise, Question
from slmbatch.run.plan import TierPlan
from slmbatch.types import Answer, Attempt, Document

log = logging.getLogger("slmbatch")
EXCERPT = 80  # characters of a reply that go into an error
TEMPLATE_TOKENS = 64  # what a chat template adds around two messages
CHARACTERS_PER_TOKEN = 2  # of what failed: few, so that the room for it suffices
LEAST_ROOM_TOKENS = 64  # a prompt that leaves less than this for the text is a configuration error


class Tier:
    """One rung of the cascade. The engine is started by the first document that needs it."""

    def __init__(
        self,
        plan: TierPlan,
        task: Task,
        *,
        log: Path,
        download: bool,
        meter: Meter | None = None,
        fieldwise: Fieldwise | None = None,
    ) -> None:
        self.plan = plan
        self._fieldwise = fieldwise
        self.engine = load_engine(plan.spec, plan.settings, log=log, download=download, meter=meter)
        self.busy = BusyClock()
        self._task = task
        self._reader = answer_reader(task, self.engine.capabilities)
        self._places = asyncio.Semaphore(self.engine.concurrency)
        self._starting = asyncio.Lock()
        self._opened = False
        self._ready = False
        self._room: int | None = None

    @property
    def concurrency(self) -> int:
        return self.engine.concurrency

    async def attempt(self, document: Document, before: Attempt | None = None) -> Attempt:
        """Ask this tier about one document. A request that fails is an attempt with an error, not an exception."""
        question = self._fieldwise.question(document, before) if self._fieldwise else None
        asked = () if question is None else question.asked
        async with self._places:
            if not self._ready:
                await self.start()
            started = time.monotonic()
            try:
                with self.busy:
                    shown = await self._fitted(document.text if question is None else question.text, question)
                    completion = await self.engine.complete(self._request(shown, question))
            except RequestError as error:
                return Attempt(
                    self.plan.name,
                    None,
                    usage=error.billed,
                    usd=error.usd,
                    seconds=time.monotonic() - started,
                    requests=error.tries,
                    error_kind=error.kind,
                    error=error.message,
                    asked=asked,
                )
            seconds = time.monotonic() - started
        answer, kind, message = self._read(completion, document, question)
        spared = NO_USAGE
        if self._fieldwise and question and answer:
            whole = await self._fitted(document.text, None)
            spared = self._fieldwise.spared(question, completion.usage, answer, shown=shown, whole=whole)
        return Attempt(
            self.plan.name,
            answer,
            usage=completion.usage,
            usd=completion.usd,
            seconds=seconds,
            requests=completion.tries,
            truncated=len(shown) < len(document.text if question is None else question.text),
            error_kind=kind,
            error=message,
            asked=asked,
            spared=spared,
        )

    def _request(self, text: str, question: Question | None) -> Request:
        told = self.engine.capabilities
        return self._task.request(text, told) if question is None else question.request(text, told)

    def _read(
        self, completion: Completion, document: Document, question: Question | None
    ) -> tuple[Answer | None, str | None, str | None]:
        """Return the answer, or None with the error's kind and message. What was paid stays in the attempt."""
        try:
            if self._fieldwise and question:
                answer = self._fieldwise.read(question, completion, document, self.engine.capabilities)
            else:
                answer = self._reader.read(completion, document)
        except Exception as error:  # the rim: a bug of ours costs this attempt only, and is recorded in its row
            log.exception("internal error", extra={"facts": {"document": document.id}})
            return None, "internal", f"{type(error).__name__}: {error}"
        if answer is None and completion.cut_short:
            return None, "cut_short", f"the reply breaks off before it answers: {completion.text[:EXCERPT]!r}"
        if answer is None:
            return None, "unusable_reply", f"the reply answers nothing: {completion.text[:EXCERPT]!r}"
        return answer, None, None

    async def close(self) -> None:
        if self._opened:
            await self.engine.close()

    async def start(self) -> None:
        """Start the engine; the first document does, where nobody else has."""
        async with self._starting:
            if self._ready:
                return
            if self._opened:  # starting failed once: it ends the run, and isn't tried again by rows that waited
                raise EngineError(f"{self.plan.name} could not be started.")
            self._opened = True  # from here on there's something to close
            await self.engine.start()
            context = self.engine.capabilities.context_tokens
            try:
                fixed = await self.engine.count(self._task.instructions)
            except RequestError as error:
                remedy = "Mend that; the same command goes on."
                raise EngineError(f"{self.plan.name} can't count tokens: {error.message}", remedy) from error
            if context is not None and fixed is not None:
                self._room = context - fixed - self._task.max_tokens - TEMPLATE_TOKENS
                if self._room < LEAST_ROOM_TOKENS:
                    raise ConfigError(
                        f"{self.plan.name}: instructions ({fixed} tokens) and reply ({self._task.max_tokens}) leave no "
                        f"room for a text in a context of {context} tokens.",
                        "Raise context_tokens in the tier's table, or ask for fewer labels or fields.",
                    )
            self._ready = True

    async def _fitted(self, text: str, question: Question | None) -> str:
        """Cut a text that is longer than the context has room for: its beginning is kept."""
        if self._room is None:
            return text
        noted = 0 if question is None else sum(map(len, question.failed)) // CHARACTERS_PER_TOKEN
        return await self.engine.cut(text, max(self._room - noted, LEAST_ROOM_TOKENS // 2))
