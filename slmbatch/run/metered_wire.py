"""A wire whose every try is reserved, paid and remembered: what stands before the real one of each paid tier."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from decimal import Decimal
from hashlib import blake2b

from slmbatch.chat import Completion, Usage
from slmbatch.engines.wire import Reply, Wire
from slmbatch.errors import ConnectionLost, MalformedReply, Refused, RequestError, TimedOut, Unreachable
from slmbatch.money.prices import Price, from_pico, to_pico
from slmbatch.run.purse import Purse
from slmbatch.store.ledger import Paid, Reservation, Settlement, State

UNKNOWN = (TimedOut, ConnectionLost)  # sent, perhaps read, perhaps billed
KEY_BYTES = 16


class MeteredWire:
    """A wire whose every try is reserved, paid and remembered."""

    def __init__(self, wire: Wire, purse: Purse, *, tier: str, price: Price) -> None:
        self._wire = wire
        self._purse = purse
        self._tier = tier
        self._address = wire.url.encode()
        self._price = price
        self._under_way: dict[bytes, asyncio.Event] = {}

    @property
    def url(self) -> str:
        return self._wire.url

    async def open(self) -> None:
        await self._wire.open()

    async def close(self) -> None:
        await self._wire.close()

    def decode(self, content: bytes) -> Completion:
        return self._wire.decode(content)

    def turn(self, body: bytes, *, max_tokens: int) -> AbstractAsyncContextManager[None]:  # noqa: ARG002
        return nullcontext()  # what the ledger remembers needs none: `post` takes it for what must be paid

    async def post(self, body: bytes, *, max_tokens: int) -> Reply:
        """Answer from the ledger, or pay for one try. Errors say what it cost; in doubt, that's the worst case."""
        key = blake2b(self._address + b"\0" + body, digest_size=KEY_BYTES).digest()
        while key in self._under_way:  # the same question, asked for another row at this moment
            await self._under_way[key].wait()
            if (paid := self._purse.recall(key)) is not None:
                return self._reused(replace(paid, here=False))  # the other row carries its cost
        self._under_way[key] = asyncio.Event()
        try:
            paid = self._purse.recall(key)
            if paid is not None:
                return self._reused(paid)
            async with self._wire.turn(body, max_tokens=max_tokens):
                return await self._pay(key, body, max_tokens)
        finally:
            self._under_way.pop(key).set()

    async def _pay(self, key: bytes, body: bytes, max_tokens: int) -> Reply:
        worst = self._price.worst(input_tokens=len(body), output_tokens=max_tokens)  # a token is at least one byte
        reservation = await self._purse.reserve(key, self._tier, worst)
        try:
            reply = await self._wire.post(body, max_tokens=max_tokens)
        except RequestError as error:
            settlement = self._failed(reservation, error)
            error.usd = from_pico(settlement.spent)
            await self._purse.settle(reservation, settlement)
            raise
        except BaseException:
            self._purse.settle_soon(reservation, _in_doubt(reservation))
            raise
        settlement = self._billed(reservation, reply.completion.usage, reply.content)
        await self._purse.settle(reservation, settlement)
        return replace(reply, usd=from_pico(settlement.spent))

    def _failed(self, reservation: Reservation, error: RequestError) -> Settlement:
        if isinstance(error, MalformedReply | Refused):
            return self._billed(reservation, error.billed, None)
        if isinstance(error, UNKNOWN) and not isinstance(error, Unreachable):
            return _in_doubt(reservation)
        return Settlement(reservation.id, State.NOT_BILLED)

    def _billed(self, reservation: Reservation, usage: Usage, reply: bytes | None) -> Settlement:
        """Settle a reply at its price; one that doesn't tell its tokens is in doubt, at the most it can have cost."""
        if not usage.input_tokens:
            return Settlement(reservation.id, State.IN_DOUBT, reservation.worst, reply=reply)
        return Settlement(reservation.id, State.SETTLED, to_pico(self._price.of_usage(usage)), usage, reply)

    def _reused(self, paid: Paid) -> Reply:
        usd = from_pico(paid.spent) if paid.here else Decimal(0)
        return Reply(paid.reply, self.decode(paid.reply), usd, reused=True)


def _in_doubt(reservation: Reservation) -> Settlement:
    return Settlement(reservation.id, State.IN_DOUBT, reservation.worst)
