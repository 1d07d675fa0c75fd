"""A tier at work: its engine, started when it is needed, and one attempt at one document."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

from slmbatch.chat import NO_USAGE
from slmbatch.engines.engine import Engine
from slmbatch.errors import EngineError
from slmbatch.run.answers import Task
from slmbatch.run.asking import Asker
from slmbatch.run.clock import BusyClock
from slmbatch.run.fieldwise import Fieldwise
from slmbatch.run.plan import TierPlan
from slmbatch.run.replies import Replies
from slmbatch.run.seeing import as_seen
from slmbatch.types import Attempt, Document


class Tier:
    """One rung of the cascade. The engine is started by the first document that needs it."""

    def __init__(
        self,
        plan: TierPlan,
        task: Task,
        *,
        engine: Engine,
        busy: BusyClock,
        fieldwise: Fieldwise | None = None,
    ) -> None:
        self.plan = plan
        self._fieldwise = fieldwise
        self.engine = engine
        self.busy = busy
        self._asker = Asker(self.engine, task, self.busy)
        self._replies = Replies(task, self.engine.capabilities, fieldwise)
        self._starting = asyncio.Lock()
        self._opened = False
        self._ready = False

    @property
    def concurrency(self) -> int:
        return self.engine.concurrency

    async def attempt(self, document: Document, before: Attempt | None = None) -> Attempt:
        """Ask this tier about one document. A request that fails is an attempt with an error, not an exception."""
        question = self._fieldwise.question(document, before) if self._fieldwise else None
        if not self._ready:
            await self.start()
        sent = await self._asker.ask(document, question, lambda one: self._replies.suffices(one, document))
        seen = {number for one in sent for number in one.seen}
        answer, kind, message = self._replies.read(sent, as_seen(document, seen), question)
        usage = sum((one.usage for one in sent), NO_USAGE)
        spared = NO_USAGE
        if self._fieldwise and question and answer:
            shown = sum(len(one.shown) for one in sent)
            text = replace(usage, input_tokens=max(0, usage.input_tokens - sum(one.seen_tokens for one in sent)))
            spared = self._fieldwise.spared(question, text, answer, shown=shown, whole=max(len(document.text), shown))
        return Attempt(
            self.plan.name,
            answer,
            usage=usage,
            usd=sum((one.usd for one in sent), Decimal(0)),
            seconds=sum(one.seconds for one in sent),
            requests=sum(one.requests for one in sent),
            truncated=question is None and all(one.piece is None for one in sent),
            error_kind=kind,
            error=message,
            asked=() if question is None else question.asked,
            spared=spared,
        )

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
            await self._asker.measure(self.plan.name)
            self._ready = True
