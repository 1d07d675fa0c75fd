"""Who may use a local engine at the same time: everybody, or one suspect alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Lane:
    """Shared use for ordinary requests, exclusive use for a request that may be what kills the engine.

    Whoever waits for exclusive use holds back new shared users, so that it comes to its turn.
    """

    def __init__(self) -> None:
        self._users = 0
        self._suspects = 0
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        if self._suspects:
            async with self._changed:
                await self._changed.wait_for(lambda: not self._suspects)
        self._users += 1
        try:
            yield
        finally:
            await self._leave()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        self._suspects += 1
        try:
            async with self._changed:
                await self._changed.wait_for(lambda: not self._users)
                self._users += 1
        except BaseException:
            self._suspects -= 1
            raise
        try:
            yield
        finally:
            self._suspects -= 1
            await self._leave()

    async def _leave(self) -> None:
        self._users -= 1
        if not self._users or not self._suspects:
            async with self._changed:
                self._changed.notify_all()
