"""How fast a tier is asked: the arithmetic with given times, the waiting with a clock that jumps."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable

import pytest

from slmbatch.chat import JsonShape, Message, Request
from slmbatch.engines.client import ChatClient, RetryPolicy
from slmbatch.engines.dialects import OPENAI
from slmbatch.engines.limits import LONGEST_HOLD_S, Limiter, Pace, Quota, Window, quotas
from slmbatch.engines.wire import HttpWire
from tests.harness import Reply, Scripted, completion

NOON = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        await asyncio.sleep(0)
        self.now = max(self.now, until)


def limiter(clock: Clock, concurrency: int = 8, *, rpm: int | None = None, tpm: int | None = None) -> Limiter:
    return Limiter(concurrency, requests_per_minute=rpm, tokens_per_minute=tpm, clock=clock, sleep=clock.sleep)


def sent_at(limits: Limiter, clock: Clock, tokens: list[int]) -> list[float]:
    """Seconds after which requests of so many tokens are let go, one after the other."""

    async def work() -> list[float]:
        started, times = clock.now, []
        for each in tokens:
            async with limits.turn(each):
                times.append(round(clock.now - started, 6))
        return times

    return asyncio.run(work())


def test_requests_are_spread_over_the_minute() -> None:
    clock = Clock()
    assert sent_at(limiter(clock, rpm=30), clock, [0] * 4) == [0, 2, 4, 6]


def test_tokens_are_spread_over_the_minute_and_the_scarcer_of_both_counts() -> None:
    clock = Clock()
    assert sent_at(limiter(clock, rpm=60, tpm=6000), clock, [500, 10, 10]) == [0, 5, 5.1]


def test_an_idle_minute_is_not_made_up_for_at_once() -> None:
    pace = Pace(60)
    assert [pace.book(1, 0.0), pace.book(1, 500.0), pace.book(1, 500.0)] == [0, 500, 501]


def test_tokens_that_were_not_used_are_given_back() -> None:
    clock = Clock()
    limits = limiter(clock, tpm=6000)
    assert sent_at(limits, clock, [1000]) == [0]
    limits.used(300, instead_of=1000)
    assert sent_at(limits, clock, [10]) == [3]


def test_what_is_left_says_how_long_to_wait() -> None:
    assert Quota(500, 3, 60.0).wait_s(1) == 0
    assert Quota(500, 0, 60.0).wait_s(1) == pytest.approx(0.12)  # a 500th of a minute
    assert Quota(1000, 100, 9.0).wait_s(400) == pytest.approx(3)  # 900 in 9 s: 300 in 3 s
    assert Quota(1000, 1000, 9.0).wait_s(5000) == 0  # more than ever fits: waiting doesn't help
    assert Quota(0, 0, 9.0).wait_s(1) == 0


def test_openais_headers_are_read() -> None:
    headers = {
        "x-ratelimit-limit-requests": "5000",
        "x-ratelimit-remaining-requests": "4999",
        "x-ratelimit-reset-requests": "12ms",
        "x-ratelimit-limit-tokens": "160000",
        "x-ratelimit-remaining-tokens": "159976",
        "x-ratelimit-reset-tokens": "6m0.5s",
    }
    assert dict(quotas(headers, lambda: NOON)) == {
        "requests": Quota(5000, 4999, 0.012),
        "tokens": Quota(160000, 159976, 360.5),
    }


def test_anthropics_headers_are_read() -> None:
    headers = {
        "anthropic-ratelimit-requests-limit": "1000",
        "anthropic-ratelimit-requests-remaining": "999",
        "anthropic-ratelimit-requests-reset": "2026-11-25T11:59:59Z",
        "anthropic-ratelimit-output-tokens-limit": "16000",
        "anthropic-ratelimit-output-tokens-remaining": "100",
        "anthropic-ratelimit-output-tokens-reset": "2026-11-25T12:00:30Z",
    }
    assert list(quotas(headers, lambda: NOON)) == [
        ("requests", Quota(1000, 999, 0.0)),
        ("tokens", Quota(16000, 100, 30.0)),
    ]


@pytest.mark.parametrize("reset", ["", "soon", "12", "1.5.s", "2026-11-25T12:00:30", "-3s", "3s later"])
def test_a_header_that_cannot_be_read_says_nothing(reset: str) -> None:
    headers = {"x-ratelimit-limit-requests": "5", "x-ratelimit-remaining-requests": "0"}
    assert list(quotas(headers | {"x-ratelimit-reset-requests": reset}, lambda: NOON)) == []


def test_a_refusal_halves_the_requests_under_way_once_in_a_round() -> None:
    window = Window(32)
    for _ in range(5):
        window.refused(sent=1.0, now=2.0)  # five of the same round
    assert window.allowed == 16
    window.refused(sent=3.0, now=4.0)
    assert window.allowed == 8


def test_good_replies_add_one_place_a_round_up_to_the_most() -> None:
    window = Window(8)
    window.refused(sent=1.0, now=2.0)
    assert window.allowed == 4
    seen = []
    for number in range(100):
        window.answered(sent=3.0 + number, now=3.1 + number)
        seen.append(window.allowed)
    assert seen[3] == 4  # four replies are not quite one place: each is worth a little less than the one before
    assert seen[4] == 5
    assert seen[-1] == 8
    assert seen == sorted(seen)


def test_one_request_is_always_allowed() -> None:
    window = Window(2)
    for number in range(9):
        window.refused(sent=2.0 * number + 1, now=2.0 * number + 2)
    assert window.allowed == 1


def rounds(window: Window, latency_s: float, count: int, *, start: float) -> float:
    """As many requests as allowed at once, answered together, so often; return the time after that."""
    for number in range(count):
        for _ in range(window.allowed):
            window.answered(sent=start + number, now=start + number + latency_s)
    return start + count


def test_replies_that_slow_down_take_places_away_and_faster_ones_give_them_back() -> None:
    window = Window(20)
    now = rounds(window, 0.2, 20, start=0.0)
    assert window.allowed == 20
    now = rounds(window, 2.0, 5, start=now)
    assert 10 < window.allowed < 20
    rounds(window, 0.2, 40, start=now)
    assert window.allowed == 20


def test_a_few_slow_replies_or_a_little_noise_change_nothing() -> None:
    window = Window(20)
    now = rounds(window, 0.01, 20, start=0.0)
    now = rounds(window, 0.05, 20, start=now)
    window.answered(sent=now, now=now + 10)
    assert window.allowed == 20


def test_a_server_that_stays_slow_is_taken_as_it_is_in_the_end() -> None:
    window = Window(20)
    now = rounds(window, 0.2, 20, start=0.0)
    now = rounds(window, 2.0, 20, start=now)
    assert window.allowed < 10
    rounds(window, 2.0, 2000, start=now)
    assert window.allowed == 20


def test_no_more_requests_are_under_way_than_allowed() -> None:
    clock = Clock()
    limits = limiter(clock, 8)
    limits.heard(429, {}, sent=clock.now, tokens=1)
    most = under_way = 0

    async def one() -> None:
        nonlocal most, under_way
        async with limits.turn(1):
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1

    async def work() -> None:
        await asyncio.gather(*(one() for _ in range(50)))

    asyncio.run(work())
    assert most == 4


def test_a_request_that_is_given_up_while_it_waits_leaves_its_place() -> None:
    clock = Clock()
    limits = limiter(clock, 1)

    async def one() -> str:
        async with limits.turn(1):
            await asyncio.sleep(0)
        return "sent"

    async def work() -> list[str]:
        async with limits.turn(1):
            waiting = [asyncio.create_task(one()) for _ in range(3)]
            await asyncio.sleep(0)
            waiting[0].cancel()
            await asyncio.sleep(0)
        return await asyncio.gather(*waiting[1:])

    assert asyncio.run(work()) == ["sent", "sent"]


def ask(server: Scripted, limits: Limiter, count: int, *, timeout_s: float = 10) -> None:
    async def work() -> None:
        wire = HttpWire(server.url, dialect=OPENAI, key="", timeout_s=timeout_s, connections=4, limiter=limits)
        client = ChatClient(wire, model="m", dialect=OPENAI, policy=RetryPolicy(5, 30))
        request = Request((Message("user", "hello"),), JsonShape("x", '{"type":"object"}'), 8, 0)
        await client.open()
        try:
            for _ in range(count):
                await client.complete(request)
        finally:
            await client.close()

    asyncio.run(work())


def test_a_429_holds_all_requests_for_as_long_as_the_server_says(scripted: Callable[..., Scripted]) -> None:
    server = scripted(Reply(429, headers={"Retry-After": "0.2"}), completion("{}"))
    clock = Clock()
    limits = limiter(clock)
    ask(server, limits, 1)
    assert clock.now == pytest.approx(100.2)
    assert limits.window.allowed == 4


def test_a_server_that_does_not_answer_in_time_is_asked_less_at_once(scripted: Callable[..., Scripted]) -> None:
    limits = Limiter(8)
    ask(scripted(Reply(after_s=1.5), completion("{}")), limits, 1, timeout_s=0.2)
    assert limits.window.allowed == 4


def test_an_exhausted_quota_is_waited_for_before_it_is_overdrawn(scripted: Callable[..., Scripted]) -> None:
    left = {"limit-requests": "60", "remaining-requests": "0", "reset-requests": "1m0s"}
    headers = {f"x-ratelimit-{name}": value for name, value in left.items()}
    clock = Clock()
    ask(scripted(Reply(body=completion("{}").body, headers=headers)), limiter(clock), 3)
    assert clock.now == pytest.approx(102)  # the second and the third wait for a 60th of a minute each


def test_tokens_that_the_reply_counts_replace_the_guess(scripted: Callable[..., Scripted]) -> None:
    clock = Clock()
    limits = limiter(clock, tpm=600)
    ask(scripted(completion("{}")), limits, 1)  # it says 7 and 3 tokens
    assert sent_at(limits, clock, [1]) == [1]  # 10 of 600 a minute


def test_a_hold_is_bounded() -> None:
    clock = Clock()
    limits = limiter(clock)
    limits.hold(86_400)
    assert sent_at(limits, clock, [1]) == [LONGEST_HOLD_S]
