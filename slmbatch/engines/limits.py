"""How fast one tier may be asked: so many requests and tokens a minute, and as many at a time as the server bears.

The arithmetic stands in classes without a clock of their own; `Limiter` alone waits.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

TIMED_OUT = 408
OVERLOADED = frozenset({TIMED_OUT, 429, 503, 529})
HALF, A_TENTH_LESS = 0.5, 0.9
SLOW = 2.0  # a mean latency this many times the best one is a queue at the server,
NOTABLE_S = 0.5  # if it is so much longer at least: below that it may as well be this machine
SETTLED = 64  # replies that a mean is taken over, and that are needed before it says anything
FORGET = 1.001  # per reply: what was the best latency once needn't stay it, for texts differ
LONGEST_HOLD_S = 60.0  # what a header says of later than this is asked again by then
PATTERNS = (
    ("requests", "x-ratelimit-{}-requests"),
    ("tokens", "x-ratelimit-{}-tokens"),
    ("requests", "anthropic-ratelimit-requests-{}"),
    ("tokens", "anthropic-ratelimit-tokens-{}"),
    ("tokens", "anthropic-ratelimit-input-tokens-{}"),
    ("tokens", "anthropic-ratelimit-output-tokens-{}"),
)
# Looked for in every reply, so put together once.
HEADERS = [(kind, *(name.format(part) for part in ("limit", "remaining", "reset"))) for kind, name in PATTERNS]
UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")


class Pace:
    """So many a minute, evenly spread (the generic cell rate algorithm, ITU-T I.371, without a burst)."""

    def __init__(self, per_minute: int) -> None:
        self._each_s = 60.0 / per_minute
        self._next = float("-inf")

    def book(self, amount: int, now: float) -> float:
        """Take a place for this amount; return the time from which on it may be used."""
        at = max(now, self._next)
        self._next = at + amount * self._each_s
        return at

    def correct(self, amount: int) -> None:
        """Count so much more (or less, if negative) than was booked."""
        self._next += amount * self._each_s


class Window:
    """How many requests may be under way: additive increase, multiplicative decrease (Chiu and Jain, 1989).

    A refusal halves it; replies that slow down take a tenth off, since then requests only queue at the server. Either
    happens once in a round: replies to what was sent before the last cut don't count again.
    """

    def __init__(self, most: int) -> None:
        self._most = float(most)
        self._allowed = float(most)
        self._cut_at = float("-inf")
        self._replies = 0
        self._mean_s = 0.0
        self._best_s = float("inf")

    @property
    def allowed(self) -> int:
        return int(self._allowed)

    def answered(self, *, sent: float, now: float) -> None:
        """Learn from a reply: one more place after a full round of good ones."""
        self._replies += 1
        self._mean_s += (now - sent - self._mean_s) / min(self._replies, SETTLED)
        if self._replies >= SETTLED:
            self._best_s = min(self._best_s * FORGET, self._mean_s)
        if self._mean_s > max(SLOW * self._best_s, self._best_s + NOTABLE_S):
            self._cut(A_TENTH_LESS, sent, now)
        else:
            self._allowed = min(self._most, self._allowed + 1 / self._allowed)

    def refused(self, *, sent: float, now: float) -> None:
        """Learn that the server had too much to do, or said that we ask too much."""
        self._cut(HALF, sent, now)

    def _cut(self, factor: float, sent: float, now: float) -> None:
        if sent > self._cut_at:
            self._allowed = max(1.0, self._allowed * factor)
            self._cut_at = now


@dataclass(frozen=True, slots=True)
class Quota:
    """What a server says is left: `remaining` of `limit`, filled up again evenly within `reset_s` seconds."""

    limit: int
    remaining: int
    reset_s: float

    def wait_s(self, needed: int) -> float:
        """Return the seconds until as much as this is left."""
        missing = min(needed, self.limit) - self.remaining
        return 0.0 if missing <= 0 else missing * self.reset_s / max(1, self.limit - self.remaining)


def quotas(headers: Mapping[str, str], now: Callable[[], dt.datetime]) -> Iterator[tuple[str, Quota]]:
    """Read what reply headers say is left of `requests` and `tokens`, in OpenAI's and in Anthropic's words."""
    for kind, limit_name, remaining_name, reset_name in HEADERS:
        limit = headers.get(limit_name)
        if limit is None:
            continue
        remaining = headers.get(remaining_name, "")
        if limit.isdecimal() and remaining.isdecimal():
            reset_s = _seconds(headers.get(reset_name, ""), now())
            if reset_s is not None:
                yield kind, Quota(int(limit), int(remaining), reset_s)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _seconds(reset: str, now: dt.datetime) -> float | None:
    """Read `6m0s` and `12ms` (OpenAI, Groq) or a time in RFC 3339 (Anthropic); None for anything else."""
    if DURATION.sub("", reset) == "":
        return sum(float(number) * UNITS_S[unit] for number, unit in DURATION.findall(reset)) if reset else None
    try:
        return max(0.0, (dt.datetime.fromisoformat(reset) - now).total_seconds())
    except (ValueError, TypeError):  # not a time, or one without a zone
        return None


class Limiter:
    """What all requests of one tier wait for before they are sent, in a whole run. None is no limit by the minute."""

    def __init__(
        self,
        concurrency: int,
        *,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.window = Window(concurrency)
        self._requests = Pace(requests_per_minute) if requests_per_minute else None
        self._tokens = Pace(tokens_per_minute) if tokens_per_minute else None
        self._clock = clock
        self._sleep = sleep
        self._held_until = float("-inf")
        self._under_way = 0
        self._waiting = 0
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def turn(self, tokens: int) -> AsyncIterator[None]:
        """Wait until one more request, of about so many tokens, may be sent; it is under way until this ends."""
        if self._under_way >= self.window.allowed:
            self._waiting += 1
            try:
                async with self._changed:
                    await self._changed.wait_for(lambda: self._under_way < self.window.allowed)
            finally:
                self._waiting -= 1
        self._under_way += 1
        try:
            await self._paced(tokens)
            yield
        finally:
            self._under_way -= 1
            if self._waiting:
                async with self._changed:
                    self._changed.notify_all()

    async def _paced(self, tokens: int) -> None:
        now = self._clock()
        at = max(
            self._requests.book(1, now) if self._requests else now,
            self._tokens.book(tokens, now) if self._tokens else now,
        )
        while (wait_s := max(at, self._held_until) - self._clock()) > 0:
            await self._sleep(wait_s)

    def heard(self, status: int, headers: Mapping[str, str], *, sent: float, tokens: int) -> None:
        """Learn from a reply to what was sent at `sent` (of the clock) with about so many tokens."""
        now = self._clock()
        if status in OVERLOADED:
            self.window.refused(sent=sent, now=now)
        elif status == 200:
            self.window.answered(sent=sent, now=now)
        needed = {"requests": 1, "tokens": tokens}
        for kind, quota in quotas(headers, _now):
            self.hold(quota.wait_s(needed[kind]))

    def hold(self, seconds: float) -> None:
        """Send nothing for so many seconds."""
        self._held_until = max(self._held_until, self._clock() + min(seconds, LONGEST_HOLD_S))

    def used(self, tokens: int, *, instead_of: int) -> None:
        """Count the tokens that a request really took."""
        if self._tokens:
            self._tokens.correct(tokens - instead_of)

    def now(self) -> float:
        return self._clock()
