"""What stands before the wire of each paid tier: a memory for what was paid already, then who pays for the rest."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from decimal import Decimal
from hashlib import blake2b
from typing import Protocol

from slmbatch.chat import Completion
from slmbatch.engines.wire import Reply, Wire
from slmbatch.errors import RequestError
from slmbatch.money.prices import Price, from_pico
from slmbatch.run.purse import Purse
from slmbatch.run.settling import billed, failed, in_doubt, worst_case
from slmbatch.store.entries import Paid

KEY_BYTES = 16


class Payer(Protocol):
    """Gets a request answered, every try of it reserved and settled in the ledger."""

    async def open(self) -> None: ...

    async def pay(self, key: bytes, body: bytes, max_tokens: int) -> Reply:
        """Raises RequestError; its `usd` says what the tries cost, in doubt the worst case."""

    async def close(self) -> None: ...


class MeteredWire:
    """A wire that pays for each request once, and remembers the replies.

    A request that is asked again on another `occasion` is another one. It is told apart by its key alone: the provider
    sees the same. The occasion has at most 16 bytes.
    """

    def __init__(self, wire: Wire, purse: Purse, payer: Payer, occasion: str = "") -> None:
        self._wire = wire
        self._purse = purse
        self._payer = payer
        self._address = wire.url.encode()
        self._occasion = occasion.encode()
        self._under_way: dict[bytes, asyncio.Event] = {}

    @property
    def url(self) -> str:
        return self._wire.url

    async def open(self) -> None:
        await self._wire.open()
        await self._payer.open()

    async def close(self) -> None:
        await self._payer.close()
        await self._wire.close()

    def decode(self, content: bytes) -> Completion:
        return self._wire.decode(content)

    def turn(self, body: bytes, *, max_tokens: int) -> AbstractAsyncContextManager[None]:  # noqa: ARG002
        return nullcontext()  # what the ledger remembers needs none: who pays takes it

    async def post(self, body: bytes, *, max_tokens: int) -> Reply:
        """Answer from the ledger, or pay."""
        asked = self._address + b"\0" + body
        key = blake2b(asked, digest_size=KEY_BYTES, person=self._occasion).digest()
        while key in self._under_way:  # the same question, asked for another row at this moment
            await self._under_way[key].wait()
            if (paid := self._purse.recall(key)) is not None:
                return self._reused(replace(paid, here=False))  # the other row carries its cost
        self._under_way[key] = asyncio.Event()
        try:
            paid = self._purse.recall(key)
            return await self._payer.pay(key, body, max_tokens) if paid is None else self._reused(paid)
        finally:
            self._under_way.pop(key).set()

    def _reused(self, paid: Paid) -> Reply:
        usd = from_pico(paid.spent) if paid.here else Decimal(0)
        return Reply(paid.reply, self.decode(paid.reply), usd, reused=True)


class OnlinePayer:
    """Pays for each request as it comes: one try."""

    def __init__(self, wire: Wire, purse: Purse, *, tier: str, price: Price) -> None:
        self._wire = wire
        self._purse = purse
        self._tier = tier
        self._price = price

    async def open(self) -> None:
        """Nothing is left from earlier."""

    async def close(self) -> None:
        """Nothing waits."""

    async def pay(self, key: bytes, body: bytes, max_tokens: int) -> Reply:
        """Wait for a turn, reserve the worst case, send, settle."""
        async with self._wire.turn(body, max_tokens=max_tokens):
            return await self._pay(key, body, max_tokens)

    async def _pay(self, key: bytes, body: bytes, max_tokens: int) -> Reply:
        reservation = await self._purse.reserve(key, self._tier, worst_case(self._price, body, max_tokens))
        try:
            reply = await self._wire.post(body, max_tokens=max_tokens)
        except RequestError as error:
            settlement = failed(reservation, self._price, error)
            error.usd = from_pico(settlement.spent)
            await self._purse.settle(reservation, settlement)
            raise
        except BaseException:
            self._purse.settle_soon(reservation, in_doubt(reservation))
            raise
        settlement = billed(reservation, self._price, reply.completion.usage, reply.content)
        await self._purse.settle(reservation, settlement)
        return replace(reply, usd=from_pico(settlement.spent))
