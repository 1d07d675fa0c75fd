"""The run's money: what is set aside for a request, what was spent, both in the ledger before anything goes on.

Entries that come together share a commit.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import count

from slmbatch.errors import OverBudget, SlmbatchError
from slmbatch.money.budget import Budget
from slmbatch.money.prices import from_pico, to_pico
from slmbatch.store.entries import (
    BatchClosed,
    BatchNamed,
    BatchSent,
    Entry,
    OpenBatch,
    Paid,
    Reservation,
    Settlement,
    State,
)
from slmbatch.store.ledger import Ledger


class Purse:
    """Shared by all paid tiers of a run. `max_usd` None is no cap."""

    def __init__(self, max_usd: Decimal | None) -> None:
        self._budget = Budget(None if max_usd is None else int(max_usd.scaleb(12)))
        self._freed = asyncio.Condition()
        self._thread = ThreadPoolExecutor(1, "ledger")
        self._entries: list[tuple[Entry, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._ledger: Ledger | None = None
        self._ids = count(1)

    def open(self, ledger: Ledger) -> None:
        """Go on with what this run's earlier sessions have spent. Needed before anything is reserved."""
        self._ledger = ledger
        self._budget.spent = ledger.spent()
        self._ids = count(ledger.last_id() + 1)

    async def reserve(self, key: bytes, tier: str, usd: Decimal, *, batched: bool = False) -> Reservation:
        """Set money aside and write it down. Waits for what is on its way; raises OverBudget if it can't fit."""
        worst = to_pico(usd)
        if not self._budget.fits(worst):
            async with self._freed:
                await self._freed.wait_for(lambda: self._budget.fits(worst) or self._budget.hopeless(worst))
        if not self._budget.fits(worst):
            raise OverBudget(f"it may cost {usd:.6f} USD, and --max-usd leaves {from_pico(self._budget.left):.6f}")
        self._budget.reserve(worst)
        reservation = Reservation(next(self._ids), key, tier, worst, batched)
        try:
            await self._queue(reservation)
        except BaseException:  # nothing was sent
            self.settle_soon(reservation, Settlement(reservation.id, State.NOT_BILLED))
            raise
        return reservation

    async def settle(self, reservation: Reservation, settlement: Settlement) -> None:
        """Write down what became of a request, and give back what it didn't cost."""
        self._budget.settle(reservation.worst, settlement.spent)
        await self._queue(settlement)
        async with self._freed:
            self._freed.notify_all()

    def settle_soon(self, reservation: Reservation, settlement: Settlement) -> None:
        """The same from where nothing can be waited for: a request that is being cancelled. `close` writes it."""
        self._budget.settle(reservation.worst, settlement.spent)
        self._queue(settlement).cancel()  # nobody waits to be told

    async def note(self, entry: BatchSent | BatchNamed | BatchClosed) -> None:
        """Write down how a batch stands."""
        await self._queue(entry)

    def open_batches(self, tier: str) -> list[OpenBatch]:
        """Return the batches of a tier that earlier sessions left at the provider."""
        assert self._ledger is not None, "open() comes first"
        return self._ledger.open_batches(tier)

    @property
    def spent(self) -> int:
        """What this run has spent so far, in 1e-12 USD."""
        return self._budget.spent

    def recall(self, key: bytes) -> Paid | None:
        """Return the answer to this request, if it was ever paid for in this folder."""
        assert self._ledger is not None, "open() comes first"
        return self._ledger.recall(key)

    async def close(self) -> None:
        """Write down what is left."""
        if self._writer is not None:
            await self._writer
        self._thread.shutdown()
        if self._ledger is not None:
            self._ledger.close()

    def _queue(self, entry: Entry) -> asyncio.Future[None]:
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._entries.append((entry, written))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        return written

    async def _write(self) -> None:
        """Commit whatever has come together, until nothing waits."""
        assert self._ledger is not None, "open() comes first"
        loop = asyncio.get_running_loop()
        while self._entries:
            waiting, self._entries = self._entries, []
            try:
                await loop.run_in_executor(self._thread, self._ledger.write, [entry for entry, _ in waiting])
            except SlmbatchError as error:
                _tell(waiting, error)
            else:
                _tell(waiting, None)
        self._writer = None


def _tell(waiting: list[tuple[Entry, asyncio.Future[None]]], error: SlmbatchError | None) -> None:
    for _, written in waiting:
        if written.done():  # cancelled
            continue
        if error is None:
            written.set_result(None)
        else:
            written.set_exception(error)
