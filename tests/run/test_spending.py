"""Spending: once per request, never beyond the cap, and all of it in the ledger. Against servers that count."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest
from aiohttp import web

from slmbatch.chat import JsonShape, Message, Request, Usage
from slmbatch.engines.client import ChatClient, RetryPolicy
from slmbatch.engines.dialects import COMPATIBLE
from slmbatch.engines.wire import HttpWire
from slmbatch.errors import OverBudget, RequestError
from slmbatch.money.prices import Price, Rates, from_pico
from slmbatch.run.metered_wire import MeteredWire, OnlinePayer
from slmbatch.run.purse import Purse
from slmbatch.store.ledger import Ledger
from tests.harness import (
    LABELS,
    Asked,
    Loopback,
    Ran,
    Reply,
    Scripted,
    completion,
    kill,
    results,
    right_label,
    slmbatch,
    start,
    wait_until,
    write_rows,
    write_table,
)

PRICE = "1/10"  # USD per million tokens in and out
ONCE = Decimal(100 * 1 + 3 * 10) / 1_000_000  # what the loopback server's 100 and 3 tokens cost
ROWS, KILLS, SEED = 2000, 10, 20_261_125
IN_FLIGHT = 32
RUNS, REQUESTS = 200, 25
UNCAPPED = 8  # one in so many runs has more than it needs
SHAPE = JsonShape("label", '{"type":"object"}')


def command(table: Path, out: Path, server: Loopback | Scripted, *more: object) -> list[object]:
    return [
        *("classify", table, "--labels", ",".join(LABELS), "-o", out, "--model", server.model),
        *("--price", f"{server.model}={PRICE}", *more),
    ]


def costs(out: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = pq.read_table(out / "cost.parquet").to_pylist()
    return rows


def ledger(out: Path, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(out / ".slmbatch" / "ledger.sqlite") as connection:
        return connection.execute(query).fetchall()


@pytest.mark.timeout(300)
def test_ten_kills_pay_again_only_for_what_the_ledger_says_is_in_doubt(
    tmp_path: Path, loopback: Callable[..., Loopback]
) -> None:
    table, out = write_rows(tmp_path / "rows.parquet", range(ROWS)), tmp_path / "out"
    free, paid = loopback(latency_s=0.005), loopback(latency_s=0.02)
    tiers = ["--model", free.model, "--escalate", paid.model, "--threshold", "0.99", "--price", f"{paid.model}={PRICE}"]
    run = ["classify", table, "--labels", ",".join(LABELS), "-o", out, *tiers, "--quiet"]
    for moment in sorted(Random(SEED).sample(range(20, ROWS - 150), KILLS)):
        process = start(*run)
        wait_until(lambda moment=moment: paid.answered().total() >= moment, f"{moment} paid answers")  # type: ignore[misc]
        assert process.poll() is None, process.communicate()
        kill(process)
    ran = slmbatch(*run)
    assert (ran.code, ran.err) == (3, "") or ran.code == 0, ran
    rows = results(out)
    assert [row["label"] for row in rows] == [right_label(row) for row in range(ROWS)]
    (in_doubt,) = next(iter(ledger(out, "SELECT count(*) FROM requests WHERE state = 'in_doubt'")))
    assert isinstance(in_doubt, int)
    paid_twice = paid.answered().total() - ROWS
    assert min(paid.answered().values()) == 1
    assert 0 <= paid_twice <= in_doubt <= KILLS * IN_FLIGHT
    settled = ledger(out, "SELECT key, count(*) FROM requests WHERE state = 'settled' GROUP BY key")
    assert [times for _, times in settled] == [1] * ROWS
    assert ledger(out, "SELECT count(*) FROM requests WHERE state NOT IN ('settled', 'in_doubt', 'not_billed')") == [
        (0,)
    ]
    _, cost = costs(out)
    assert cost["usd_billed"] == ROWS * ONCE
    assert cost["requests_in_doubt"] == in_doubt
    assert cost["usd"] == cost["usd_billed"] + cost["usd_in_doubt"]  # type: ignore[operator]
    assert cost["usd"] >= paid.answered().total() * ONCE  # type: ignore[operator]


def test_a_new_run_in_the_folder_is_answered_from_the_ledger(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    table, out = write_rows(tmp_path / "rows.parquet", range(30)), tmp_path / "out"
    server = loopback()
    slmbatch(*command(table, out, server))
    first = results(out)
    assert [row["usd"] for row in first] == [ONCE] * 30
    slmbatch(*command(table, out, server, "--threshold", "0.99", "--overwrite"))
    assert server.asked().total() == 30
    second = results(out)
    assert [row["label"] for row in second] == [row["label"] for row in first]
    assert [row["label_scores"] for row in second] == [row["label_scores"] for row in first]
    assert [row["usd"] for row in second] == [0] * 30
    (cost,) = costs(out)
    assert (cost["requests"], cost["reused"], cost["usd"]) == (0, 30, 0)


def test_the_cap_stops_paying_not_the_run_and_a_higher_one_goes_on(
    tmp_path: Path, loopback: Callable[..., Loopback]
) -> None:
    table, out = write_rows(tmp_path / "rows.parquet", range(60)), tmp_path / "out"
    free, paid = loopback(), loopback()
    tiers = ["--model", free.model, "--escalate", paid.model, "--threshold", "0.99", "--price", f"{paid.model}={PRICE}"]
    run = ["classify", table, "--labels", ",".join(LABELS), "-o", out, *tiers]
    ran = slmbatch(*run, "--max-usd", "0.005", "--json")
    assert ran.code == 4, ran.err
    answered = paid.answered().total()
    assert 0 < answered < 60
    assert answered * ONCE <= Decimal("0.005")
    waiting = [row for row in results(out) if row["waits_for"]]
    assert len(waiting) == 60 - answered
    assert {(row["waits_for"], row["status"]) for row in waiting} == {(paid.model, "review")}
    assert all(row["label"] and "over_budget" in row["reason"] for row in waiting)
    (told,) = json.loads(ran.out)["over_budget"]
    assert (told["tier"], told["rows"]) == (paid.model, len(waiting))
    assert Decimal(told["usd_estimated"]) == round(len(waiting) * ONCE, 6)
    assert f"{len(waiting)} rows wait for {paid.model}" in ran.err
    assert "--max-usd" in ran.err
    ran = slmbatch(*run, "--max-usd", "1")
    assert ran.code == 0, ran.err
    assert paid.answered().total() == 60
    assert not any(row["waits_for"] for row in results(out))
    assert [row["usd"] for row in results(out)] == [ONCE] * 60
    assert costs(out)[1]["usd"] == 60 * ONCE


def test_a_reply_that_never_came_is_in_doubt_and_one_that_is_no_use_is_billed(
    tmp_path: Path, scripted: Callable[..., Scripted]
) -> None:
    def by(asked: Asked) -> Reply:
        if "late" in asked.text:
            return Reply(body=completion('{"label":"card"}').body, after_s=3)
        if "refused" in asked.text:
            return Reply(400, '{"error":{"message":"no"}}')
        return completion(None) if "textless" in asked.text else completion('{"label":"card"}')

    server, out, config = scripted(by=by), tmp_path / "out", tmp_path / "c.toml"
    table = write_table(tmp_path / "t.parquet", ["good", "late", "refused", "textless"])
    config.write_text(f'[tier."{server.model}"]\ntimeout_s = 1\nattempts = 1\n')
    ran = slmbatch(*command(table, out, server, "--config", config))
    assert ran.code == 0, ran.err
    good, late, refused, textless = results(out)
    once = Decimal(7 * 1 + 3 * 10) / 1_000_000
    assert (good["usd"], refused["usd"], textless["usd"]) == (once, 0, once)
    assert late["usd"] > 20 * once  # every byte as a token, and the longest reply
    (cost,) = costs(out)
    assert (cost["requests"], cost["requests_in_doubt"]) == (3, 1)
    assert cost["usd_billed"] == 2 * once
    assert cost["usd_in_doubt"] == late["usd"]
    states = ledger(out, "SELECT state, count(*) FROM requests GROUP BY state ORDER BY state")
    assert states == [("in_doubt", 1), ("not_billed", 1), ("settled", 2)]


def test_a_model_without_a_price_stops_the_run_before_it_starts(
    tmp_path: Path, scripted: Callable[..., Scripted]
) -> None:
    server = scripted(completion('{"label":"card"}'))
    table, config = write_rows(tmp_path / "t.parquet", [1]), tmp_path / "c.toml"
    config.write_text(f'model = "{server.model}"\n')
    arguments = ["classify", table, "--labels", ",".join(LABELS), "-o", tmp_path / "out", "--config", config]
    ran = slmbatch(*arguments)
    assert ran.code == 2
    assert f"{server.model}: no price is known" in ran.err
    assert f"--price {server.model}=INPUT/OUTPUT" in ran.err
    assert not server.asked
    assert slmbatch(*arguments, "--price", f"{server.model}=0").code == 0
    for wrong in ("x=1/2", f"{server.model}=1", f"{server.model}=a/b", f"{server.model}=-1/2", "llamacpp:m=1/2"):
        ran = slmbatch(*arguments, "--price", wrong, "--model", wrong.partition("=")[0])
        assert ran.code == 2, wrong
        assert "Traceback" not in ran.err


class Counting:
    """A server with prices of its own mind: random usage within what was allowed, random latency, faults."""

    def __init__(self, dice: Random, price: Price) -> None:
        self._dice, self._price = dice, price
        self.spent = Decimal(0)
        self.asked: Counter[bytes] = Counter()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.asked[body] += 1
        await asyncio.sleep(self._dice.choice((0.0, 0.001, 0.01)))
        fate = self._dice.random()
        if fate < 0.1:
            return web.Response(status=self._dice.choice((429, 500)), headers={"Retry-After": "0"})
        usage = Usage(self._dice.randint(1, len(body)), 0, self._dice.randint(1, 20))
        self.spent += self._price.of_usage(usage)  # from here on it's billed, whatever becomes of the reply
        if fate < 0.15:
            await asyncio.sleep(0.4)
        if fate < 0.2 and request.transport is not None:  # else the client has given up already
            request.transport.close()
        counted = {"prompt_tokens": usage.input_tokens, "completion_tokens": usage.output_tokens}
        choice = {"message": {"content": None if fate < 0.25 else "{}"}}
        return web.json_response({"choices": [choice], "usage": counted})


async def spend(seed: int, folder: Path) -> tuple[Decimal, Decimal, Decimal, int]:
    """Ask a counting server under a random cap; return the cap, both sides' sums, and how many didn't fit."""
    dice = Random(seed)
    price = Price((Rates(Decimal(dice.randint(1, 9)), Decimal(dice.randint(1, 30))),))
    cap = Decimal(dice.randint(1, 60)) / 10_000 if seed % UNCAPPED else Decimal(1)
    server = Counting(dice, price)
    application = web.Application()
    application.router.add_post("/v1/chat/completions", server.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    purse = Purse(cap)
    purse.open(Ledger(folder / f"{seed}.sqlite", "run"))
    wire = HttpWire(f"http://127.0.0.1:{port}/v1", dialect=COMPATIBLE, key="", timeout_s=0.2, connections=8)
    metered = MeteredWire(wire, purse, OnlinePayer(wire, purse, tier="t", price=price))
    client = ChatClient(metered, model="m", dialect=COMPATIBLE, policy=RetryPolicy(3, 5.0))
    await client.open()
    asked = [
        client.complete(Request((Message("user", f"{number} " * dice.randint(1, 40)),), SHAPE, 20, 0))
        for number in range(REQUESTS)
    ]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    strange = [one for one in outcomes if isinstance(one, BaseException) and not isinstance(one, RequestError)]
    assert not strange, strange
    await client.close()
    await purse.close()
    ledger = Ledger(folder / f"{seed}.sqlite", "run")
    counted = from_pico(ledger.spent())
    ledger.close()
    await runner.cleanup()
    return cap, server.spent, counted, sum(isinstance(one, OverBudget) for one in outcomes)


@pytest.mark.timeout(300)
def test_no_run_of_two_hundred_spends_more_than_its_cap(tmp_path: Path) -> None:
    stopped = 0
    for seed in range(RUNS):
        cap, billed, counted, refused = asyncio.run(spend(seed, tmp_path))
        assert billed <= counted <= cap, seed
        stopped += refused > 0
    assert RUNS // 4 < stopped <= RUNS - RUNS // UNCAPPED  # the cap mattered often, and never where it shouldn't


def capped(tmp_path: Path, server: Scripted, *, cap: str) -> Ran:
    """Run five rows against a server that counts like this."""
    table = write_table(tmp_path / "t.parquet", [f"text {number}" for number in range(5)])
    config = tmp_path / "c.toml"
    config.write_text(f'[tier."{server.model}"]\nconcurrency = 1\nprice = {{input = "1", output = "10"}}\n')
    where = ["--model", server.model, "--labels", ",".join(LABELS), "-o", tmp_path / "out", "--config", config]
    return slmbatch("classify", table, *where, "--max-usd", cap)


def counting(usage: dict[str, object], **choice: object) -> Reply:
    message = {"message": {"role": "assistant", "content": json.dumps({"label": LABELS[0]})}, **choice}
    return Reply(body=json.dumps({"choices": [message], "usage": usage}))


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 10**19, "completion_tokens": 3},
        {"prompt_tokens": 10, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 5000}},
        {"prompt_tokens": -5, "completion_tokens": 3},
    ],
)
def test_counts_that_can_not_be_are_in_doubt(
    tmp_path: Path, scripted: Callable[..., Scripted], usage: dict[str, object]
) -> None:
    ran = capped(tmp_path, scripted(counting(usage)), cap="1")
    assert ran.code == 0, ran
    (cost,) = costs(tmp_path / "out")
    assert (cost["requests_in_doubt"], cost["usd_billed"]) == (5, 0)
    assert cost["usd_in_doubt"] > 0  # type: ignore[operator]


def test_a_server_that_counts_more_than_can_be_ends_a_capped_run(
    tmp_path: Path, scripted: Callable[..., Scripted]
) -> None:
    server = scripted(counting({"prompt_tokens": 100_000, "completion_tokens": 30_000}))
    ran = capped(tmp_path, server, cap="5")
    assert ran.code == 1
    assert "--max-usd can't be kept" in ran.err
    assert len(server.asked) == 1


def test_a_reply_that_breaks_our_reading_of_it_leaves_no_row_waiting_for_budget(
    tmp_path: Path, scripted: Callable[..., Scripted]
) -> None:
    token = {"token": "x", "logprob": -0.1, "bytes": [300], "top_logprobs": []}
    server = scripted(counting({"prompt_tokens": 7, "completion_tokens": 3}, logprobs={"content": [token]}))
    ran = capped(tmp_path, server, cap="0.002")
    assert ran.code == 4, ran
    assert {row["status"] for row in results(tmp_path / "out")} == {"failed"}


def test_a_price_of_a_tier_that_is_not_there_is_refused(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    server, table = loopback(), write_rows(tmp_path / "t.parquet", range(3))
    ran = slmbatch(*command(table, tmp_path / "out", server, "--price", "openai:other=1/2"))
    assert (ran.code, server.asked().total()) == (2, 0)
    assert "--price openai:other: this run has no such tier." in ran.err
