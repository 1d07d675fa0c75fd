"""One engine for several tasks: started by the first that asks, closed once."""

from __future__ import annotations

import asyncio

from slmbatch.chat import Capabilities, Completion, Request
from slmbatch.engines.engine import Engine
from slmbatch.errors import EngineError


class SharedEngine:
    """An engine, as each task's tier knows it; together they have no more requests under way than it likes."""

    def __init__(self, engine: Engine, name: str) -> None:
        """`name` is the tier's, for errors."""
        self._engine = engine
        self._name = name
        self._places = asyncio.Semaphore(engine.concurrency)
        self._starting = asyncio.Lock()
        self._opened = False
        self._ready = False

    @property
    def capabilities(self) -> Capabilities:
        return self._engine.capabilities

    @property
    def concurrency(self) -> int:
        return self._engine.concurrency

    async def start(self) -> None:
        """Start it, unless it runs. Raises EngineError or ModelError when that can't be, and isn't tried again then."""
        async with self._starting:
            if self._ready:
                return
            if self._opened:
                raise EngineError(f"{self._name} could not be started.")
            self._opened = True
            await self._engine.start()
            self._ready = True

    async def complete(self, request: Request) -> Completion:
        """Answer one request, as the engine does."""
        async with self._places:
            return await self._engine.complete(request)

    async def count(self, text: str) -> int | None:
        """Return the number of tokens of `text`, or None where the engine has no tokenizer."""
        return await self._engine.count(text)

    async def cut(self, text: str, tokens: int) -> str:
        """Return the longest beginning of `text` of at most `tokens` tokens; `text` itself where that is unknown."""
        return await self._engine.cut(text, tokens)

    async def close(self) -> None:
        """Close it, where it was opened and isn't closed yet."""
        if self._opened:
            self._opened = self._ready = False
            await self._engine.close()
