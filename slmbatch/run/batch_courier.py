"""Carries batches to a provider and their answers into the ledger.

The ledger is written before anything happens, so that a killed run's batches are fetched by the next one and nothing is
sent twice: the batch's name and its requests before it's sent, the provider's id before anything else is done with it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from math import inf
from typing import TypeVar

from slmbatch.engines.batches import BatchEndpoint, BatchItem, BatchState
from slmbatch.engines.wire import RETRIED, HttpWire
from slmbatch.errors import EngineError, RequestError
from slmbatch.money.prices import Price, from_pico
from slmbatch.run.batch_waiting import Outcome, Undone, Waiting, told
from slmbatch.run.purse import Purse
from slmbatch.run.settling import billed, failed, in_doubt, not_billed
from slmbatch.store.entries import BatchClosed, BatchNamed, BatchSent, OpenBatch

log = logging.getLogger("slmbatch")
TRIES, FIRST_WAIT_S = 7, 1.0  # to send a batch; each wait is twice the one before
LOST_POLLS = 30  # in a row
SLOWEST_POLL = 20  # times the first wait
SETTLED_AT_ONCE = 500
FORGET_S = 30.0
SMALLEST = 100  # requests: a crowded provider is sent ever smaller batches, down to this
GONE = frozenset({404, 410})
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """`poll_s` is the first wait for a batch, later ones are longer; after `wait_s`, if given, it's cancelled.

    Of a batch whose sending was never answered, the provider is believed that it has none `lost_s` after it was sent.
    """

    poll_s: float
    wait_s: float | None
    lost_s: float


class BatchCourier:
    """Carries the batches of one tier. `most` is how many requests the next one should hold at most."""

    def __init__(
        self, wire: HttpWire, purse: Purse, endpoint: BatchEndpoint, *, tier: str, price: Price, patience: Patience
    ) -> None:
        self._wire = wire
        self._purse = purse
        self._endpoint = endpoint
        self._tier = tier
        self._price = price
        self._patience = patience
        self.most = endpoint.limits.requests
        self._one_by_one: asyncio.Lock | None = None  # how a provider that was crowded is sent batches

    def late(self, began: float) -> bool:
        """Whether what was first sent at this Unix time has waited for too long."""
        return self._patience.wait_s is not None and time.time() >= began + self._patience.wait_s

    def _left_s(self, sent_at: float) -> float:
        """Seconds until a batch is late, and never so few that it's looked at all the time."""
        if self._patience.wait_s is None or self.late(sent_at):
            return inf
        return max(self._patience.poll_s / 10, sent_at + self._patience.wait_s - time.time())

    async def carry(self, name: str, waiting: Sequence[Waiting]) -> None:
        """Send a batch and fetch its answers. Every request is told its outcome, whatever happens."""
        ids = tuple(one.reservation.id for one in waiting)
        async with told(waiting, self._tier), self._one_by_one or nullcontext():
            sent_at = time.time()
            await self._purse.note(BatchSent(name, self._tier, ids, sent_at))
            entries = [self._endpoint.entry(_id(name, one), one.body) for one in waiting]
            for one in waiting:
                one.body = b""
            provider_id = await self._submit(name, entries, sent_at, waiting)
            await self._purse.note(BatchNamed(name, provider_id))
            self._tell_log("batch sent", batch=provider_id, requests=len(waiting))
            await self._fetch(name, provider_id, sent_at, waiting)

    async def go_on(self, batch: OpenBatch, waiting: Sequence[Waiting]) -> None:
        """Fetch the answers of a batch that an earlier session sent, or find that it was never sent."""
        async with told(waiting, self._tier):
            found = batch.provider_id or await self._find(batch.name, len(waiting), batch.sent_at)
            if found is None:
                await self._close(batch.name, waiting, billed=False)
            else:
                await self._purse.note(BatchNamed(batch.name, found))
                await self._fetch(batch.name, found, batch.sent_at, waiting)

    async def _submit(self, name: str, entries: Sequence[bytes], sent_at: float, waiting: Sequence[Waiting]) -> str:
        """Send, and send again only what the provider didn't get; returns its id.

        A batch that was refused outright is closed; one that may have got there stays open, for the next session.
        """
        for attempt in range(TRIES):
            try:
                if attempt and (found := await self._find(name, len(entries), sent_at)):
                    return found
                return await self._endpoint.submit(self._wire, name, entries)
            except RequestError as error:
                if not attempt and not error.passing:
                    await self._close(name, waiting, billed=False)
                if not error.passing or attempt == TRIES - 1:
                    raise
                await asyncio.sleep(FIRST_WAIT_S * 2**attempt if error.wait_s is None else error.wait_s)
        raise AssertionError("the last try returns or raises")

    async def _find(self, name: str, count: int, sent_at: float) -> str | None:
        """Return the provider's id of a batch that was sent, or None if it never got there."""
        while True:
            found = await self._patiently(lambda: self._endpoint.find(self._wire, name, count, sent_at))
            if found is None:
                if time.time() >= sent_at + self._patience.lost_s:
                    return None
                await asyncio.sleep(self._patience.poll_s)
            elif self._endpoint.named or await self._ours(name, found):
                return found

    async def _ours(self, name: str, provider_id: str) -> bool:
        """Wait for a batch that may be somebody else's, and look at the ids in its results."""
        await self._end(provider_id, sent_at=None)
        items = await self._patiently(lambda: self._items(provider_id))
        return any(item.id.startswith(f"{name}-") for item in items)

    async def _fetch(self, name: str, provider_id: str, sent_at: float, waiting: Sequence[Waiting]) -> None:
        """Wait for the batch's end, and settle what it came to."""
        try:
            state = await self._end(provider_id, sent_at)
            items = await self._patiently(lambda: self._items(provider_id))
        except RequestError as error:
            if error.status not in GONE:
                raise
            self._tell_log("a batch is gone", batch=provider_id, requests=len(waiting))
            await self._close(name, waiting, billed=True)
            return
        if state.refused is not None:
            await self._close(name, waiting, billed=False)
            await self._refused(state, waiting)
            return
        left = {_id(name, one): one for one in waiting}
        found = [(one, item) for item in items if (one := left.pop(item.id, None)) is not None]
        outcomes: list[Outcome] = []
        for start in range(0, len(found), SETTLED_AT_ONCE):
            some = found[start : start + SETTLED_AT_ONCE]
            outcomes += await asyncio.gather(*(self._settle(one, item) for one, item in some))
        await self._close(name, list(left.values()), billed=state.complete)  # it was to hold every request, and doesn't
        self._tell_log("batch fetched", batch=provider_id, requests=len(waiting), results=len(found))
        with suppress(RequestError, TimeoutError):
            await asyncio.wait_for(self._endpoint.forget(self._wire, provider_id), FORGET_S)
        for (one, _), outcome in zip(found, outcomes, strict=True):  # last: the run may end with the last answer
            one.tell(outcome)

    async def _end(self, provider_id: str, sent_at: float | None) -> BatchState:
        """Wait until the batch has ended; cancel it when it's late (never without `sent_at`: it may not be ours)."""
        wait_s, cancelled = self._patience.poll_s, False
        while True:
            state = await self._patiently(lambda: self._endpoint.state(self._wire, provider_id))
            if state.ended:
                return state
            if sent_at is not None and self.late(sent_at) and not cancelled:
                with suppress(RequestError):  # it may have ended this moment; else the next look tries again
                    await self._endpoint.cancel(self._wire, provider_id)
                    cancelled = True
            await asyncio.sleep(wait_s if sent_at is None else min(wait_s, self._left_s(sent_at)))
            wait_s = min(1.5 * wait_s, SLOWEST_POLL * self._patience.poll_s)

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call until the provider answers. Raises what doesn't pass."""
        for _ in range(LOST_POLLS):
            try:
                return await call()
            except RequestError as error:
                if not error.passing:
                    raise
                lost = error
                await asyncio.sleep(self._patience.poll_s if error.wait_s is None else error.wait_s)
        raise lost

    async def _items(self, provider_id: str) -> list[BatchItem]:
        return [item async for item in self._endpoint.results(self._wire, provider_id)]

    async def _settle(self, one: Waiting, item: BatchItem) -> Outcome:
        """Write down one result, and return it. What an earlier run has sent costs this one nothing."""
        outcome: Outcome = Undone.LEFT
        settlement = not_billed(one.reservation)
        if item.status is not None and item.status not in RETRIED:
            try:
                reply = self._wire.read(item.status, item.content)
            except RequestError as error:
                settlement = failed(one.reservation, self._price, error)
                error.usd = from_pico(settlement.spent) if one.reservation.here else Decimal(0)
                outcome = error
            else:
                settlement = billed(one.reservation, self._price, reply.completion.usage, reply.content)
                outcome = replace(reply, usd=from_pico(settlement.spent) if one.reservation.here else Decimal(0))
        await self._purse.settle(one.reservation, settlement)
        return outcome

    async def _refused(self, state: BatchState, waiting: Sequence[Waiting]) -> None:
        """The provider took nothing. Where that's for lack of room, smaller batches go there one after another."""
        if not state.crowded:
            raise EngineError(f"{self._tier}: the batch was refused: {state.refused}", "Run without --batch.")
        self.most = min(self.most, max(SMALLEST, len(waiting) // 2))
        self._one_by_one = self._one_by_one or asyncio.Lock()
        await asyncio.sleep(self._patience.poll_s)
        for one in waiting:
            one.tell(Undone.CROWDED)

    async def _close(self, name: str, waiting: Sequence[Waiting], *, billed: bool) -> None:
        """Nothing more will come of a batch: what has no result wasn't carried out, or may have been `billed`."""
        ending = in_doubt if billed else not_billed
        await asyncio.gather(*(self._purse.settle(one.reservation, ending(one.reservation)) for one in waiting))
        await self._purse.note(BatchClosed(name))

    def _tell_log(self, what: str, **facts: object) -> None:
        log.info(what, extra={"facts": {"tier": self._tier, **facts}})


def _id(name: str, one: Waiting) -> str:
    return f"{name}-{one.reservation.id}"
