"""A tier at work: its engine, its limit of concurrent requests, and one attempt at one document."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from slmbatch.engines.loaders import load_engine
from slmbatch.errors import ConfigError, RequestError
from slmbatch.run.answers import Task, answer_reader
from slmbatch.run.plan import TierPlan
from slmbatch.types import Attempt, Document

TEMPLATE_TOKENS = 64  # what a chat template adds around two messages
LEAST_ROOM_TOKENS = 64  # a prompt that leaves less than this for the text is a configuration error


class BusyClock:
    """Seconds in which at least one request was under way."""

    def __init__(self) -> None:
        self._under_way = 0
        self._since = 0.0
        self._sum = 0.0

    def __enter__(self) -> None:
        if not self._under_way:
            self._since = time.monotonic()
        self._under_way += 1

    def __exit__(self, *_: object) -> None:
        self._under_way -= 1
        if not self._under_way:
            self._sum += time.monotonic() - self._since

    @property
    def seconds(self) -> float:
        running = time.monotonic() - self._since if self._under_way else 0.0
        return self._sum + running


class Tier:
    """One rung of the cascade. The engine is started by the first document that needs it."""

    def __init__(self, plan: TierPlan, task: Task, *, log: Path, download: bool) -> None:
        self.plan = plan
        self.engine = load_engine(plan.spec, plan.settings, log=log, download=download)
        self.busy = BusyClock()
        self._task = task
        self._reader = answer_reader(task, self.engine.capabilities)
        self._places = asyncio.Semaphore(self.engine.concurrency)
        self._starting = asyncio.Lock()
        self._opened = False
        self._ready = False
        self._room: int | None = None

    async def attempt(self, document: Document) -> Attempt:
        """Ask this tier about one document. A request that fails is an attempt with an error, not an exception."""
        async with self._places:
            if not self._ready:
                await self._start()
            started = time.monotonic()
            try:
                with self.busy:
                    text = await self._fitted(document.text)
                    completion = await self.engine.complete(self._task.request(text, self.engine.capabilities))
            except RequestError as error:
                return Attempt(
                    self.plan.name,
                    None,
                    seconds=time.monotonic() - started,
                    requests=error.tries,
                    error_kind=error.kind,
                    error=error.message,
                )
            seconds = time.monotonic() - started
        answer = self._reader.read(completion, document)
        return Attempt(
            self.plan.name,
            answer,
            usage=completion.usage,
            usd=self.plan.price.of_usage(completion.usage),
            seconds=seconds,
            requests=completion.tries,
            truncated=len(text) < len(document.text),
            error_kind=None if answer else "unusable_reply",
            error=None if answer else f"the reply answers nothing: {completion.text[:80]!r}",
        )

    async def close(self) -> None:
        if self._opened:
            await self.engine.close()

    async def _start(self) -> None:
        async with self._starting:
            if self._ready:
                return
            self._opened = True  # from here on there's something to close
            await self.engine.start()
            context = self.engine.capabilities.context_tokens
            fixed = await self.engine.count(self._task.instructions)
            if context is not None and fixed is not None:
                self._room = context - fixed - self._task.max_tokens - TEMPLATE_TOKENS
                if self._room < LEAST_ROOM_TOKENS:
                    raise ConfigError(
                        f"{self.plan.name}: instructions ({fixed} tokens) and reply ({self._task.max_tokens}) leave no "
                        f"room for a text in a context of {context} tokens.",
                        "Raise context_tokens in the tier's table, or ask for fewer labels or fields.",
                    )
            self._ready = True

    async def _fitted(self, text: str) -> str:
        """Cut a text that is longer than the context has room for: its beginning is kept."""
        return text if self._room is None else await self.engine.cut(text, self._room)
