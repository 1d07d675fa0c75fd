"""train: from labelled rows to a head that classify uses."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
import yaml

from tests.harness import Ran, results, slmbatch, write_table

LABELS = Path(__file__).parents[2] / "sample_docs" / "labels.yaml"
ENTRIES = yaml.safe_load(LABELS.read_text())["labels"]
ROWS = [{"text": text, "label": entry["name"]} for entry in ENTRIES for text in entry["examples"]]
pytestmark = pytest.mark.usefixtures("pinned_models")


def labelled(path: Path, rows: list[dict[str, str]] = ROWS) -> Path:
    table = pl.DataFrame(rows)
    if path.suffix == ".parquet":
        table.write_parquet(path)
    elif path.suffix == ".jsonl":
        table.write_ndjson(path)
    else:
        table.write_csv(path)
    return path


def said(ran: Ran, what: str, remedy: str) -> None:
    assert ran.code == 2
    assert what in ran.err.splitlines()[0]
    assert remedy in ran.err.splitlines()[1]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_trained_head_answers_as_the_label_files_own_does(tmp_path: Path, suffix: str) -> None:
    head = tmp_path / "head"
    ran = slmbatch("train", labelled(tmp_path / f"rows{suffix}"), "-o", head, "--labels", LABELS)
    assert (ran.code, ran.out) == (0, f"{head}\n"), ran.err
    assert "accuracy" in ran.err
    table = write_table(tmp_path / "t.parquet", ["someone took my wallet", "which rate do you use for dollars"])
    told = []
    for number, model in enumerate((f"head:{head}", "head")):
        out = tmp_path / str(number)
        ran = slmbatch("classify", table, "--labels", LABELS, "-o", out, "--model", model)
        assert ran.code == 0, ran.err
        told.append([(row["label"], round(row["confidence"], 3)) for row in results(out)])
    assert told[0] == told[1]


def test_the_card_says_what_the_head_is(tmp_path: Path) -> None:
    source = labelled(tmp_path / "rows.csv", [*ROWS, ROWS[0], {"text": "not labelled yet", "label": ""}])
    card = json.loads(slmbatch("train", source, "-o", tmp_path / "head", "--json").out)
    assert card["rows"] == card["cross_validated"]["rows"] == len(ROWS)
    assert card["source"] == "rows.csv"
    assert {one["label"]: one["rows"] for one in card["cross_validated"]["by_label"]} == {
        entry["name"]: 8 for entry in ENTRIES
    }
    shuffled = labelled(tmp_path / "other.csv", ROWS[::-1])
    again = json.loads(slmbatch("train", shuffled, "-o", tmp_path / "again", "--json").out)
    assert again["rows_sha256"] == card["rows_sha256"]
    stored = (tmp_path / "head" / "head.json").read_text()
    assert json.loads(stored)["card"] == card
    assert ROWS[0]["text"] not in stored


def test_a_head_is_replaced_only_when_told_to(tmp_path: Path) -> None:
    source, head = labelled(tmp_path / "rows.csv"), tmp_path / "head"
    assert slmbatch("train", source, "-o", head, "--quiet").err == ""
    said(slmbatch("train", source, "-o", head), "there is a head already", "--overwrite")
    assert slmbatch("train", source, "-o", head, "--overwrite").code == 0
    said(slmbatch("train", source, "-o", tmp_path, "--overwrite"), "there is something already", "new folder")


def test_rows_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    head, out = tmp_path / "head", "-o"
    unknown = labelled(tmp_path / "unknown.csv", [*ROWS, {"text": "x", "label": "crad"}])
    said(slmbatch("train", unknown, out, head, "--labels", LABELS), "unknown label 'crad'", "label file")
    said(slmbatch("train", unknown, out, head), "label 'crad' has 1 rows", "at least 2")
    odd = labelled(tmp_path / "odd.csv", [{"body": "x", "label": "y"}])
    said(slmbatch("train", odd, out, head), "no column 'text'", "--text-column")
    said(slmbatch("train", tmp_path / "gone.csv", out, head), "can't be read", "Parquet, CSV or JSONL")
    assert not head.exists()


def test_a_head_for_other_labels_is_refused(tmp_path: Path) -> None:
    head = tmp_path / "head"
    assert slmbatch("train", labelled(tmp_path / "rows.csv"), "-o", head, "--quiet").code == 0
    table = write_table(tmp_path / "t.parquet", ["hello"])
    ran = slmbatch("classify", table, "--labels", "a,b", "-o", tmp_path / "out", "--model", f"head:{head}")
    said(ran, "label 'a' is in the head or in --labels, but not in both", "Train it again")


def test_chosen_rows_go_through_a_person_into_a_head(tmp_path: Path) -> None:
    texts = [row["text"] for row in ROWS]
    table, chosen = write_table(tmp_path / "t.parquet", [*texts, texts[0]]), tmp_path / "todo.csv"
    names = ",".join(entry["name"] for entry in ENTRIES)
    ran = slmbatch("label", table, "--labels", names, "--n", "56", "-o", chosen)
    assert (ran.code, ran.out) == (0, f"{chosen}\n"), ran.err
    rows = pl.read_csv(chosen, infer_schema=False)
    assert rows.columns == ["id", "source", "text", "label", "suggested", "confidence"]
    assert len(set(rows["text"])) == len(rows) == 56
    assert set(rows["text"]) <= set(texts)
    known = {row["text"]: row["label"] for row in ROWS}
    assert {known[text] for text in rows["text"]} == {entry["name"] for entry in ENTRIES}
    rows.with_columns(pl.Series("label", [*[known[text] for text in rows["text"][:-1]], ""])).write_csv(chosen)
    card = json.loads(slmbatch("train", chosen, "-o", tmp_path / "head", "--labels", LABELS, "--json").out)
    assert card["rows"] == 55
    said(slmbatch("label", table, "--labels", names, "-o", chosen), "is there already", "may hold labels")
    said(slmbatch("label", table, "--labels", names, "-o", tmp_path / "todo.txt"), "neither .csv nor .parquet", "-o")


def test_what_an_earlier_run_accepted_can_be_learned_from(tmp_path: Path) -> None:
    table, out = write_table(tmp_path / "t.parquet", [row["text"] for row in ROWS]), tmp_path / "out"
    assert slmbatch("classify", table, "--labels", LABELS, "-o", out, "--quiet").code == 0
    accepted = [row for row in results(out) if row["status"] == "accepted"]
    assert 40 < len(accepted) < len(ROWS) + 1
    ran = slmbatch("train", table, "--gold", out / "results.parquet", "-o", tmp_path / "head", "--json")
    assert ran.code == 0, ran.err
    card = json.loads(ran.out)
    assert card["rows"] == len(accepted)
    assert {one["label"] for one in card["cross_validated"]["by_label"]} == {row["label"] for row in accepted}


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_texts_with_several_labels_get_all_of_them(tmp_path: Path, suffix: str) -> None:
    first, second = ROWS[:24], ROWS[24:48]
    both = [
        (f"{one['text']} {two['text']}", [two["label"], one["label"]]) for one, two in zip(first, second, strict=True)
    ]
    rows = [(row["text"], [row["label"]]) for row in ROWS[:48]] + both + [("what a lovely day", []), ("hello", [])]
    joined: list[object] = ["|".join(labels) or "none of these" for _, labels in rows]
    source = tmp_path / f"rows{suffix}"
    table = pl.DataFrame(
        {"text": [text for text, _ in rows], "label": joined if suffix == ".csv" else [labels for _, labels in rows]}
    )
    table.write_csv(source) if suffix == ".csv" else table.write_parquet(source)
    head, out = tmp_path / "head", tmp_path / "out"
    card = json.loads(slmbatch("train", source, "--multi-label", "-o", head, "--json").out)
    assert card["rows"] == len(rows)
    assert card["cross_validated"]["accuracy"] > 0.6
    names = sorted({label for _, labels in rows for label in labels})
    asked = write_table(tmp_path / "t.parquet", [text for text, _ in rows])
    ran = slmbatch("classify", asked, "--labels", ",".join(names), "--model", f"head:{head}", "-o", out)
    assert ran.code == 0, ran.err
    told = [row["label"] for row in results(out)]
    right = [one == ("|".join(sorted(labels)) or "none of these") for one, (_, labels) in zip(told, rows, strict=True)]
    assert sum(right) / len(right) > 0.8
    assert sum("|" in one for one in told) > 15
    gold = tmp_path / "gold.csv"
    pl.DataFrame({"id": [row["id"] for row in results(out)], "label": joined}).write_csv(gold)
    measures = json.loads(slmbatch("eval", out, "--gold", gold, "--json").out)["measures"]
    assert {one["metric"]: one["value"] for one in measures}["accuracy"] == sum(right) / len(right)
