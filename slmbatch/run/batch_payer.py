"""Pays for requests through a provider's batch endpoint: gathers them, sends them together, fetches what they came to.

Everything is in the ledger before it happens, so that a killed run's batches are fetched by the next one and nothing is
sent twice: the requests and the batch's name before it's sent, the provider's id before anything else is done with it.
What a batch leaves unanswered goes into the next one, and is asked online when time is up.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeAlias

from slmbatch.engines.batches import BatchEndpoint, BatchItem, BatchState
from slmbatch.engines.wire import RETRIED, HttpWire, Reply
from slmbatch.errors import EngineError, Forbidden, RequestError, SlmbatchError
from slmbatch.money.prices import Price, from_pico
from slmbatch.run.metered_wire import OnlinePayer
from slmbatch.run.purse import Purse
from slmbatch.run.settling import billed, failed, in_doubt, not_billed
from slmbatch.store.entries import BatchClosed, BatchNamed, BatchSent, OpenBatch, Reservation, Settlement

log = logging.getLogger("slmbatch")
ROUNDS = 5  # batches that one request goes into before it's asked online
SUBMIT_WAITS_S = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
SLOWEST_POLL = 20  # times the first wait
LOST_POLLS = 20  # in a row that failed
SETTLED_AT_ONCE = 500
Outcome: TypeAlias = Reply | SlmbatchError | None  # None: not carried out


@dataclass(frozen=True, slots=True)
class BatchTiming:
    """When batches are sent and how long they are waited for, in seconds.

    `gather_s` without a new request closes a batch, as `rows` do that wait; it's polled after `poll_s`, then ever more
    rarely. After `wait_s` a batch is cancelled and what is left asked online; None waits for as long as it takes.
    """

    rows: int
    gather_s: float
    poll_s: float
    wait_s: float | None


@dataclass(eq=False, slots=True)
class Waiting:
    """A request in a batch."""

    reservation: Reservation
    entry: bytes = b""
    answer: asyncio.Future[Outcome] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def tell(self, outcome: Outcome) -> None:
        if not self.answer.done():
            self.answer.set_result(outcome)


class BatchPayer:
    """Pays for requests of one tier in batches."""

    def __init__(
        self,
        wire: HttpWire,
        purse: Purse,
        *,
        tier: str,
        price: Price,
        endpoint: BatchEndpoint,
        timing: BatchTiming,
        online: OnlinePayer,
    ) -> None:
        self._wire = wire
        self._purse = purse
        self._tier = tier
        self._price = price
        self._endpoint = endpoint
        self._timing = timing
        self._online = online
        self._gathered: list[Waiting] = []
        self._size = 0
        self._asking = 0
        self._linger: asyncio.TimerHandle | None = None
        self._left: dict[bytes, Waiting] = {}  # by key: in batches that earlier sessions sent
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Go on with the batches that earlier sessions left at the provider."""
        for batch in self._purse.open_batches(self._tier):
            waiting = [Waiting(reservation) for reservation in batch.reservations]
            self._left |= {one.reservation.key: one for one in waiting}
            self._start(self._go_on(batch, waiting), waiting)

    async def close(self) -> None:
        """Stop waiting. Batches stay at the provider, for the next session; what was only gathered was never sent."""
        if self._linger is not None:
            self._linger.cancel()
        for one in self._gathered:
            self._purse.settle_soon(one.reservation, not_billed(one.reservation))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def pay(self, key: bytes, body: bytes, max_tokens: int) -> Reply:
        """Wait for the batch that answers this request. Raises what it ended with."""
        began = time.time()
        self._asking += 1
        try:
            for _ in range(ROUNDS):
                waiting = self._left.pop(key, None) or await self._gather(key, body, max_tokens)
                outcome = await asyncio.shield(waiting.answer)
                if isinstance(outcome, SlmbatchError):
                    raise outcome
                if outcome is not None:
                    return outcome
                if self._late(began):
                    break
        finally:
            self._asking -= 1
        return await self._online.pay(key, body, max_tokens)

    async def _gather(self, key: bytes, body: bytes, max_tokens: int) -> Waiting:
        worst = self._price.worst(input_tokens=len(body), output_tokens=max_tokens)
        reservation = await self._purse.reserve(key, self._tier, worst, batched=True)
        waiting = Waiting(reservation, body)
        limits = self._endpoint.limits
        if self._size + len(body) > limits.size:
            self._send()
        self._gathered.append(waiting)
        self._size += len(body)
        if len(self._gathered) >= limits.requests or self._asking >= self._timing.rows:
            self._send()
        else:
            self._linger_on()
        return waiting

    def _linger_on(self) -> None:
        if self._linger is not None:
            self._linger.cancel()
        self._linger = asyncio.get_running_loop().call_later(self._timing.gather_s, self._send)

    def _send(self) -> None:
        if self._linger is not None:
            self._linger.cancel()
        waiting, self._gathered, self._size = self._gathered, [], 0
        if waiting:
            self._start(self._carry(secrets.token_hex(8), waiting), waiting)

    def _start(self, work, waiting: Sequence[Waiting]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
