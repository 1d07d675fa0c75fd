"""What a run would cost, before it's paid for: by assumptions, or by a sample whose answers the run then has."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.harness import (
    LABELS,
    Asked,
    Loopback,
    Reply,
    Scripted,
    completion,
    results,
    slmbatch,
    write_rows,
    write_table,
)
from tests.readers.made import text_pdf

from .test_longdocs import FIELDS, FILLER, LISTS, pages, reading

ROWS = 400
PRICE = "1/10"
PER_TOKEN = 3.75  # characters; the median of what a forecast assumes
ONCE = Decimal(100 * 1 + 3 * 10) / 1_000_000  # what the loopback server's 100 and 3 tokens cost


def estimated(*command: object) -> dict[str, Any]:
    ran = slmbatch(*command, "--dry-run", "--json")
    assert ran.code == 0, ran
    facts: dict[str, Any] = json.loads(ran.out)
    return facts


def command(table: Path, out: Path, first: str, paid: str) -> list[object]:
    tiers = ["--model", first, "--escalate", paid, "--price", f"{paid}={PRICE}", "--threshold", "0.9"]
    return ["classify", table, "--labels", ",".join(LABELS), "-o", out, *tiers]


def test_a_dry_run_asks_nothing_and_says_what_it_assumes(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    table, out = write_rows(tmp_path / "rows.parquet", range(ROWS)), tmp_path / "out"
    free, paid = loopback(), loopback()
    run = command(table, out, free.model, paid.model)
    rest = estimated(*run)["rest"]
    assert (rest["contents"], rest["sampled"], rest["seconds_p50"]) == (ROWS, 0, None)
    assert free.asked().total() == paid.asked().total() == 0
    assert not out.exists()
    first, second = rest["tiers"]
    assert (first["share"], first["usd_p95"], second["measured"]) == (1.0, "0.000000", False)
    assert 0.1 < second["share"] < 0.3
    assert 0 < Decimal(rest["usd_p50"]) < Decimal(rest["usd_p95"]) < Decimal(rest["top_usd_p50"])
    told = slmbatch(*run, "--dry-run")
    assert "are assumed to go up" in told.out


def test_a_dry_run_counts_what_a_certificate_takes(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    table, out = write_rows(tmp_path / "rows.parquet", range(ROWS)), tmp_path / "out"
    free, paid = loopback(), loopback()
    run = command(table, out, free.model, paid.model)
    shares = [
        estimated(*run, "--target", target, *more)["rest"]["tiers"][1]["share"]
        for target, more in (("0.9", ()), ("0.95", ()), ("0.9", ("--per", "class")), ("0.999", ()))
    ]
    assert 0.3 < shares[0] < min(shares[1:3])
    assert max(shares[1:3]) < shares[3] == 1.0  # so much can't be promised of so few rows
    assert paid.asked().total() == 0
    told = slmbatch(*run, "--target", "0.9", "--dry-run")
    assert "what a certificate is planned to take" in told.out


def test_a_pilot_measures_and_its_answers_are_the_run_s(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    table, out = write_rows(tmp_path / "rows.parquet", range(ROWS)), tmp_path / "out"
    free, paid = loopback(faults="malformed=0.25"), loopback()  # a row in four goes up
    run = [*command(table, out, free.model, paid.model)]
    facts = estimated(*run, "--pilot", "80", "--quiet")
    rest = facts["rest"]
    asked = paid.asked().total()
    assert (free.asked().total(), rest["contents"], rest["sampled"]) == (80, ROWS - 80, 80)
    assert Decimal(facts["usd_spent"]) == asked * ONCE
    low, high = rest["tiers"][1]["share_interval"]
    assert low < asked / 80 < high
    assert low < 0.25 < high
    per_row = Decimal(rest["usd_p50"]) / (ROWS - 80)
    assert per_row * 2 / 3 < ONCE * asked / 80 < per_row * 3 / 2
    assert rest["seconds_p50"] > 0
    assert not (out / "results.parquet").exists()

    again = estimated(*run, "--pilot", "80", "--quiet")
    assert (free.asked().total(), again["rest"]["contents"]) == (80, ROWS - 80)  # the same sample

    assert slmbatch(*run).code == 0
    assert free.asked() == dict.fromkeys(range(ROWS), 1)
    assert len(results(out)) == ROWS
    assert set(paid.asked().values()) == {1}
    real = Decimal(json.loads((out / "report.json").read_text())["usd"])
    assert real == paid.asked().total() * ONCE
    assert real - Decimal(facts["usd_spent"]) < Decimal(rest["usd_p95"])


def test_a_pilot_needs_a_dry_run(tmp_path: Path) -> None:
    table = write_rows(tmp_path / "rows.parquet", range(3))
    ran = slmbatch("classify", table, "--labels", "a,b", "-o", tmp_path / "out", "--pilot", "5")
    assert ran.code == 2
    assert "--pilot belongs to --dry-run." in ran.err


def test_estimate_is_the_dry_run_of_either_task(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    table, server = write_rows(tmp_path / "rows.parquet", range(20)), loopback()
    where = [table, "-o", tmp_path / "out", "--model", server.model, "--json"]
    labels = ["--labels", ",".join(LABELS)]
    by_verb = json.loads(slmbatch("estimate", *where, *labels).out)
    assert by_verb == json.loads(slmbatch("classify", *where, *labels, "--dry-run").out)
    assert by_verb["task"] == "classify"
    schema = Path(__file__).parents[2] / "schemas" / "ticket.schema.json"
    assert json.loads(slmbatch("estimate", *where, "--schema", schema).out)["task"] == "extract"
    ran = slmbatch("estimate", *where, *labels, "--schema", schema)
    assert (ran.code, ran.err.splitlines()[0]) == (2, "slmbatch: --labels or --schema is needed, one of them.")


def test_a_pilot_that_the_budget_stops_measures_nothing(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    table, out = write_rows(tmp_path / "rows.parquet", range(60)), tmp_path / "out"
    free, paid = loopback(faults="malformed=0.5"), loopback()
    run = command(table, out, free.model, paid.model)
    ran = slmbatch(*run, "--dry-run", "--pilot", "30", "--max-usd", "0.0001")
    assert ran.code == 4, ran
    assert "nothing is measured" in ran.err
    rest = estimated(*run)["rest"]
    assert 30 < rest["contents"] < 60  # those that wait for the budget are still to do


def counting(characters: list[int], answer: Callable[[Asked], Reply]) -> Callable[[Asked], Reply]:
    """Answer, and count a token for each PER_TOKEN characters of the prompt."""

    def by(asked: Asked) -> Reply:
        characters.append(sum(len(message["content"]) for message in asked.body["messages"]))
        usage = {"prompt_tokens": round(characters[-1] / PER_TOKEN), "completion_tokens": 3}
        return Reply(body=json.dumps(json.loads(answer(asked).body) | {"usage": usage}))

    return by


def forecast_beside_bill(tmp_path: Path, server: Scripted, context: int, *command: object) -> tuple[float, float]:
    """Estimate a run, carry it out, and return USD as forecast (the median) and as billed; replies cost nothing."""
    config, out = tmp_path / "c.toml", tmp_path / "out"
    config.write_text(f'[tier."{server.model}"]\ncontext_tokens = {context}\n')
    run = [*command, "-o", out, "--config", config, "--model", server.model, "--price", f"{server.model}=10/0"]
    coming = estimated(*run)["rest"]
    assert not server.asked
    ran = slmbatch(*run)
    assert ran.code == 0, ran.err
    return float(coming["usd_p50"]), float(json.loads((out / "report.json").read_text())["usd"])


def test_the_forecast_knows_that_a_long_list_is_asked_for_in_pieces(
    tmp_path: Path, scripted: Callable[..., Scripted]
) -> None:
    (tmp_path / "schema.json").write_text(json.dumps(LISTS))
    (tmp_path / "in").mkdir()
    for number in (1, 8, 16):
        told = [f"Copy for file {number}\n{page}" for page in pages(row_pages=number)]  # the same piece is paid once
        (tmp_path / "in" / f"{number}.pdf").write_bytes(text_pdf(told))
    shown: list[int] = []
    server = scripted(by=counting(shown, reading()))
    run = ["extract", tmp_path / "in", "--schema", tmp_path / "schema.json"]
    forecast, billed = forecast_beside_bill(tmp_path, server, 1200, *run)
    assert len(shown) > 2 * 3
    assert forecast == pytest.approx(billed, rel=0.05)


def test_the_forecast_knows_that_passages_are_tried_before_pieces(
    tmp_path: Path, scripted: Callable[..., Scripted]
) -> None:
    """They suffice for three of these four texts, as is assumed."""

    def filler(lines: int) -> str:
        return "".join(f"{next(numbers)} {FILLER}" for _ in range(lines))

    numbers = count()  # the same piece is paid once
    (tmp_path / "schema.json").write_text(json.dumps(FIELDS))
    decoy = "The invoice and its number are named in the annex of the invoice.\n" * 40
    texts = [f"{decoy}{filler(60)}Ref R-0\n{filler(60)}Total 119.00"]
    texts += [f"{filler(85)}Invoice no R-{row}\n{filler(60)}Total 119.00" for row in (1, 2, 3)]
    shown: list[int] = []
    server = scripted(by=counting(shown, reading()))
    run = ["extract", write_table(tmp_path / "t.parquet", texts), "--schema", tmp_path / "schema.json"]
    forecast, billed = forecast_beside_bill(tmp_path, server, 2000, *run)
    assert len(shown) > 4
    assert forecast == pytest.approx(billed, rel=0.1)


def test_the_forecast_knows_that_of_a_long_text_both_ends_are_classified(
    tmp_path: Path, scripted: Callable[..., Scripted]
) -> None:
    texts = [f"{number} " + "blah " * length for number, length in enumerate((20, 5000, 9000))]
    table = write_table(tmp_path / "t.parquet", texts)
    server = scripted(by=counting([], lambda _: completion('{"label": "card"}')))
    run = ["classify", table, "--labels", ",".join(LABELS)]
    forecast, billed = forecast_beside_bill(tmp_path, server, 600, *run)
    assert forecast == pytest.approx(billed, rel=0.05)


def test_the_forecast_knows_that_later_tiers_are_asked_for_doubtful_fields_alone(tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text(json.dumps(FIELDS))
    table = write_table(tmp_path / "t.parquet", [f"Invoice no R-{row}\n{FILLER * 10}Total 119.00" for row in range(50)])
    run = ["extract", table, "--schema", tmp_path / "schema.json", "-o", tmp_path / "out", "--model", "rules"]
    run += ["--escalate", "openai:m@http://127.0.0.1:9/v1", "--price", "openai:m@http://127.0.0.1:9/v1=1/10"]
    by_field, whole = (estimated(*run, *flags)["rest"] for flags in ((), ("--ask-whole",)))
    assert 0.35 < float(by_field["usd_p50"]) / float(whole["usd_p50"]) < 0.95
    assert float(by_field["top_usd_p50"]) == pytest.approx(float(whole["top_usd_p50"]), rel=0.05)
