"""A run that escalates fields: what is sent and paid, what the bill says was spared, and that a kill costs nothing."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.harness import Asked, Reply, Scripted, completion, kill, results, slmbatch, start, wait_until, write_table

ROWS = 30
SCHEMA = {
    "type": "object",
    "required": ["invoice_id", "issued", "total", "project"],
    "properties": {
        "invoice_id": {"type": "string", "x-slmbatch": {"kind": "identifier", "labels": ["Invoice no"]}},
        "issued": {"type": "string", "format": "date", "x-slmbatch": {"labels": ["Invoice date"]}},
        "total": {"type": "number", "x-slmbatch": {"labels": ["Total amount"], "pick": "largest"}},
        "project": {"type": "string", "description": "Code name of the project that was worked on."},
    },
}


def text(number: int) -> str:
    return (
        f"Muster Metallbau GmbH\nInvoice no: R-{100 + number}\nInvoice date: 12.03.2026\n"
        f"We thank you for your trust in us during our work on Falcon{number}, which went well.\n"
        "Net amount 100.00 EUR\nVAT 19.00 EUR\nTotal amount 119.00 EUR\n"
    )


def knows(asked: Asked) -> Reply:
    """Answer what is asked for, and nothing else."""
    found = re.search(r"R-(\d+)\n", asked.text)
    assert found
    right = {
        "invoice_id": f"R-{found[1]}",
        "issued": "12.03.2026",
        "total": 119.0,
        "project": f"Falcon{int(found[1]) - 100}",
    }
    wanted = asked.body["response_format"]["json_schema"]["schema"]["properties"]
    return completion(json.dumps({name: right[name] for name in wanted}))


def command(tmp_path: Path, out: Path, server: Scripted, *more: object) -> list[object]:
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps(SCHEMA))
    table = write_table(tmp_path / "t.parquet", [text(number) for number in range(ROWS)])
    tiers = ["--model", "rules", "--escalate", server.model, "--price", f"{server.model}=1/10"]
    return ["extract", table, "--schema", schema, "-o", out, *tiers, *more]


def rows_right(out: Path) -> None:
    for number, row in enumerate(results(out)):
        assert row["status"] == "accepted", row
        assert (row["values"]["invoice_id"], row["values"]["project"]) == (f"R-{100 + number}", f"Falcon{number}")


def test_only_the_missing_field_is_asked_for_and_the_bill_says_what_that_spared(
    tmp_path: Path, scripted: Callable[..., Scripted]
) -> None:
    server, out = scripted(by=knows), tmp_path / "out"
    ran = slmbatch(*command(tmp_path, out, server), "--json")
    assert ran.code == 0, ran.err
    rows_right(out)
    assert len(server.asked) == ROWS
    for asked in server.asked:
        assert list(asked.body["response_format"]["json_schema"]["schema"]["properties"]) == ["project"]
        assert "invoice_id" not in asked.body["messages"][0]["content"]
    rules, paid = pq.read_table(out / "cost.parquet").to_pylist()
    assert (rules["spared_input_tokens"], rules["usd_spared"]) == (0, 0)
    assert paid["usd_billed"] == ROWS * Decimal(7 * 1 + 3 * 10) / 1_000_000
    spared = Decimal(paid["spared_input_tokens"] * 1 + paid["spared_output_tokens"] * 10) / 1_000_000
    assert paid["usd_spared"] == spared > 0
    bill = json.loads(ran.out)["bill"]
    assert Decimal(bill["fields_alone"]["usd"]) == spared
    assert bill["fields_alone"]["basis"].startswith("estimated: ")
    assert Decimal(bill["all_to"]["usd"]) == paid["usd_billed"] + spared  # there, every row is asked for everything
    tiers = {one["path"]: one["tier"] for one in pq.read_table(out / "fields.parquet").to_pylist()}
    assert tiers == {"invoice_id": "rules", "issued": "rules", "total": "rules", "project": server.model}


def test_everything_is_asked_again_where_that_is_wanted(tmp_path: Path, scripted: Callable[..., Scripted]) -> None:
    server, out = scripted(by=knows), tmp_path / "out"
    ran = slmbatch(*command(tmp_path, out, server), "--ask-whole", "--json")
    assert ran.code == 0, ran.err
    rows_right(out)
    for asked in server.asked:
        wanted = asked.body["response_format"]["json_schema"]["schema"]["properties"]
        assert list(wanted) == list(SCHEMA["properties"])  # type: ignore[call-overload]
    assert json.loads(ran.out)["bill"]["fields_alone"] is None
    other = slmbatch(*command(tmp_path, out, server))
    assert other.code == 2
    assert "ask_whole" in other.err


@pytest.mark.timeout(120)
def test_a_kill_pays_for_no_field_twice(tmp_path: Path, scripted: Callable[..., Scripted]) -> None:
    answered: list[str] = []

    def slowly(asked: Asked) -> Reply:
        answered.append(json.dumps(asked.body, sort_keys=True))
        return Reply(body=knows(asked).body, after_s=0.05)

    server, out = scripted(by=slowly), tmp_path / "out"
    config = tmp_path / "config.toml"
    config.write_text(f'[tier."{server.model}"]\nconcurrency = 2\n')
    run = command(tmp_path, out, server, "--config", config, "--quiet")
    for moment in (8, 20):
        process = start(*run)
        wait_until(lambda moment=moment: len(answered) >= moment, f"{moment} requests")  # type: ignore[misc]
        kill(process)
    ran = slmbatch(*run)
    assert ran.code == 0, ran.err
    rows_right(out)
    (paid,) = [one for one in pq.read_table(out / "cost.parquet").to_pylist() if one["tier"] == server.model]
    times = Counter(answered)
    assert len(times) == ROWS  # the same question each time
    assert times.total() - ROWS <= paid["requests_in_doubt"] <= 2 * 2  # two kills, two under way


def test_labels_have_no_fields_to_ask_for(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.parquet", ["hello"])
    ran = slmbatch("classify", table, "--labels", "a,b", "-o", tmp_path / "out", "--ask-whole")
    assert (ran.code, "--ask-whole" in ran.err) == (2, True)
