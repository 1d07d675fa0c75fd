"""The embedded model from end to end. It's too small for good answers: what's tested is that every row is honest."""

from __future__ import annotations

import json
import os
import signal
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.harness import EMBEDDED, Ran, descendants, finish, results, slmbatch, start, wait_until, write_table

TICKETS = [
    "I lost my card in the underground, please block it",
    "How do I change the PIN in the app?",
    "The transfer to my landlord hasn't arrived",
    "Which exchange rate applies to my payment in Japan?",
    "I'd like to close my account",
    "Ich habe meine Karte verloren 😱",
]
LABELS = ("card", "account", "transfer", "rate")
INVOICE = """Muster GmbH, Hauptstr. 1, 10115 Berlin

Invoice number: RE-2026-0117
Invoice date: 3 March 2026
Total amount: 1,234.50 EUR
"""
SCHEMA = {
    "type": "object",
    "required": ["invoice_number", "total_amount"],
    "properties": {
        "invoice_number": {"type": "string", "description": "Number of the invoice"},
        "invoice_date": {"type": "string", "format": "date", "description": "Date of the invoice"},
        "total_amount": {"type": "string", "format": "decimal", "description": "Total amount"},
    },
}


def asked(out: Path, table: Path, *more: object) -> list[object]:
    return ["classify", table, "--labels", ",".join(LABELS), "-o", out, "--no-download", "--model", EMBEDDED, *more]


def test_tickets_are_classified_with_the_scores_of_all_labels(tmp_path: Path, embedded_model: Path) -> None:
    table, out = write_table(tmp_path / "t.parquet", TICKETS), tmp_path / "out"
    ran = slmbatch(*asked(out, table, "--json"))
    assert (ran.code, ran.err) == (0, "")
    rows = results(out)
    assert [row["row"] for row in rows] == list(range(len(TICKETS)))
    for row in rows:
        assert row["label"] in LABELS
        assert (row["status"] == "accepted") == (row["score"] >= 0.8)
        assert (row["reason"] is None) == (row["status"] == "accepted")
        scores = {one["label"]: one["score"] for one in row["label_scores"]}
        assert {row["label"]} <= set(scores) <= set(LABELS)  # only those that the server told about
        assert all(high >= low for high, low in pairwise(scores.values()))
        assert sum(scores.values()) <= 1 + 1e-9
        assert row["score"] == scores[row["label"]]
        assert 0 < row["label_mass"] <= 1 + 1e-6
        assert row["input_tokens"] > 0
        assert row["output_tokens"] > 0
        assert not row["truncated"]
    report = json.loads(ran.out)
    assert sum(report["status"].values()) == sum(report["labels"].values()) == len(TICKETS)
    assert report["tiers"][0]["local"]
    assert Decimal(report["usd"]) == 0
    again = slmbatch(*asked(out, table, "--json"))
    assert json.loads(again.out)["tiers"][0]["requests"] == len(TICKETS)
    assert results(out) == rows


def test_the_same_question_gets_the_same_answer(tmp_path: Path, embedded_model: Path) -> None:
    # One row a run: the score changes (0.164, 0.172) with whether the prompt's fixed part was in the server's cache,
    # and of several rows any may come first. In the same state of the cache it is the same to the last digit.
    table, config = write_table(tmp_path / "t.parquet", TICKETS[:1]), tmp_path / "c.toml"
    config.write_text('[tier."llamacpp:smollm2-135m"]\nslots = 1\n')  # nor may another row share its batch
    answers = []
    for name in ("a", "b"):
        assert slmbatch(*asked(tmp_path / name, table, "--config", config, "--quiet")) == Ran(0, "", "")
        answers.append([(row["label"], row["label_scores"]) for row in results(tmp_path / name)])
    assert answers[0] == answers[1]


