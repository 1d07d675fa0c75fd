"""Batch endpoints: half the price, each answer paid once, whatever the provider leaves undone and whenever we die."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.batch_provider import INPUT, OUTPUT, BatchProvider
from tests.harness import LABELS, Ran, kill, results, right_label, slmbatch, start, wait_until, write_rows

ROWS = 40
ONLINE_USD = Decimal(INPUT * 2 + OUTPUT * 10) / 1_000_000
BATCH_USD = ONLINE_USD / 2
CONFIG = """
[tier."{tier}"]
attempts = 2
batch = true
batch_poll_s = {poll_s}
batch_rows = {rows}
batch_wait_h = {wait_h}
price = {{input = "2", output = "10", batch_discount = "0.5", source = "contract"}}
"""


def command(
    tmp_path: Path,
    provider: BatchProvider,
    *more: object,
    engine: str = "openai",
    wait_h: float = 1,
    rows: int = 1000,
    poll_s: float = 0.05,
) -> list[object]:
    tier = f"{engine}:m@{provider.url}"
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(tier=tier, wait_h=wait_h, rows=rows, poll_s=poll_s))
    table = write_rows(tmp_path / "rows.parquet", range(ROWS))
    where = [table, "--labels", ",".join(LABELS), "-o", tmp_path / "out", "--model", tier, "--config", config]
    return ["classify", *where, *more]


def requests(tmp_path: Path) -> dict[str, int]:
    """How many requests the ledger has in each state."""
    with sqlite3.connect(tmp_path / "out" / ".slmbatch" / "ledger.sqlite") as ledger:
        return dict(ledger.execute("SELECT state, count(*) FROM requests GROUP BY state"))


def bill(tmp_path: Path) -> dict[str, object]:
    (cost,) = pq.read_table(tmp_path / "out" / "cost.parquet").to_pylist()
    return dict(cost)


def all_right(tmp_path: Path, ran: Ran) -> None:
    assert ran.code == 0, ran
    assert [row["label"] for row in results(tmp_path / "out")] == [right_label(row) for row in range(ROWS)]


def test_one_batch_answers_everything_at_half_the_price(tmp_path: Path, provider: Callable[..., BatchProvider]) -> None:
    server = provider()
    all_right(tmp_path, slmbatch(*command(tmp_path, server)))
    assert (len(server.batches), server.online.total()) == (1, 0)
    assert server.answered == dict.fromkeys(range(ROWS), 1)
    cost = bill(tmp_path)
    assert (cost["usd"], cost["usd_in_doubt"], cost["requests"]) == (ROWS * BATCH_USD, 0, ROWS)
    batched, online = str(cost["price_source"]).split("; asked online: ")
    assert batched == "contract, 50% off for batches (1/5 USD per million in/out)"
    assert online == "contract (2/10 USD per million in/out)"
    assert sorted(server.deleted) == ["batch_0-output", "file-0"]  # the provider keeps no documents


@pytest.mark.parametrize("engine", ["openai", "anthropic"])
def test_what_a_batch_leaves_undone_is_sent_again_and_what_it_did_is_paid_once(
    tmp_path: Path, provider: Callable[..., BatchProvider], engine: str
) -> None:
    def script(number: int, row: int) -> str:
        if row == 7:
            return "error"
        return {0: "expired", 1: "twice", 2: "busy"}.get(row % 5, "ok") if number == 0 else "ok"

    server = provider(script=script)
    ran = slmbatch(*command(tmp_path, server, engine=engine))
    assert ran.code == 0, ran
    rows = results(tmp_path / "out")
    assert [row["status"] for row in rows] == ["failed" if row == 7 else "accepted" for row in range(ROWS)]
    assert "not this one" in rows[7]["reason"]
    assert server.answered == {row: 1 for row in range(ROWS) if row != 7}
    assert server.online.total() == 0
    assert len(server.batches) == 2
    assert bill(tmp_path)["usd"] == (ROWS - 1) * BATCH_USD
    assert requests(tmp_path) == {"settled": ROWS - 1, "not_billed": 8 + 7 + 1}


def test_a_result_that_a_finished_batch_lacks_is_in_doubt_and_asked_again(
    tmp_path: Path, provider: Callable[..., BatchProvider]
) -> None:
    server = provider(script=lambda number, row: "missing" if (number, row) == (0, 3) else "ok")
    all_right(tmp_path, slmbatch(*command(tmp_path, server)))
    assert requests(tmp_path) == {"settled": ROWS, "in_doubt": 1}
    cost = bill(tmp_path)
    assert cost["usd_billed"] == ROWS * BATCH_USD
    assert cost["usd_in_doubt"] > BATCH_USD  # type: ignore[operator]


def test_what_is_left_when_time_is_up_is_asked_online(tmp_path: Path, provider: Callable[..., BatchProvider]) -> None:
    server = provider(takes_s=1000)
    all_right(tmp_path, slmbatch(*command(tmp_path, server, wait_h=0.5 / 3600)))
    assert [batch.cancelled for batch in server.batches.values()] == [True]
    assert (server.answered.total(), server.online) == (0, dict.fromkeys(range(ROWS), 1))
    assert bill(tmp_path)["usd"] == ROWS * ONLINE_USD


def test_batches_are_as_small_as_there_are_places_for_rows(
    tmp_path: Path, provider: Callable[..., BatchProvider]
) -> None:
    server = provider()
    all_right(tmp_path, slmbatch(*command(tmp_path, server, rows=8, poll_s=0.2)))
    assert max(len(batch.requests) for batch in server.batches.values()) == 8


@pytest.mark.parametrize("engine", ["openai", "anthropic"])
@pytest.mark.parametrize("moment", ["before it is sent", "before its id is known", "while it runs"])
def test_a_killed_run_s_batches_are_fetched_not_sent_again(
    tmp_path: Path, provider: Callable[..., BatchProvider], moment: str, engine: str
) -> None:
    server = provider(takes_s=1.5)
    run = command(tmp_path, server, engine=engine)
    batches_at = "/batches" if engine == "openai" else "/messages/batches"
    upload = "POST /files" if engine == "openai" else "POST /messages/batches"
    if moment == "before it is sent":
        server.faults[upload] = [503] * 100
    elif moment == "before its id is known":  # it's made, but the answer never comes
        server.faults[f"POST {batches_at}"] = [None]
        server.faults[f"GET {batches_at}"] = [503] * 100
    process = start(*run)
    if moment == "before it is sent":
        wait_until(lambda: len(server.faults[upload]) < 100, "an upload")
    else:
        wait_until(lambda: len(server.batches) == 1, "a batch")
        wait_until(lambda: moment != "while it runs" or batches(tmp_path) == [("batch_0",)], "its id in the ledger")
    kill(process)
    server.faults.clear()
    all_right(tmp_path, slmbatch(*run))
    assert len(server.batches) == 1
    assert server.answered == dict.fromkeys(range(ROWS), 1)
    cost = bill(tmp_path)
    assert (cost["usd"], cost["requests_in_doubt"]) == (ROWS * BATCH_USD, 0)


def batches(tmp_path: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(tmp_path / "out" / ".slmbatch" / "ledger.sqlite") as ledger:
        return ledger.execute("SELECT provider_id FROM batches").fetchall()


def test_ten_kills_at_any_moment_pay_for_nothing_twice(tmp_path: Path, provider: Callable[..., BatchProvider]) -> None:
    server = provider(takes_s=0.4)
    run = command(tmp_path, server, rows=8)
    for number in range(10):
        process = start(*run)
        time.sleep(0.6 + 0.17 * number)  # it takes half a second to start
        kill(process)
    all_right(tmp_path, slmbatch(*run))
    assert server.answered == dict.fromkeys(range(ROWS), 1)
    assert bill(tmp_path)["usd"] == ROWS * BATCH_USD


def test_a_batch_of_somebody_else_is_not_taken_for_ours(tmp_path: Path, provider: Callable[..., BatchProvider]) -> None:
    server = provider(takes_s=1)
    server._hold({f"theirs-{row}": {"messages": [{"content": f"[row:{row}]"}], "enum": ["x"]} for row in range(ROWS)})
    server.faults["POST /messages/batches"] = [503] * 100
    run = command(tmp_path, server, engine="anthropic")
    process = start(*run)
    wait_until(lambda: len(server.faults["POST /messages/batches"]) < 100, "an attempt")
    kill(process)
    server.faults.clear()
    all_right(tmp_path, slmbatch(*run))
    assert len(server.batches) == 2
    assert server.deleted == ["batch_1"]
    assert bill(tmp_path)["usd"] == ROWS * BATCH_USD


@pytest.mark.parametrize("engine", ["openai", "anthropic"])
def test_switching_batches_off_still_fetches_what_lies_there(
    tmp_path: Path, provider: Callable[..., BatchProvider], engine: str
) -> None:
    server = provider(takes_s=1.5)
    process = start(*command(tmp_path, server, engine=engine))
    wait_until(lambda: bool(server.batches), "a batch")
    wait_until(lambda: batches(tmp_path) == [("batch_0",)], "its id in the ledger")
    kill(process)
    run = command(tmp_path, server, engine=engine)
    config = tmp_path / "config.toml"
    config.write_text(config.read_text().replace("batch = true", "batch = false"))
    all_right(tmp_path, slmbatch(*run))
    assert (server.answered, server.online.total()) == (dict.fromkeys(range(ROWS), 1), 0)
    assert bill(tmp_path)["usd"] == ROWS * BATCH_USD


def test_another_run_in_the_folder_gets_the_answers_and_not_the_bill(
    tmp_path: Path, provider: Callable[..., BatchProvider]
) -> None:
    server = provider(takes_s=1.5)
    process = start(*command(tmp_path, server))
    wait_until(lambda: bool(server.batches), "a batch")
    wait_until(lambda: batches(tmp_path) == [("batch_0",)], "its id in the ledger")
    kill(process)
    all_right(tmp_path, slmbatch(*command(tmp_path, server, "--overwrite", "--threshold", "0.5", "--max-usd", "0.001")))
    assert server.answered == dict.fromkeys(range(ROWS), 1)
    assert (bill(tmp_path)["usd"], bill(tmp_path)["reused"]) == (0, 0)
    assert {row["usd"] for row in results(tmp_path / "out")} == {0}


def test_a_batch_whose_sending_was_never_answered_is_not_written_off(
    tmp_path: Path, provider: Callable[..., BatchProvider]
) -> None:
    server = provider()
    run = command(tmp_path, server)
    server.faults["POST /batches"], server.faults["GET /batches"] = [None], [403] * 5
    ran = slmbatch(*run)
    assert ran.code == 1
    assert "fetched by the same command" in ran.err
    assert requests(tmp_path) == {"reserved": ROWS}
    server.faults.clear()
    all_right(tmp_path, slmbatch(*run))
    assert server.answered == dict.fromkeys(range(ROWS), 1)
    assert len(server.batches) == 1


def test_a_batch_that_the_provider_has_lost_is_in_doubt_and_asked_again(
    tmp_path: Path, provider: Callable[..., BatchProvider]
) -> None:
    server = provider(takes_s=1.5)
    run = command(tmp_path, server)
    process = start(*run)
    wait_until(lambda: bool(server.batches), "a batch")
    wait_until(lambda: batches(tmp_path) == [("batch_0",)], "its id in the ledger")
    kill(process)
    server.faults["GET /batches/batch_0"] = [404] * 50
    all_right(tmp_path, slmbatch(*run))
    assert requests(tmp_path) == {"settled": ROWS, "in_doubt": ROWS}


def test_a_batch_that_can_not_be_cancelled_is_waited_for(
    tmp_path: Path, provider: Callable[..., BatchProvider]
) -> None:
    server = provider(takes_s=1.5)
    server.faults["POST /batches/batch_0/cancel"] = [400] * 500
    all_right(tmp_path, slmbatch(*command(tmp_path, server, wait_h=0.5 / 3600)))
    assert server.answered == dict.fromkeys(range(ROWS), 1)


def test_a_refused_batch_ends_the_run(tmp_path: Path, provider: Callable[..., BatchProvider]) -> None:
    server = provider()
    server.refuses[0] = "model_not_supported"
    ran = slmbatch(*command(tmp_path, server))
    assert ran.code == 1
    assert "the batch was refused: model_not_supported" in ran.err
    assert "Run without --batch." in ran.err
    assert requests(tmp_path) == {"not_billed": ROWS}


def test_a_crowded_provider_gets_smaller_batches(tmp_path: Path, provider: Callable[..., BatchProvider]) -> None:
    server = provider()
    server.refuses[0] = "token_limit_exceeded"
    run = command(tmp_path, server)
    write_rows(tmp_path / "rows.parquet", range(250))
    assert slmbatch(*run).code == 0
    assert [len(batch.requests) for batch in server.batches.values()] == [250, 125, 125]
    assert server.answered == dict.fromkeys(range(250), 1)


def test_the_cap_counts_what_lies_in_batches(tmp_path: Path, provider: Callable[..., BatchProvider]) -> None:
    server = provider()
    ran = slmbatch(*command(tmp_path, server, "--max-usd", "0.003"))
    assert ran.code == 4, ran
    assert 0 < server.answered.total() < ROWS
    waiting = [row["waits_for"] for row in results(tmp_path / "out")]
    assert waiting.count(None) == server.answered.total()
    assert bill(tmp_path)["usd"] == server.answered.total() * BATCH_USD <= Decimal("0.003")  # type: ignore[operator]


def test_batches_are_refused_where_no_tier_has_them(tmp_path: Path) -> None:
    table = write_rows(tmp_path / "rows.parquet", range(3))
    ran = slmbatch("classify", table, "--labels", ",".join(LABELS), "-o", tmp_path / "out", "--batch")
    assert ran.code == 2
    assert "--batch: no tier is known to have a batch endpoint." in ran.err
