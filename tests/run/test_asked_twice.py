"""The last tier's own noise: some labelled rows are asked about a second time, for real, once, and at its price."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.batch_provider import BatchProvider
from tests.harness import (
    LABELS,
    Asked,
    Loopback,
    Reply,
    Scripted,
    completion,
    kill,
    results,
    right_label,
    row_text,
    slmbatch,
    start,
    wait_until,
    write_rows,
    write_table,
)
from tests.run.test_certified import certificate, edited, first_part, paid

ROWS, TWICE = 300, 12
ONCE = Decimal(7 * 1 + 3 * 10) / 1_000_000  # USD, what a scripted completion's 7 and 3 tokens cost


class Wavering:
    """Answers as the loopback server does, but each third text otherwise when it's asked again."""

    def __init__(self) -> None:
        self.asked: Counter[int] = Counter()

    def __call__(self, asked: Asked) -> Reply:
        row = int(asked.text.partition("[row:")[2].partition("]")[0])
        self.asked[row] += 1
        moved = self.asked[row] > 1 and row % 3 == 0
        return completion(json.dumps({"label": right_label(row + moved)}))


def say_card(columns: dict[str, list[Any]]) -> None:
    columns["label"] = ["card"] * len(columns["label"])


def told(out: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((out / "report.json").read_text())["certificate"]["asked_twice"]
    return report


def cost_of(out: Path, tier: str) -> dict[str, Any]:
    (cost,) = [one for one in pq.read_table(out / "cost.parquet").to_pylist() if one["tier"] == tier]
    return dict(cost)


def test_rows_are_asked_twice_and_what_that_shows_is_told_and_verified(
    tmp_path: Path, loopback: Callable[..., Loopback], scripted: Callable[..., Scripted]
) -> None:
    answers = Wavering()
    table, out = write_rows(tmp_path / "r.parquet", range(ROWS)), tmp_path / "out"
    cheap, top = loopback(), scripted(by=answers)
    run = paid(table, out, cheap, top, "--yes", "--ask-twice", TWICE)
    ran = slmbatch(*run)
    assert ran.code == 0, ran.err
    again = {row for row, times in answers.asked.items() if times == 2}
    sample = certificate(out)["sample"]
    assert (len(again), answers.asked.total(), max(answers.asked.values())) == (TWICE, sample + TWICE, 2)
    same = sum(row % 3 != 0 for row in again)
    assert 0 < same < TWICE
    assert (told(out)["drawn"], told(out)["texts"], told(out)["same"]) == (TWICE, TWICE, same)
    assert [row["label"] for row in results(out)] == [right_label(row) for row in range(ROWS)]  # the first answers stay
    cost = cost_of(out, top.model)
    assert (cost["requests"], cost["usd"]) == (sample + TWICE, (sample + TWICE) * ONCE)
    said = f"Asked twice, the last tier says the same of {same} of {TWICE} texts: "
    assert f"asked twice: {TWICE} of these" in ran.err
    for text in (ran.err, slmbatch("verify", out).out, (out / "report.html").read_text()):
        assert said in text
        assert "the square root of that" in text
    assert slmbatch(*run).code == 0
    assert answers.asked.total() == sample + TWICE  # the same command again asks nothing
    edited(first_part(out, "again"), say_card)
    ran = slmbatch("verify", out)
    assert (ran.code, "asked_twice: stated" in ran.out) == (3, True)


def test_asking_twice_can_be_added_to_a_finished_run(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    table, cheap, top, out = write_rows(tmp_path / "r.parquet", range(ROWS)), loopback(), loopback(), tmp_path / "out"
    run = paid(table, out, cheap, top)
    assert slmbatch(*run, "--yes").code == 0
    before = certificate(out)
    ran = slmbatch(*run, "--ask-twice", TWICE)
    assert (ran.code, "--yes" in ran.err) == (2, True), ran.err
    assert slmbatch(*run, "--ask-twice", TWICE, "--yes").code == 0
    after = certificate(out)
    assert (after["asked_twice"]["same"], after["asked_twice"]["share"]) == (TWICE, 1.0)
    assert {name: after[name] for name in before if name != "files"} == {
        name: one for name, one in before.items() if name != "files"
    }
    assert top.asked().total() == before["sample"] + TWICE
    assert slmbatch("verify", out).code == 0


def test_a_kill_among_the_second_answers_has_none_of_them_asked_again(
    tmp_path: Path, loopback: Callable[..., Loopback]
) -> None:
    table, cheap, top = write_rows(tmp_path / "r.parquet", range(ROWS)), loopback(), loopback(latency_s=0.05)
    plain = paid(table, tmp_path / "out", cheap, top, "--yes", "--quiet")
    assert slmbatch(*plain).code == 0
    sample = top.answered().total()
    run = [*plain, "--ask-twice", sample]
    process = start(*run)
    wait_until(lambda: top.answered().total() >= sample + 5, "five second answers")
    kill(process)
    answered, sent = top.answered().total() - sample, top.asked().total() - sample
    ran = slmbatch(*run)
    assert ran.code == 0, ran.err
    cost = cost_of(tmp_path / "out", top.model)
    thrice = top.asked().total() - 2 * sample
    assert thrice <= cost["requests_in_doubt"]
    assert thrice <= sent - answered + cost["requests_in_doubt"] < sample
    assert told(tmp_path / "out")["texts"] == sample
    asked = top.asked()
    assert slmbatch(*run).code == 0
    assert top.asked() == asked
    assert slmbatch("verify", tmp_path / "out").code == 0


def test_a_budget_that_ends_among_the_second_answers_leaves_the_certificate(
    tmp_path: Path, loopback: Callable[..., Loopback], scripted: Callable[..., Scripted]
) -> None:
    answers = Wavering()
    table, out = write_rows(tmp_path / "r.parquet", range(ROWS)), tmp_path / "out"
    cheap, top = loopback(), scripted(by=answers)
    run = paid(table, out, cheap, top, "--yes", "--ask-twice", TWICE)
    assert slmbatch(*paid(table, out, cheap, top, "--yes")).code == 0
    with closing(sqlite3.connect(out / ".slmbatch" / "ledger.sqlite")) as ledger:
        (worst,) = ledger.execute("SELECT max(worst) FROM requests").fetchone()
    cap = certificate(out)["sample"] * ONCE + Decimal(worst).scaleb(-12) + 5 * ONCE  # the last one may cost the worst
    ran = slmbatch(*run, "--max-usd", cap)
    assert ran.code == 0, ran.err
    assert 0 < told(out)["texts"] < told(out)["drawn"] == TWICE
    assert f"of {TWICE} rows drawn for that" in ran.err
    assert slmbatch("verify", out).code == 0
    assert slmbatch(*run, "--max-usd", 1).code == 0
    assert told(out)["texts"] == TWICE
    assert max(answers.asked.values()) == 2


def test_second_questions_go_through_a_batch_endpoint_too(
    tmp_path: Path, loopback: Callable[..., Loopback], provider: Callable[..., BatchProvider]
) -> None:
    table, out = write_rows(tmp_path / "r.parquet", range(ROWS)), tmp_path / "out"
    cheap, server = loopback(), provider()
    tier = f"openai:m@{server.url}"
    (tmp_path / "c.toml").write_text(
        f'[tier."{tier}"]\nbatch = true\nbatch_poll_s = 0.05\n'
        'price = {input = "2", output = "10", batch_discount = "0.5"}\n'
        f'[tier."{cheap.model}"]\nprice = {{input = "0", output = "0"}}\n'
    )
    tiers = ["--model", cheap.model, "--escalate", tier, "--config", tmp_path / "c.toml"]
    run = ["classify", table, "--labels", ",".join(LABELS), "-o", out, *tiers, "--target", 0.9, "--yes"]
    ran = slmbatch(*run, "--ask-twice", TWICE)
    assert ran.code == 0, ran.err
    assert Counter(server.answered.values()) == {2: TWICE, 1: certificate(out)["sample"] - TWICE}
    assert (len(server.batches), server.online.total(), told(out)["same"]) == (2, 0, TWICE)


SCHEMA = {
    "type": "object",
    "properties": {
        "number": {"type": "string", "x-slmbatch": {"kind": "identifier", "labels": ["Invoice no"]}},
        "total": {"type": "string", "format": "decimal", "x-slmbatch": {"kind": "amount", "labels": ["Total"]}},
    },
}


@pytest.mark.parametrize("per", [(), ("--per", "field")], ids=["together", "a promise for each field"])
def test_documents_are_the_same_where_all_fields_are(
    tmp_path: Path, scripted: Callable[..., Scripted], per: tuple[str, ...]
) -> None:
    seen: Counter[str] = Counter()

    def by(asked: Asked) -> Reply:
        number = asked.text.partition("Invoice no: ")[2].split()[0]
        total = Decimal(asked.text.partition("Total: ")[2].split()[0])
        seen[number] += 1
        moved = seen[number] > 1 and total < 100
        return completion(json.dumps({"number": number, "total": str(total + moved)}))

    (tmp_path / "s.schema.json").write_text(json.dumps(SCHEMA))
    texts = [f"ACME Ltd\nInvoice no: A-{1000 + n}\nTotal: {n + 10}.50 EUR\n" for n in range(200)]
    table, top, out = write_table(tmp_path / "docs.parquet", texts), scripted(by=by), tmp_path / "out"
    run = ["extract", table, "--schema", tmp_path / "s.schema.json", "-o", out, "--escalate", top.model]
    ran = slmbatch(*run, "--target", "0.9", "--ask-twice", 20, *per)
    assert ran.code == 0, ran.err
    again = [int(number[2:]) - 1000 for number, times in seen.items() if times == 2]
    same = sum(row + 10.5 > 100 for row in again)
    assert (len(again), told(out)["same"], told(out)["fields"]) == (20, same, {"number": 20, "total": same})
    assert 0 < same < 20
    assert f"Fields that it says differently most often: total {20 - same}." in ran.err
    assert cost_of(out, top.model)["requests"] == len(top.asked)  # a tier that costs nothing is counted, too
    assert slmbatch("verify", out).code == 0


def test_a_dry_run_counts_the_second_questions(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    table, cheap, top = write_rows(tmp_path / "r.parquet", range(ROWS)), loopback(), loopback()
    run = paid(table, tmp_path / "out", cheap, top, "--dry-run", "--json")
    once, twice = (json.loads(slmbatch(*run, *more).out)["rest"] for more in ((), ("--ask-twice", ROWS // 5)))
    more = Decimal(twice["usd_p50"]) - Decimal(once["usd_p50"])
    assert more == pytest.approx(Decimal(once["top_usd_p50"]) / 5, rel=Decimal("0.25"))


def test_asking_twice_is_for_runs_with_a_target(tmp_path: Path) -> None:
    table = write_table(tmp_path / "r.parquet", [row_text(1)])
    ran = slmbatch("classify", table, "--labels", "a,b", "-o", tmp_path / "out", "--ask-twice", 5)
    assert (ran.code, "--ask-twice belong to --target" in ran.err) == (2, True)
