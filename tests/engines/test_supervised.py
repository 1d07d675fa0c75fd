"""A supervised server: what happens to the rows when it dies, hangs or never starts."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import pytest

from slmbatch.chat import Choice, Completion, JsonShape, Message, Request
from slmbatch.engines.child import Launch
from slmbatch.engines.client import ChatClient, RetryPolicy
from slmbatch.engines.dialects import OPENAI
from slmbatch.engines.llamacpp import LlamaCppEngine
from slmbatch.engines.settings import EngineSettings
from slmbatch.engines.supervised import Connect, Supervised
from slmbatch.engines.wire import HttpWire
from slmbatch.errors import EngineError, Poisoned, TimedOut
from tests.harness import TESTS, alive, descendants, wait_until

SCHEMA = '{"type":"object","properties":{},"required":[],"additionalProperties":false}'


def request(text: str) -> Request:
    return Request((Message("user", text),), JsonShape("x", SCHEMA), 16, 0)


@pytest.fixture
def launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Launch]:
    """Make launches of tests/dying_server.py."""
    monkeypatch.setenv("PYTHONPATH", str(TESTS.parent))

    def make(*, ready_s: float = 20.0, **configuration: str) -> Launch:
        return Launch(
            "dying", "tests.dying_server", {"marks": str(tmp_path), **configuration}, tmp_path / "log", ready_s
        )

    return make


def connect(timeout_s: float) -> Connect:
    policy = RetryPolicy(attempts=3, total_s=30, connections=False)

    async def client(address: Mapping[str, str]) -> ChatClient:
        wire = HttpWire(f"{address['url']}/v1", dialect=OPENAI, key="", timeout_s=timeout_s, connections=64)
        return ChatClient(wire, model="m", dialect=OPENAI, policy=policy)

    return client


def ask(launch: Launch, texts: Sequence[str], *, timeout_s: float = 20) -> tuple[list[Completion | Exception], int]:
    """Ask all at once; return what each came to, in order, and how often the server was restarted."""

    async def work() -> tuple[list[Completion | Exception], int]:
        server = Supervised(launch, connect(timeout_s))
        await server.start()
        try:
            asked = [server.complete(request(text)) for text in texts]
            return await asyncio.gather(*asked, return_exceptions=True), server.restarts
        finally:
            await server.close()

    return asyncio.run(work())


def answers(outcomes: Sequence[Completion | Exception]) -> list[str]:
    return [outcome.text if isinstance(outcome, Completion) else type(outcome).__name__ for outcome in outcomes]


def test_the_poison_row_fails_alone_and_every_other_row_is_answered(launch: Callable[..., Launch]) -> None:
    texts = [f"row {number}" for number in range(30)]
    texts[11] = "row 11 POISON"
    outcomes, restarts = ask(launch(latency_s="0.05"), texts)
    assert isinstance(outcomes[11], Poisoned)
    assert answers(outcomes) == [*texts[:11], "Poisoned", *texts[12:]]
    assert restarts in {2, 3}  # a third time only if a row was left to be asked


def test_two_poison_rows_fail_and_nothing_else_does(launch: Callable[..., Launch]) -> None:
    texts = [f"row {number}" + " POISON" * (number in {3, 17}) for number in range(25)]
    outcomes, _ = ask(launch(latency_s="0.02"), texts)
    assert answers(outcomes) == [text if "POISON" not in text else "Poisoned" for text in texts]


def test_a_row_that_killed_the_server_once_is_answered_the_second_time(launch: Callable[..., Launch]) -> None:
    texts = ["row 0", "row 1 POISON-ONCE", "row 2"]
    outcomes, restarts = ask(launch(latency_s="0.05"), texts)
    assert answers(outcomes) == texts
    assert restarts == 1


def test_a_server_that_always_dies_ends_with_the_end_of_its_log(launch: Callable[..., Launch]) -> None:
    outcomes, _ = ask(launch(ALWAYS="1"), [f"row {number}" for number in range(10)])
    ends = [outcome for outcome in outcomes if isinstance(outcome, EngineError)]
    assert ends
    assert all(isinstance(outcome, EngineError | Poisoned) for outcome in outcomes)
    assert "exit code 3" in ends[0].message
    assert "dying_server: I always die" in ends[0].message
    assert "log" in ends[0].remedy


def test_a_server_that_hangs_is_killed_and_its_rows_are_answered_by_the_next(launch: Callable[..., Launch]) -> None:
    texts = ["row 0 HANG-ONCE"]
    outcomes, restarts = ask(launch(), texts, timeout_s=0.2)
    assert answers(outcomes) == texts
    assert restarts <= 1  # the second try of the same request may have been answered already


def test_a_server_that_always_hangs_on_a_row_loses_that_row_only(launch: Callable[..., Launch]) -> None:
    outcomes, restarts = ask(launch(), ["row 0 HANG"], timeout_s=0.2)
    assert isinstance(outcomes[0], Poisoned)
    assert restarts == 2


def test_a_row_that_hangs_while_others_are_answered_times_out_without_a_restart(launch: Callable[..., Launch]) -> None:
    texts = ["row 0 HANG", *(f"row {number}" for number in range(1, 10))]
    outcomes, restarts = ask(launch(), texts, timeout_s=1)
    assert isinstance(outcomes[0], TimedOut)
    assert answers(outcomes)[1:] == texts[1:]
    assert restarts == 0


def test_a_request_that_waits_to_be_retried_survives_the_restart_of_the_server(launch: Callable[..., Launch]) -> None:
    async def work() -> list[str]:
        server = Supervised(launch(), connect(10))
        await server.start()
        try:
            waiting = asyncio.create_task(server.complete(request("row 0 BUSY-ONCE")))
            died = server._child
            assert died is not None
            assert await died.died(10)  # the first request is waiting to be sent again, to a server that is gone
            other = await server.complete(request("row 1"))  # restarts it
            return [(await waiting).text, other.text]
        finally:
            await server.close()

    assert asyncio.run(work()) == ["row 0 BUSY-ONCE", "row 1"]


def test_a_server_that_ends_while_starting_says_why(launch: Callable[..., Launch]) -> None:
    with pytest.raises(EngineError) as caught:
        ask(launch(start="exit"), ["row 0"])
    assert "ended while it was starting (exit code 3)" in caught.value.message
    assert "I can't start: the model is damaged" in caught.value.message


def test_a_server_that_never_gets_ready_is_given_up(launch: Callable[..., Launch]) -> None:
    with pytest.raises(EngineError, match=r"was not ready within 0\.5 s"):
        ask(launch(start="sleep", ready_s=0.5), ["row 0"])


PARENT = """
import asyncio, pathlib, sys
from slmbatch.engines.child import Child, Launch

