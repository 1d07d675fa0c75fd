"""A server that fails in every way there is: each row ends right, or says honestly why it didn't."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.harness import LABELS, Loopback, parts_of, results, right_label, row_text, slmbatch, write_rows

ROWS, SEED = 2000, 1
FAULTS = {"500": 0.01, "429": 0.01, "hang": 0.005, "malformed": 0.005, "context": 0.01}


def fault_of(row: int) -> str | None:
    """What the loopback server does to this row (see its Plan.fault)."""
    dice = Random(SEED * 1_000_003 + row).random()
    for name, share in FAULTS.items():
        dice -= share
        if dice < 0:
            return name
    return None


HIT = {name: [row for row in range(ROWS) if fault_of(row) == name] for name in FAULTS}
FAULTS_GIVEN = ",".join(f"{name}={share}" for name, share in FAULTS.items())


def config(path: Path, server: Loopback) -> Path:
    path.write_text(f'[tier."{server.model}"]\ntimeout_s = 2\n')
    return path


def test_each_row_is_right_or_says_why_not(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    assert all(HIT.values())
    server, out = loopback(faults=FAULTS_GIVEN, seed=SEED), tmp_path / "out"
    table = write_rows(tmp_path / "rows.parquet", range(ROWS))
    ran = slmbatch(
        *["classify", table, "--labels", ",".join(LABELS), "-o", out, "--model", server.model],
        *["--config", config(tmp_path / "c.toml", server), "--json"],
    )
    assert ran.code == 0, ran.err
    rows, asked = results(out), server.asked()
    assert [row["row"] for row in rows] == list(range(ROWS))
    wrong = {"malformed": "malformed_reply: ", "context": "context_too_long: "}
    for number, row in enumerate(rows):
        fault = fault_of(number)
        if fault in wrong:
            assert (row["status"], row["label"], row["tier"]) == ("failed", None, None)
            assert row["reason"].startswith(wrong[fault])
            assert row["score"] is None
        else:
            assert (row["status"], row["label"], row["reason"]) == ("accepted", right_label(number), None)
        tries = 2 if fault in {"500", "429", "hang"} else 1
        assert (row["requests"], asked[number]) == (tries, tries), (number, fault)
    failed = len(HIT["malformed"]) + len(HIT["context"])
    report = json.loads(ran.out)
    assert report["status"] == {"accepted": ROWS - failed, "failed": failed}
    assert report["tiers"][0]["requests"] == asked.total()
    kinds = {record["attempts"][0]["error_kind"] for record in parts_of(out)}
    assert kinds == {None, "malformed_reply", "context_too_long"}


def test_what_one_tier_fails_at_the_next_one_answers(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    first, second, out = loopback(faults=FAULTS_GIVEN, seed=SEED), loopback(), tmp_path / "out"
    table = write_rows(tmp_path / "rows.parquet", range(ROWS))
    ran = slmbatch(
        *["classify", table, "--labels", ",".join(LABELS), "-o", out, "--model", first.model],
        *["--escalate", second.model, "--config", config(tmp_path / "c.toml", first), "--strict", "--quiet"],
    )
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    rows = results(out)
    escalated = sorted(HIT["malformed"] + HIT["context"])
    assert [row["label"] for row in rows] == [right_label(row) for row in range(ROWS)]
    assert {row["status"] for row in rows} == {"accepted"}
    assert [number for number, row in enumerate(rows) if row["tiers_tried"] == 2] == escalated
    assert {row["tier"] for number, row in enumerate(rows) if number in set(escalated)} == {second.model}
    assert sorted(second.asked().elements()) == escalated
    attempts = [record["attempts"] for record in parts_of(out) if len(record["attempts"]) == 2]
    assert len(attempts) == len(escalated)
    assert {(one["tier"], two["tier"], one["label"]) for one, two in attempts} == {(first.model, second.model, None)}
    assert {two["error_kind"] for _, two in attempts} == {None}
    costs = json.loads((out / "report.json").read_text())["tiers"]
    assert [(cost["documents"], cost["settled"]) for cost in costs] == [
        (ROWS, ROWS - len(escalated)),
        (len(escalated), len(escalated)),
    ]


def test_doubtful_rows_go_up_and_those_that_stay_doubtful_are_for_review(
    tmp_path: Path, loopback: Callable[..., Loopback]
) -> None:
    """The loopback's score is below 0.99, so both tiers answer and neither is trusted."""
    first, second, out = loopback(), loopback(), tmp_path / "out"
    table = write_rows(tmp_path / "rows.parquet", range(10))
    arguments = ["classify", table, "--labels", ",".join(LABELS), "-o", out, "--model", first.model]
    arguments += ["--escalate", second.model, "--threshold", "0.99", "--quiet"]
    assert slmbatch(*arguments).code == 0
    for number, row in enumerate(results(out)):
        assert (row["status"], row["label"]) == ("review", right_label(number))
        assert (row["tiers_tried"], row["requests"], row["tier"]) == (2, 2, second.model)
        assert "is below 0.99" in row["reason"]
    assert first.asked() == second.asked()
    assert row_text(3) not in (out / ".slmbatch" / "logs" / "slmbatch.jsonl").read_text()
