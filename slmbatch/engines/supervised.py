"""A local server under supervision: restarted when it dies, with its rows asked again, and the poison row found out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias, TypeVar

from slmbatch.chat import Completion, Request
from slmbatch.engines.child import Child, Launch
from slmbatch.engines.client import ChatClient
from slmbatch.engines.lane import Lane
from slmbatch.errors import ConnectionLost, Poisoned, TimedOut

log = logging.getLogger("slmbatch")
DEATHS = 3

Told = TypeVar("Told")
Connect: TypeAlias = Callable[[Mapping[str, str]], Awaitable[ChatClient]]


class Supervised:
    """Keep one server running and answer requests through it.

    Rows in flight when the server dies are suspects and are asked again one at a time, with nothing else in flight, so
    that a row that kills the server three times fails alone. Three deaths without a single answer in between, a
    condemned row counting as one, end the run.
    """

    def __init__(self, launch: Launch, connect: Connect) -> None:
        self._launch = launch
        self._connect = connect
        self._lane = Lane()
        self._starting = asyncio.Lock()
        self._child: Child | None = None
        self._client: ChatClient | None = None
        self._counted: Child | None = None
        self._fruitless = 0
        self._answered = 0
        self.restarts = 0

    async def start(self) -> None:
        self._child, address = await Child.start(self._launch)
        self._client = await self._connect(address)
        await self._client.open()

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
        if self._child is not None:
            await self._child.stop()

    async def complete(self, request: Request) -> Completion:
        """Answer, over up to three deaths of the server. Raises Poisoned, or EngineError when it's dead for good."""
        completion = await self.outlive(lambda client: client.complete(request))
        self._answered += 1
        self._fruitless = 0
        return completion

    async def outlive(self, ask: Callable[[ChatClient], Awaitable[Told]]) -> Told:
        """Ask the server something, over up to three deaths of it; raises as `complete` does."""
        child = None
        for death in range(DEATHS):
            async with self._lane.alone() if death else self._lane.shared():
                child, client = await self._running()
                answered = self._answered
                try:
                    return await ask(client)
                except ConnectionLost:
                    if not await child.died(self._launch.notice_s):
                        raise
                    self._count(child, alone=death > 0)
                except TimedOut:
                    if self._answered > answered:
                        raise  # others were answered meanwhile: it's this request, not the server
                    await child.kill()
                    self._count(child, alone=death > 0)
        self._fruitless += 1
        assert child is not None
        why = child.ending.what
        poisoned = Poisoned(f"{self._launch.name} died {DEATHS} times with this row in flight; the last time: {why}")
        poisoned.tries = DEATHS
        raise poisoned

    def _count(self, child: Child, *, alone: bool) -> None:
        """Count a death once, however many rows were in flight; one with a single row in flight is that row's."""
        if child is not self._counted:
            self._counted = child
            self._fruitless += not alone

    async def _running(self) -> tuple[Child, ChatClient]:
        """Return the live server, starting a new one when the last has died."""
        async with self._starting:
            assert self._child is not None and self._client is not None, "start() comes first"  # noqa: PT018
            if not self._child.alive:
                if self._fruitless >= DEATHS:
                    raise self._child.failure(f"died {DEATHS} times without answering anything")
                await self._client.close()
                await self._child.stop()  # it may be about to end, and would hold memory that the next one needs
                self.restarts += 1
                facts = {"server": self._launch.name, "why": self._child.ending.what}
                log.warning("a local server died and is started again", extra={"facts": facts})
                await self.start()
            return self._child, self._client
