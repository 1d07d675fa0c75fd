"""Three tiers that all fail in their own ways, two of them paid: nothing is missing, and the bill is what was asked."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.harness import (
    EMBEDDED,
    LABELS,
    Loopback,
    descendants,
    finish,
    results,
    right_label,
    slmbatch,
    start,
    wait_until,
    write_rows,
)

ROWS, LOCAL_ROWS, KILLS = 2000, 40, 3
MANY = "500=0.01,429=0.01,hang=0.005,malformed=0.15,context=0.15"
ONCE = Decimal(100 * 1 + 3 * 10) / 1_000_000  # what the loopback server's 100 and 3 tokens cost


def paid(tmp_path: Path, *servers: Loopback, free: Loopback | None = None) -> list[object]:
    """Two paid tiers, and short timeouts for those that hang."""
    config = tmp_path / "config.toml"
    prices = dict.fromkeys(servers, 'price = {input = "1", output = "10"}')
    prices |= {free: 'price = {input = "0", output = "0"}'} if free else {}
    tables = [f'[tier."{server.model}"]\ntimeout_s = 2\n{price}\n' for server, price in prices.items()]
    config.write_text("".join(tables))
    return ["--config", config, *(word for server in servers for word in ("--escalate", server.model))]


def bill(out: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = pq.read_table(out / "cost.parquet").to_pylist()
    return rows


def test_three_faulty_tiers_lose_nothing(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    first, second, third = loopback(faults=MANY, seed=1), loopback(faults=MANY, seed=2), loopback(faults=MANY, seed=3)
    out, table = tmp_path / "out", write_rows(tmp_path / "rows.parquet", range(ROWS))
    tiers = ["--model", first.model, *paid(tmp_path, second, third, free=first)]
    ran = slmbatch("classify", table, "--labels", ",".join(LABELS), "-o", out, *tiers, "--json")
    assert ran.code == 0, ran.err
    rows = results(out)
    assert [row["row"] for row in rows] == list(range(ROWS))
    by_status = Counter(row["status"] for row in rows)
    assert set(by_status) == {"accepted", "failed"}
    for number, row in enumerate(rows):
        if row["status"] == "accepted":
            assert row["label"] == right_label(number)
        else:  # all three failed at it, and the last one says why
            assert (row["label"], row["tiers_tried"]) == (None, 3)
            assert row["reason"].startswith(("malformed_reply: ", "context_too_long: "))
    assert ROWS * 0.3**3 * 0.5 < by_status["failed"] < ROWS * 0.3**3 * 2
    for tier, server, cost in zip((2, 3), (second, third), bill(out)[1:], strict=True):
        assert sorted(server.asked()) == [number for number, row in enumerate(rows) if row["tiers_tried"] >= tier]
        assert cost["usd_billed"] <= server.answered().total() * ONCE <= cost["usd"]  # type: ignore[operator]
    assert Decimal(json.loads(ran.out)["usd"]) == sum(cost["usd"] for cost in bill(out))  # type: ignore[misc]


@pytest.mark.timeout(300)
def test_an_engine_that_is_killed_under_two_paid_tiers_loses_nothing(
    tmp_path: Path, loopback: Callable[..., Loopback]
) -> None:
    second, third = loopback(faults=MANY, seed=2), loopback()
    out, table = tmp_path / "out", write_rows(tmp_path / "rows.parquet", range(LOCAL_ROWS))
    tiers = ["--model", EMBEDDED, *paid(tmp_path, second, third), "--threshold", "0.9"]
    process = start("classify", table, "--labels", ",".join(LABELS), "-o", out, *tiers, "--quiet")
    killed: list[int] = []
    for kills in range(1, KILLS + 1):
        wait_until(lambda kills=kills: second.asked().total() >= 8 * kills, "answers of the engine")  # type: ignore[misc]
        (server,) = descendants(process.pid, "llamacpp_server")
        os.kill(server, signal.SIGKILL)
        killed.append(server)
    ran = finish(process, within_s=200)
    assert ran.code == 0, ran.err
    assert len(set(killed)) == KILLS
    rows = results(out)
    assert [(row["row"], row["status"], row["label"]) for row in rows] == [
        (number, "accepted", right_label(number)) for number in range(LOCAL_ROWS)
    ]
    assert {row["tier"] for row in rows} == {second.model, third.model}
    for server, cost in zip((second, third), bill(out)[1:], strict=True):
        assert server.answered().total() * ONCE <= cost["usd"]  # type: ignore[operator]
