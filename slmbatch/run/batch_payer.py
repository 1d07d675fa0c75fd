"""Pays for requests through a provider's batch endpoint: gathers them, has them carried, waits for the answers."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Coroutine
from dataclasses import dataclass

from slmbatch.engines.wire import Reply
from slmbatch.errors import SlmbatchError
from slmbatch.money.prices import Price
from slmbatch.run.batch_courier import BatchCourier
from slmbatch.run.batch_waiting import Undone, Waiting
from slmbatch.run.metered_wire import OnlinePayer
from slmbatch.run.purse import Purse
from slmbatch.run.settling import not_billed, worst_case

ROUNDS = 5  # batches that one request goes into before it's asked online


@dataclass(frozen=True, slots=True)
class Gathering:
    """When a batch is sent: as soon as it is full, as `rows` requests wait, or no new one came for `quiet_s` seconds.

    `size` is the most bytes that it may hold.
    """

    size: int
    rows: int
    quiet_s: float


class BatchPayer:
    """Pays for requests of one tier in batches; what these leave unanswered in time is asked `online`.

    Without `gathering` only what earlier sessions have sent is fetched, and everything else asked online.
    """

    def __init__(
        self,
        purse: Purse,
        *,
        tier: str,
        price: Price,
        gathering: Gathering | None,
        courier: BatchCourier,
        online: OnlinePayer,
        places: int,
    ) -> None:
        self._purse = purse
        self._tier = tier
        self._price = price
        self._gathering = gathering
        self._courier = courier
        self._online = online
        self._places = asyncio.Semaphore(places)  # of requests that are asked online
        self._gathered: list[Waiting] = []
        self._size = 0
        self._waiting = 0  # requests, gathered or in batches
        self._quiet: asyncio.TimerHandle | None = None
        self._left: dict[bytes, Waiting] = {}  # by key: in batches that earlier sessions sent
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Go on with the batches that earlier sessions left at the provider."""
        for batch in self._purse.open_batches(self._tier):
            waiting = [Waiting(reservation) for reservation in batch.reservations]
            self._left |= {one.reservation.key: one for one in waiting}
            self._start(self._courier.go_on(batch, waiting))

    async def close(self) -> None:
        """Stop waiting. Batches stay at the provider, for the next session; what was only gathered was never sent."""
        self._stop_timer()
        for one in self._gathered:
            self._purse.settle_soon(one.reservation, not_billed(one.reservation))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def pay(self, key: bytes, body: bytes, max_tokens: int) -> Reply:
        """Wait for the batch that answers this request. Raises what it ended with."""
        began, rounds = time.time(), 0
        while (self._gathering or key in self._left) and rounds < ROUNDS and not (rounds and self._courier.late(began)):
            waiting = self._left.pop(key, None) or await self._reserve(key, body, max_tokens)
            self._waiting += 1
            if waiting.body:
                self._gather(waiting)
            try:
                outcome = await asyncio.shield(waiting.answer)
            finally:
                self._waiting -= 1
            if isinstance(outcome, SlmbatchError):
                raise outcome
            if isinstance(outcome, Reply):
                return outcome
            rounds += outcome is Undone.LEFT or self._courier.late(began)
        async with self._places:
            return await self._online.pay(key, body, max_tokens)

    async def _reserve(self, key: bytes, body: bytes, max_tokens: int) -> Waiting:
        worst = worst_case(self._price, body, max_tokens)
        reservation = await self._purse.reserve(key, self._tier, worst, batched=True)
        return Waiting(reservation, body)

    def _gather(self, waiting: Waiting) -> None:
        """Lay a request to the others, and send them all when it's time."""
        assert self._gathering is not None
        if self._size + len(waiting.body) > self._gathering.size:
            self._send()
        self._gathered.append(waiting)
        self._size += len(waiting.body)
        if len(self._gathered) >= self._courier.most or self._waiting >= self._gathering.rows:
            self._send()
        else:
            self._stop_timer()
            self._quiet = asyncio.get_running_loop().call_later(self._gathering.quiet_s, self._send)

    def _stop_timer(self) -> None:
        if self._quiet is not None:
            self._quiet.cancel()

    def _send(self) -> None:
        self._stop_timer()
        waiting, self._gathered, self._size = self._gathered, [], 0
        if waiting:
            self._start(self._courier.carry(secrets.token_hex(8), waiting))

    def _start(self, carrying: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(carrying)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
