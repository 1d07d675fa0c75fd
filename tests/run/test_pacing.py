"""Where the limiter and the ledger meet: only what is really sent takes a turn, and only then is money set aside."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest

from slmbatch.chat import JsonShape, Message, Request
from slmbatch.engines.client import ChatClient, RetryPolicy
from slmbatch.engines.dialects import COMPATIBLE
from slmbatch.engines.limits import Limiter
from slmbatch.engines.wire import HttpWire
from slmbatch.money.prices import Price, Rates
from slmbatch.run.metered_wire import MeteredWire, OnlinePayer
from slmbatch.run.purse import Purse
from slmbatch.store.ledger import Ledger
from tests.harness import Scripted, completion

PRICE = Price((Rates(Decimal(1), Decimal(10)),))


def request(text: str) -> Request:
    return Request((Message("user", text),), JsonShape("x", '{"type":"object"}'), 8, 0)


def run(folder: Path, server: Scripted, limits: Limiter, work: Callable[[ChatClient, Purse], Awaitable[None]]) -> None:
    """Do something with a client whose every request is paid through a ledger in this folder."""

    async def main() -> None:
        purse = Purse(None)
        purse.open(Ledger(folder / "ledger.sqlite", "run"))
        wire = HttpWire(server.url, dialect=COMPATIBLE, key="", timeout_s=10, connections=4, limiter=limits)
        paid = MeteredWire(wire, purse, OnlinePayer(wire, purse, tier="t", price=PRICE))
        client = ChatClient(paid, model="m", dialect=COMPATIBLE, policy=RetryPolicy(1, 5.0))
        await client.open()
        try:
            await work(client, purse)
        finally:
            await client.close()
            await purse.close()

    asyncio.run(main())


def test_an_answer_that_the_ledger_remembers_takes_no_turn(tmp_path: Path, scripted: Callable[..., Scripted]) -> None:
    waits: list[float] = []
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        waits.append(seconds)
        now += seconds

    limits = Limiter(4, requests_per_minute=1, clock=lambda: now, sleep=sleep)
    server = scripted(completion("{}"))

    async def work(client: ChatClient, _: Purse) -> None:
        for text in ("one", "one", "one", "two", "one", "two"):
            await client.complete(request(text))

    run(tmp_path, server, limits, work)
    assert server.texts() == ["one", "two"]
    assert waits == [60]


def test_a_request_that_is_given_up_before_its_turn_is_not_in_doubt(
    tmp_path: Path, scripted: Callable[..., Scripted]
) -> None:
    limits = Limiter(1)
    server = scripted(completion("{}"))

    async def work(client: ChatClient, purse: Purse) -> None:
        async with limits.turn(1):  # something else is under way
            waiting = asyncio.create_task(client.complete(request("one")))
            await asyncio.sleep(0.05)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        assert purse._budget.spent == 0

    run(tmp_path, server, limits, work)
    assert server.asked == []