async def main():
    child, address = await Child.start(Launch("c", "tests.dying_server", {"marks": "."}, pathlib.Path(sys.argv[1])))
    print("ready", flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""


def test_the_server_ends_when_our_process_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "log")],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(TESTS.parent)},
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        (child,) = descendants(parent.pid, "dying_server")
        parent.kill()
    wait_until(lambda: not alive(child), "the child to end", within_s=10)


def with_engine(model: Path, log: Path, work: Callable[[LlamaCppEngine], Awaitable[None]]) -> None:
    async def run() -> None:
        engine = LlamaCppEngine(model, EngineSettings(slots=2, context_tokens=512), log=log)
        try:
            await engine.start()
            await work(engine)
        finally:
            await engine.close()

    asyncio.run(run())


def kill_server() -> int:
    (child,) = descendants(os.getpid(), "slmbatch.engines.llamacpp_server")
    os.kill(child, signal.SIGKILL)
    return child


def test_rows_in_flight_are_answered_after_the_embedded_server_is_killed(embedded_model: Path, tmp_path: Path) -> None:
    async def work(engine: LlamaCppEngine) -> None:
        shape = Choice(("yes", "no"))
        asked = [Request((Message("user", f"Is {number} even?"),), shape, 4, 5) for number in range(6)]
        under_way = [asyncio.create_task(engine.complete(one)) for one in asked]
        await asyncio.sleep(0)  # all are started
        done, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
        kill_server()
        finished = await asyncio.gather(*under_way)
        assert len(done) < len(finished)  # some really were in flight
        assert {one.text for one in finished} <= {"yes", "no"}
        assert engine._server.restarts == 1

    with_engine(embedded_model, tmp_path / "log", work)


def test_a_long_text_is_cut_although_the_embedded_server_was_killed(embedded_model: Path, tmp_path: Path) -> None:
    async def work(engine: LlamaCppEngine) -> None:
        text = "The card has not arrived. " * 200
        before = await engine.cut(text, 50)
        kill_server()
        assert await engine.cut(text, 50) == before
        assert text.startswith(before)
        assert 0 < len(before) < len(text)

    with_engine(embedded_model, tmp_path / "log", work)


def test_closing_ends_the_embedded_server_at_once(embedded_model: Path, tmp_path: Path) -> None:
    seen: list[int] = []

    async def work(engine: LlamaCppEngine) -> None:
        seen.extend(descendants(os.getpid(), "slmbatch.engines.llamacpp_server"))

    started = time.monotonic()
    with_engine(embedded_model, tmp_path / "log", work)
    assert len(seen) == 1
    assert not alive(seen[0])
    assert time.monotonic() - started < 30


def test_a_damaged_model_file_is_an_engine_error(tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"GGUF this is none")

    async def nothing(engine: LlamaCppEngine) -> None:
        raise AssertionError("it started")

    with pytest.raises(EngineError, match="ended while it was starting"):
        with_engine(tmp_path / "bad.gguf", tmp_path / "log", nothing)
