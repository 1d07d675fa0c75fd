"""What a run cost: every request of every tier counted once, in decimals that add up."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq

from tests.harness import LABELS, Loopback, results, slmbatch, write_rows


def test_a_price_times_the_tokens_is_the_bill_to_the_last_digit(
    tmp_path: Path, loopback: Callable[..., Loopback]
) -> None:
    """The loopback server says 100 tokens in, 80 of them cached, 3 out, for every request."""
    first, second, out = loopback(), loopback(), tmp_path / "out"
    table = write_rows(tmp_path / "t.parquet", [*range(40), *range(10)])  # ten texts are there twice
    config = tmp_path / "c.toml"
    config.write_text(
        f'threshold = 0.99\nmodel = "{first.model}"\nescalate = ["{second.model}"]\n'
        f'[tier."{first.model}".price]\ninput = "0.15"\ncached_input = "0.075"\noutput = 0.6\nsource = "list of May"\n'
        f'[tier."{second.model}".price]\ninput = 3\noutput = "15"\n'
    )
    arguments = ["classify", table, "--labels", ",".join(LABELS), "-o", out, "--config", config, "--json"]
    report = json.loads(slmbatch(*arguments).out)
    # USD per million: 20 x 0.15 + 80 x 0.075 + 3 x 0.6 = 10.8, and without a cached price 100 x 3 + 3 x 15 = 345.
    small, large = Decimal("0.0000108"), Decimal("0.000345")
    costs = pq.read_table(out / "cost.parquet").to_pylist()
    assert [cost["usd"] for cost in costs] == [40 * small, 40 * large]
    assert [cost["price_source"] for cost in costs] == [
        "list of May (0.15/0.6 USD per million in/out)",
        "configuration file (3/15 USD per million in/out)",
    ]
    assert [
        (cost["requests"], cost["input_tokens"], cost["cached_tokens"], cost["output_tokens"]) for cost in costs
    ] == [(40, 4000, 3200, 120)] * 2
    assert Decimal(report["usd"]) == 40 * (small + large) == Decimal("0.014232")
    rows = results(out)
    assert [row["usd"] for row in rows] == [small + large] * 40 + [0] * 10
    assert [row["requests"] for row in rows] == [2] * 40 + [0] * 10
    again = json.loads(slmbatch(*arguments).out)
    assert [tier["usd"] for tier in again["tiers"]] == [tier["usd"] for tier in report["tiers"]]


def test_the_bill_compares_with_the_top_tier_alone_and_a_listed_one(
    tmp_path: Path, loopback: Callable[..., Loopback]
) -> None:
    first, second, out = loopback(), loopback(), tmp_path / "out"
    table = write_rows(tmp_path / "t.parquet", [*range(40), *range(10)])
    prices = ["--price", f"{first.model}=0.10/1", "--price", f"{second.model}=2/10"]
    arguments = [table, "--labels", ",".join(LABELS), "-o", out, "--model", first.model, "--escalate", second.model]
    bill = json.loads(slmbatch("classify", *arguments, "--threshold", 0.99, *prices, "--json").out)["bill"]
    # 100 in (cached ones have no price of their own), 3 out: 13 millionths at the first server, 230 at the second. All
    # were asked at both, so the second alone costs 40 x 230: what the first one cost is lost.
    small, large = Decimal("0.000013"), Decimal("0.000230")
    assert Decimal(bill["total"]["usd"]) == 40 * (small + large)
    assert Decimal(bill["all_to"]["usd"]) == Decimal(bill["all_to"]["usd_answered"]) == 40 * large
    assert Decimal(bill["saving"]["usd"]) == -40 * small
    assert bill["saving"]["percent"] == "-5.7"  # 13 / 230
    asked = ["report", out, "--volume", 1000, "--compare-to", "openai:m", "--price", "openai:m=3/5", "--json"]
    again = json.loads(slmbatch(*asked).out)["bill"]
    # 50 rows are 40 texts of 100 tokens in (of which 80 % are other servers' cache) and 3 out: 315 millionths each.
    assert Decimal(again["all_to"]["usd"]) == 40 * Decimal("0.000315")
    assert again["total"] == bill["total"]
    assert Decimal(again["projection"]["all_to"]["year"]["usd"]) == 12 * 20 * 40 * Decimal("0.000315")
    shown = slmbatch("report", out, "--compare-to", "openai:gpt-5-mini").out
    assert "all to openai:gpt-5-mini" in shown
    assert "list price of openai/gpt-5-mini on 20" in shown


def test_a_tier_without_a_price_cannot_be_compared_with(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    out = tmp_path / "out"
    table = write_rows(tmp_path / "t.parquet", range(3))
    assert slmbatch("classify", table, "--labels", ",".join(LABELS), "-o", out, "--model", loopback().model).code == 0
    report = json.loads(slmbatch("report", out, "--json").out)
    assert (report["bill"]["all_to"], report["bill"]["saving"]) == (None, None)
    ran = slmbatch("report", out, "--compare-to", "openai:no-such-model-9000")
    assert ran.code == 2
    assert "--price openai:no-such-model-9000=INPUT/OUTPUT" in ran.err


def test_a_server_paid_by_the_hour_costs_its_busy_time(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    server, config = loopback(latency_s=0.1), tmp_path / "c.toml"
    table = write_rows(tmp_path / "t.parquet", range(3))
    arguments = ["classify", table, "--labels", ",".join(LABELS), "--config", config, "--json", "-o", tmp_path / "out"]
    config.write_text(f'model = "{server.model}"\n[tier."{server.model}"]\nusd_per_hour = 36\n')
    (tier,) = json.loads(slmbatch(*arguments).out)["tiers"]
    assert 0.1 <= tier["busy_s"] < 10
    assert abs(Decimal(tier["usd"]) - Decimal("0.01") * Decimal(str(tier["busy_s"]))) < Decimal("0.0001")
