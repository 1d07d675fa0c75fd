"""Heads as tiers, through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from tests.harness import Loopback, results, slmbatch, write_table

SAMPLES = Path(__file__).parents[2] / "sample_docs"
LABELS = SAMPLES / "labels.yaml"
TICKETS = ["someone took my wallet with my card in it", "what rate do you use for dollars", "hello"]


def classify(table: Path, out: Path, *more: object, labels: object = LABELS) -> list[str]:
    return ["classify", str(table), "--labels", str(labels), "-o", str(out), *map(str, more)]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_table(tmp_path / "t.parquet", TICKETS)


def test_classify_without_a_model_uses_the_label_files_examples(
    tmp_path: Path, table: Path, pinned_models: Path
) -> None:
    ran = slmbatch(*classify(table, tmp_path / "out"))
    assert ran.code == 0, ran.err
    rows = results(tmp_path / "out")
    assert [row["label"] for row in rows[:2]] == ["lost or stolen card", "exchange rate"]
    assert all(row["tier"] == "head" and row["requests"] == 0 and row["usd"] == 0 for row in rows)
    assert all(row["confidence"] == row["score"] for row in rows)
    assert rows[2]["confidence"] < min(rows[0]["confidence"], rows[1]["confidence"])
    assert "uncalibrated" not in ran.err


def test_names_alone_are_said_to_be_weak_and_have_no_confidence(
    tmp_path: Path, table: Path, pinned_models: Path
) -> None:
    ran = slmbatch(*classify(table, tmp_path / "out", labels="lost card,exchange rate,greeting"))
    assert ran.code == 0, ran.err
    assert "8 examples" in ran.err
    rows = results(tmp_path / "out")
    assert [row["label"] for row in rows] == ["lost card", "exchange rate", "greeting"]
    assert all(row["confidence"] is None and row["score"] is not None for row in rows)
    assert "uncalibrated" in ran.err


def test_what_the_head_doubts_goes_up(
    tmp_path: Path, table: Path, loopback: Callable[..., Loopback], pinned_models: Path
) -> None:
    server = loopback()
    ran = slmbatch(*classify(table, tmp_path / "out", "--escalate", server.model, "--threshold", "0.8"))
    assert ran.code == 0, ran.err
    rows = results(tmp_path / "out")
    assert [row["tiers_tried"] for row in rows] == [1 if row["tier"] == "head" else 2 for row in rows]
    assert rows[2]["tiers_tried"] == 2


def test_other_examples_are_another_run(tmp_path: Path, table: Path, pinned_models: Path) -> None:
    out = tmp_path / "out"
    content = yaml.safe_load(LABELS.read_text())
    mine = tmp_path / "labels.yaml"
    mine.write_text(yaml.safe_dump(content))
    assert slmbatch(*classify(table, out, labels=mine)).code == 0
    again = slmbatch(*classify(table, out, "--json", labels=mine))
    assert json.loads(again.out)["resumed_rows"] == len(TICKETS)
    content["labels"][0]["examples"].append("one more")
    mine.write_text(yaml.safe_dump(content))
    refused = slmbatch(*classify(table, out, labels=mine))
    assert refused.code == 2
    assert "tiers" in refused.err


def test_a_folder_that_is_no_head_is_refused_before_anything_is_read(tmp_path: Path, table: Path) -> None:
    for nothing in (tmp_path, tmp_path / "nothere"):
        ran = slmbatch(*classify(table, tmp_path / "out", "--model", f"head:{nothing}"))
        assert ran.code == 2
        what, remedy = ran.err.splitlines()
        assert f"{nothing}: not a head" in what
        assert "slmbatch train" in remedy


def test_a_missing_sentence_model_ends_the_run_with_its_remedy(tmp_path: Path, table: Path) -> None:
    ran = slmbatch(*classify(table, tmp_path / "out", "--no-download"), env={"SLMBATCH_MODELS": str(tmp_path / "m")})
    assert ran.code == 1
    assert "minilm" in ran.err
    assert "slmbatch models pull" in ran.err


INVOICES, HEADER = SAMPLES / "invoices", SAMPLES.parent / "schemas" / "invoice-header.schema.json"
EXPECTED = SAMPLES / "invoices.expected.jsonl"


def test_extract_without_a_model_finds_fields_by_rules(tmp_path: Path) -> None:
    ran = slmbatch("extract", INVOICES, "--schema", HEADER, "-o", tmp_path / "out")
    assert ran.code == 0, ran.err
    rows = {row["id"]: row for row in results(tmp_path / "out")}
    one = rows["elektron-2018-construction.pdf"]
    assert one["values"]["total_amount"] == 300
    assert one["values"]["invoice_id"] == "181301674"
    assert (one["tier"], one["score"]) == ("rules", one["confidence"])
    assert all(row["confidence"] >= 0.8 for row in rows.values() if row["status"] == "accepted")
    scan = rows["scan-brook-and-fell-2024-joinery.jpg"]
    assert (scan["status"], scan["values"]["invoice_id"]) == ("accepted", "BF-2024-0371")
    fields = [one for one in pq.read_table(tmp_path / "out" / "fields.parquet").to_pylist() if one["value"] is not None]
    units = {Path(one["id"]).suffix: one["box"] and one["box"]["unit"] for one in fields}
    assert units == {".pdf": "pt", ".jpg": "px", ".txt": None, ".xml": None}
    assert {one["ocr"] is not None for one in fields if one["id"].startswith("scan")} == {True}
    assert {one["ocr"] for one in fields if not one["id"].startswith("scan")} == {None}
    measures = json.loads(slmbatch("eval", tmp_path / "out", "--gold", EXPECTED, "--json").out)["measures"]
    told = {(one["metric"], one["name"]): one["value"] for one in measures}
    assert told["field_accuracy", None] > 0.85
    assert told["field_accuracy_from", "0.9"] > 0.95
    assert told["field_share_from", "0.9"] > 0.6


def test_a_field_that_rules_do_not_find_goes_up(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    text = tmp_path / "note.txt"
    text.write_text("Dear all,\nplease find the minutes attached.\n")
    ran = slmbatch("extract", text, "--schema", HEADER, "-o", tmp_path / "out", "--escalate", loopback().model)
    assert ran.code == 0, ran.err
    assert [row["tiers_tried"] for row in results(tmp_path / "out")] == [2]


def test_a_head_learned_from_documents_extracts(tmp_path: Path) -> None:
    head, out = tmp_path / "head", tmp_path / "out"
    ran = slmbatch("train", INVOICES, "--schema", HEADER, "--gold", EXPECTED, "-o", head, "--json")
    assert ran.code == 0, ran.err
    card = json.loads(ran.out)
    assert card["documents"] == 17
    assert {"invoice_id", "total_amount"} <= set(card["learned"])
    assert all(one["sure"] <= one["found"] and one["right"] <= one["values"] for one in card["cross_validated"])
    ran = slmbatch("extract", INVOICES, "--schema", HEADER, "-o", out, "--model", f"head:{head}")
    assert ran.code == 0, ran.err
    assert {row["tier"] for row in results(out)} == {f"head:{head}", "embedded-xml", None}


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["train", INVOICES, "--schema", HEADER, "-o", "head"], "--gold is missing"),
        (["train", INVOICES, "--gold", EXPECTED, "-o", "head"], "rows of 0 labels"),
        (["classify", INVOICES, "--labels", "a,b", "-o", "out", "--model", "rules"], "can't classify"),
        (["extract", INVOICES, "--schema", HEADER, "-o", "out", "--model", "head"], "can't extract"),
    ],
)
def test_what_a_head_cannot_do_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[object], what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = slmbatch(*arguments)
    assert ran.code == 2
    assert what in ran.err.splitlines()[0]


def test_too_few_documents_with_values_are_refused(tmp_path: Path) -> None:
    gold = tmp_path / "gold.jsonl"
    gold.write_text("\n".join(EXPECTED.read_text().splitlines()[:3]))
    ran = slmbatch("train", INVOICES, "--schema", HEADER, "--gold", gold, "-o", tmp_path / "head")
    assert ran.code == 2
    assert "expected values of 3 readable documents" in ran.err
