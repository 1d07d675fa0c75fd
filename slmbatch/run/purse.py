"""The run's money: what is set aside for a request, what was spent, both in the ledger before anything goes on.

Entries that come together share a commit.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import count

from slmbatch.errors import EngineError, OverBudget
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
    Tried,
)
from slmbatch.store.ledger import Ledger

log = logging.getLogger("slmbatch")


class Purse:
    """Shared by all paid tiers of a run. `max_usd` None is no cap."""

    def __init__(self, max_usd: Decimal | None) -> None:
        self._budget = Budget(None if max_usd is None else int(max_usd.scaleb(12)))
        self._gate = asyncio.Lock()  # held by whoever is next to be given room
        self._freed = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "ledger")
        self._entries: list[tuple[Entry, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._ledger: Ledger | None = None
        self._ids = count(1)
        self._overcharged: str | None = None  # a tier whose server counts more than it can have used

    def open(self, ledger: Ledger) -> None:
        """Go on with what this run's earlier sessions have spent, and what lies in batches that they sent.

        Needed before anything is reserved.
        """
        self._ledger = ledger
        self._budget.spent = ledger.spent()
        self._budget.reserved = ledger.reserved()
        self._ids = count(ledger.last_id() + 1)

    async def reserve(self, key: bytes, tier: str, usd: Decimal, *, batched: bool = False) -> Reservation:
        """Set money aside and write it down. Waits for what is on its way; raises OverBudget if it can't fit."""
        worst = to_pico(usd)
        if self._overcharged is not None and self._budget.cap is not None:
            raise EngineError(
                f"{self._overcharged}: a reply cost more than is possible for its request: --max-usd can't be kept.",
                "Look at the tokens it counts in cost.parquet; to go on all the same, run without --max-usd.",
            )
        async with self._gate:
            while not self._budget.fits(worst):
                if self._budget.hopeless(worst):
                    left = from_pico(self._budget.left)
                    raise OverBudget(f"it may cost {usd:.6f} USD, and --max-usd leaves {left:.6f}")
                self._freed.clear()
                await self._freed.wait()
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
        self._give_back(reservation, settlement)
        await self._queue(settlement)

    def settle_soon(self, reservation: Reservation, settlement: Settlement) -> None:
        """The same from where nothing can be waited for: a request that is being cancelled. `close` writes it."""
        self._give_back(reservation, settlement)
        self._queue(settlement).cancel()  # nobody waits to be told

    def _give_back(self, reservation: Reservation, settlement: Settlement) -> None:
        if reservation.here:  # else an earlier run's budget has paid
            self._budget.settle(reservation.worst, settlement.spent)
            self._freed.set()
        if settlement.spent > reservation.worst:
            self._overcharged = reservation.tier
            log.warning("a server counts more than it was allowed", extra={"facts": {"tier": reservation.tier}})

    async def note(self, entry: BatchSent | BatchNamed | BatchClosed | Tried) -> None:
        """Write down how a batch stands, or what a question follows from."""
        await self._queue(entry)

    def open_batches(self, tier: str) -> list[OpenBatch]:
        """Return the batches of a tier that earlier sessions left at the provider."""
        return [] if self._ledger is None else self._ledger.open_batches(tier)

    def recall(self, key: bytes) -> Paid | None:
        """Return the answer to this request, if it was ever paid for in this folder."""
        assert self._ledger is not None, "open() comes first"
        return self._ledger.recall(key)

    def tried(self, key: bytes) -> bytes | None:
        """Return what tiers had said of a content when a paid one was last asked about it."""
        assert self._ledger is not None, "open() comes first"
        return self._ledger.tried(key)

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
        try:
            while self._entries:
                waiting, self._entries = self._entries, []
                try:
                    await loop.run_in_executor(self._thread, self._ledger.write, [entry for entry, _ in waiting])
                except Exception as error:  # noqa: BLE001  (told to those who wait, whatever it is)
                    _tell(waiting, error)
                else:
                    _tell(waiting, None)
        finally:
            self._writer = None


def _tell(waiting: list[tuple[Entry, asyncio.Future[None]]], error: Exception | None) -> None:
    for _, written in waiting:
        if written.done():  # cancelled
            continue
        if error is None:
            written.set_result(None)
        else:
            written.set_exception(error)