def test_fields_are_extracted_typed_grounded_and_scored(tmp_path: Path, embedded_model: Path) -> None:
    (tmp_path / "invoice.txt").write_text(INVOICE)
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    out = tmp_path / "out"
    arguments = [
        "extract",
        tmp_path / "invoice.txt",
        "--schema",
        tmp_path / "schema.json",
        "-o",
        out,
        "--model",
        EMBEDDED,
    ]
    assert slmbatch(*arguments, "--no-download", "--quiet") == Ran(0, "", "")
    (row,) = results(out)
    assert row["status"] in {"accepted", "review"}
    assert (row["reason"] is None) == (row["status"] == "accepted")
    types = pq.read_schema(out / "results.parquet").field("values").type
    assert [(one.name, one.type) for one in types] == [
        ("invoice_number", pa.string()),
        ("invoice_date", pa.date32()),
        ("total_amount", pa.decimal128(38, 9)),
    ]
    leaves = {leaf["path"]: leaf for leaf in pq.read_table(out / "fields.parquet").to_pylist()}
    assert list(leaves) == list(SCHEMA["properties"])  # type: ignore[call-overload]
    for leaf in leaves.values():
        assert 0 < leaf["score"] <= 1 + 1e-9
        assert leaf["logprob_min"] <= leaf["logprob_mean"] <= 1e-9
        assert leaf["forced_logprob"] <= 1e-9
        if leaf["value"] is not None:
            assert leaf["raw"] is not None
            assert leaf["found"] == "none" or INVOICE[leaf["start"] : leaf["end"]].strip()
            assert leaf["found"] != "exact" or INVOICE[leaf["start"] : leaf["end"]] == leaf["raw"]
        problems = [problem for problem in leaf["problems"] if leaf["required"] or "not found" not in problem]
        assert not problems or row["status"] == "review"
    assert any(leaf["found"] in {"exact", "normalised"} for leaf in leaves.values())
    amount, told = row["values"]["total_amount"], leaves["total_amount"]["value"]
    assert amount == (None if told is None else Decimal(told))


def test_a_text_beyond_the_context_is_cut_and_says_so(tmp_path: Path, embedded_model: Path) -> None:
    config, out = tmp_path / "c.toml", tmp_path / "out"
    config.write_text('[tier."llamacpp:smollm2-135m"]\ncontext_tokens = 512\nslots = 2\n')
    long = "The card has not arrived, says this letter. 卡还没到 😱 " * 200
    table = write_table(tmp_path / "t.parquet", [TICKETS[0], long, "x" * 300, "\u3000" * 5000 + "end"])
    assert slmbatch(*asked(out, table, "--config", config, "--quiet")) == Ran(0, "", "")
    rows = results(out)
    assert [row["truncated"] for row in rows] == [False, True, False, True]
    assert {row["status"] for row in rows} <= {"accepted", "review"}
    assert all(row["label"] in LABELS for row in rows)
    assert 300 < rows[1]["input_tokens"] <= 512
    assert json.loads((out / "report.json").read_text())["truncated"] == 2


def test_a_context_without_room_for_a_text_is_refused(tmp_path: Path, embedded_model: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text('[tier."llamacpp:smollm2-135m"]\ncontext_tokens = 256\n')
    labels = ",".join(f"a rather long label number {number}" for number in range(40))
    table = write_table(tmp_path / "t.parquet", TICKETS)
    ran = slmbatch(
        "classify",
        table,
        "--labels",
        labels,
        "-o",
        tmp_path / "out",
        "--config",
        config,
        "--no-download",
        "--model",
        EMBEDDED,
    )
    assert ran.code == 2
    what, remedy = ran.err.splitlines()
    assert "leave no room for a text in a context of 256 tokens" in what
    assert "context_tokens" in remedy


def test_every_row_is_answered_although_the_server_is_killed_twice(tmp_path: Path, embedded_model: Path) -> None:
    texts = [f"Letter {number}: {TICKETS[number % 5]}. " * (1 + 40 * (number % 8 == 0)) for number in range(17)]
    table, out = write_table(tmp_path / "t.parquet", texts), tmp_path / "out"
    config = tmp_path / "c.toml"
    config.write_text('[tier."llamacpp:smollm2-135m"]\ncontext_tokens = 512\nslots = 2\n')
    process = start(*asked(out, table, "--config", config, "--quiet"))
    journal = out / ".slmbatch" / "parts" / "journal-000000.jsonl"
    for settled in (3, 9):
        wait_until(
            lambda settled=settled: journal.exists() and journal.read_bytes().count(b"\n") >= settled,  # type: ignore[misc]
            f"{settled} results",
        )
        (server,) = descendants(process.pid, "llamacpp_server")
        os.kill(server, signal.SIGKILL)
    assert finish(process) == Ran(0, "", "")
    rows = results(out)
    assert [row["row"] for row in rows] == list(range(17))
    assert {row["status"] for row in rows} <= {"accepted", "review"}
    assert all(row["label"] in LABELS for row in rows)
    assert [row["truncated"] for row in rows] == [number % 8 == 0 for number in range(17)]
