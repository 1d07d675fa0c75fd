"""Asks over a wire until there is an answer: encodes a request, tries again what may pass, adds up what it cost."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace
from decimal import Decimal

from slmbatch.chat import Completion, Request
from slmbatch.engines.dialects import Dialect
from slmbatch.engines.wire import Wire
from slmbatch.errors import ConnectionLost, RequestError, TimedOut

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
TIMEOUT_ATTEMPTS = 2  # a request that hung twice hangs again, and may have been paid for each time


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Bounds by count and by the time of all waits. `connections`: whether a lost one is tried again."""

    attempts: int
    total_s: float
    connections: bool = True


class ChatClient:
    """Chat completions of one model over one wire."""

    def __init__(self, wire: Wire, *, model: str, dialect: Dialect, policy: RetryPolicy) -> None:
        self._wire = wire
        self._encoder = dialect.encoder(model)
        self._policy = policy

    async def open(self) -> None:
        await self._wire.open()

    async def close(self) -> None:
        await self._wire.close()

    async def complete(self, request: Request) -> Completion:
        """Return the completion, or raise the RequestError that became final."""
        body = self._encoder.body(request)
        waited_s, tries, timeouts, usd = 0.0, 0, 0, Decimal(0)
        while True:
            try:
                async with self._wire.turn(body, max_tokens=request.max_tokens):
                    reply = await self._wire.post(body, max_tokens=request.max_tokens)
            except RequestError as error:
                tries += error.tries
                timeouts += isinstance(error, TimedOut)
                usd += error.usd
                wait_s = _backoff(tries) if error.wait_s is None else error.wait_s
                waited_s += wait_s
                exhausted = tries >= self._policy.attempts or waited_s > self._policy.total_s
                if exhausted or timeouts >= TIMEOUT_ATTEMPTS or not self._may_pass(error):
                    error.tries, error.usd = tries, usd
                    raise
                await asyncio.sleep(wait_s)
            else:
                tries, usd = tries + (not reply.reused), usd + reply.usd
                plain = tries == 1 and not usd  # most are, where nothing is paid: what the reply holds already
                return reply.completion if plain else replace(reply.completion, tries=tries, usd=usd)

    def _may_pass(self, error: RequestError) -> bool:
        return error.passing and (self._policy.connections or not isinstance(error, ConnectionLost))


def _backoff(tries: int) -> float:
    """Exponential waits with full jitter, as AWS's architecture blog derives them."""
    return random.uniform(0.1, 1.0) * min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (tries - 1))  # noqa: S311
