"""`slmbatch calibrate`, and runs with what it wrote: real heads, real rules, servers on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.harness import LABELS, Loopback, results, right_label, slmbatch, write_rows, write_table
from tests.run.test_certified import TOPICS, tickets

ROWS = 400
NAMES = ",".join(TOPICS)


def batch(folder: Path, name: str, *, seed: int) -> Path:
    """A table of tickets and, beside it, the file of what they are about."""
    texts, topics = tickets(ROWS, seed=seed)
    ids = [f"{name}.parquet#{row}" for row in range(ROWS)]
    pq.write_table(pa.table({"id": ids, "label": topics}), folder / f"{name}-gold.parquet")
    return write_table(folder / f"{name}.parquet", texts)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two heads, a run of both, its calibration, and a fresh batch."""
    folder = tmp_path_factory.mktemp("calibrate")
    for name, count in (("small", 24), ("large", 500)):
        texts, topics = tickets(count, seed=1)
        pq.write_table(pa.table({"text": texts, "label": topics}), folder / f"{name}.parquet")
        ran = slmbatch("train", folder / f"{name}.parquet", "-o", folder / name, "--quiet")
        assert ran.code == 0, ran.err
    both = ["--model", f"head:{folder / 'small'}", "--escalate", f"head:{folder / 'large'}"]
    ran = slmbatch("classify", batch(folder, "old", seed=2), "--labels", NAMES, "-o", folder / "out", *both)
    assert ran.code == 0, ran.err
    ran = slmbatch(
        "calibrate", folder / "out", "--gold", folder / "old-gold.parquet", "-o", folder / "calibration.json"
    )
    assert ran.code == 0, ran.err
    assert ran.out.strip() == str(folder / "calibration.json")
    assert f"head:{folder / 'small'}: {ROWS} rows; " in ran.err
    assert "for accuracy 0.95: --threshold 0." in ran.err
    assert f"answers of head:{folder / 'small'}: " in ran.err
    assert "it earns its place" in ran.err
    batch(folder, "fresh", seed=3)
    return folder


def small(made: Path, out: Path, *more: object) -> list[object]:
    head = f"head:{made / 'small'}"
    return ["classify", made / "fresh.parquet", "--labels", NAMES, "-o", out, "--model", head, *more]


def calibration_error(out: Path, gold: Path) -> float:
    ran = slmbatch("eval", out, "--gold", gold, "--json")
    (found,) = [one["value"] for one in json.loads(ran.out)["measures"] if one["metric"] == "ece"]
    return float(found)


def test_probabilities_hold_on_fresh_rows_and_the_threshold_is_one_of_them(made: Path, tmp_path: Path) -> None:
    gold, use = made / "fresh-gold.parquet", ("--calibration", made / "calibration.json")
    assert slmbatch(*small(made, tmp_path / "before")).code == 0
    ran = slmbatch(*small(made, tmp_path / "after", *use))
    assert ran.code == 0, ran.err
    assert calibration_error(tmp_path / "after", gold) < 0.7 * calibration_error(tmp_path / "before", gold)
    before, after = results(tmp_path / "before"), results(tmp_path / "after")
    assert [row["score"] for row in after] == [row["score"] for row in before]
    told = [row["confidence"] for row in sorted(after, key=lambda row: float(row["score"]))]
    assert told == sorted(told)
    assert {row["status"] for row in after if row["confidence"] >= 0.8} == {"accepted"}
    assert {row["status"] for row in after if row["confidence"] < 0.8} == {"review"}
    assert any(row["confidence"] >= 0.8 > row["score"] for row in after)  # this head is too modest
    again = slmbatch(*small(made, tmp_path / "after", *use, "--json"))
    assert json.loads(again.out)["resumed_rows"] == ROWS
    without = slmbatch(*small(made, tmp_path / "after"))
    assert without.code == 2
    assert "differing: calibration" in without.err


def test_an_evaluation_says_what_each_tier_made_of_the_one_before(made: Path) -> None:
    rows, ran = results(made / "out"), slmbatch("eval", made / "out", "--gold", made / "old-gold.parquet", "--json")
    (told,) = json.loads(ran.out)["replaced"]
    assert (told["tier"], told["before"]) == (f"head:{made / 'large'}", f"head:{made / 'small'}")
    assert told["rows"] == sum(row["tiers_tried"] == 2 for row in rows)
    assert (told["earned"], told["became_right"] > told["became_wrong"] > 0) == (True, True)
    ran = slmbatch("eval", made / "out", "--gold", made / "old-gold.parquet")
    assert f"{told['became_right']} became right, {told['became_wrong']} wrong" in " ".join(ran.out.split())
    assert "it earns its place" in (made / "out" / "eval.html").read_text()


def test_what_was_calibrated_can_be_calibrated_again_to_the_same(made: Path, tmp_path: Path) -> None:
    texts = ["classify", made / "old.parquet", "--labels", NAMES, "--model", f"head:{made / 'small'}"]
    for name, more in (("raw", []), ("told", ["--calibration", made / "calibration.json"])):
        assert slmbatch(*texts, "-o", tmp_path / name, *more).code == 0
        ran = slmbatch(
            "calibrate", tmp_path / name, "--gold", made / "old-gold.parquet", "-o", tmp_path / f"{name}.json"
        )
        assert ran.code == 0, ran.err
    assert (tmp_path / "raw.json").read_bytes() == (tmp_path / "told.json").read_bytes()


def test_another_question_or_tier_is_refused_and_named(made: Path, tmp_path: Path) -> None:
    use = ("--calibration", made / "calibration.json")
    other = ["classify", made / "fresh.parquet", "-o", tmp_path / "out", *use]
    ran = slmbatch(*other, "--labels", f"{NAMES},other", "--model", f"head:{made / 'small'}")
    assert (ran.code, "another label set or schema" in ran.err) == (2, True)
    ran = slmbatch(*other, "--labels", NAMES)
    assert ran.code == 2
    assert f"has curves for head:{made / 'small'}, head:{made / 'large'}, and none for a tier of this run" in ran.err
    card = made / "small" / "head.json"
    content = card.read_bytes()
    try:
        card.write_bytes((made / "large" / "head.json").read_bytes())
        ran = slmbatch(*small(made, tmp_path / "out", *use))
    finally:
        card.write_bytes(content)
    assert ran.code == 2
    assert f"head:{made / 'small'} was calibrated with other settings: sha256=" in ran.err
    assert not (tmp_path / "out").exists()
    bent = json.loads((made / "calibration.json").read_text())
    bent["tiers"][0]["knots"].reverse()
    (tmp_path / "bent.json").write_text(json.dumps(bent))
    ran = slmbatch(*small(made, tmp_path / "out", "--calibration", tmp_path / "bent.json"))
    assert (ran.code, "don't rise" in ran.err) == (2, True)


def test_the_last_tier_can_say_who_is_right(made: Path, tmp_path: Path) -> None:
    ran = slmbatch("calibrate", made / "out", "--from-top-tier", "-o", tmp_path / "c.json", "--json")
    assert ran.code == 0, ran.err
    (tier,) = json.loads((tmp_path / "c.json").read_text())["tiers"]
    rows = results(made / "out")
    up = [row for row in rows if row["tiers_tried"] == 2]
    assert (tier["tier"], tier["answers"]) == (f"head:{made / 'small'}", len(up))
    assert 0 < tier["right"] < len(up)
    told = json.loads(ran.out)["tiers"][tier["tier"]]
    assert told["rows"] == len(up)
    assert told["auroc_low"] < told["auroc"] < told["auroc_high"]


def test_a_server_that_is_equally_sure_of_all_is_told_not_to_rank(
    tmp_path: Path, loopback: Callable[..., Loopback]
) -> None:
    server = loopback()
    run = ["--labels", ",".join(LABELS), "--model", server.model]
    assert slmbatch("classify", write_rows(tmp_path / "t.parquet", range(60)), *run, "-o", tmp_path / "out").code == 0
    lines = [f"t.parquet#{row},{right_label(row + (row < 6))}" for row in range(60)]  # six of its answers are wrong
    (tmp_path / "gold.csv").write_text("\n".join(["id,label", *lines]))
    ran = slmbatch("calibrate", tmp_path / "out", "--gold", tmp_path / "gold.csv", "-o", tmp_path / "c.json")
    assert ran.code == 0, ran.err
    assert "can't rank errors" in ran.err
    fresh = write_rows(tmp_path / "f.parquet", range(100, 120))
    ran = slmbatch("classify", fresh, *run, "-o", tmp_path / "new", "--calibration", tmp_path / "c.json")
    assert ran.code == 0, ran.err
    assert [row["confidence"] for row in results(tmp_path / "new")] == pytest.approx([55 / 62] * 20)  # Laplace's rule
    one = slmbatch("calibrate", tmp_path / "out", "--from-top-tier", "-o", tmp_path / "c.json")
    assert (one.code, "one tier only" in one.err) == (2, True)


def test_where_all_are_right_no_threshold_is_advised(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    table, server = write_rows(tmp_path / "t.parquet", range(30)), loopback()
    run = ["classify", table, "--labels", ",".join(LABELS), "--model", server.model, "-o", tmp_path / "out"]
    assert slmbatch(*run).code == 0
    lines = [f"t.parquet#{row},{right_label(row)}" for row in range(30)]
    (tmp_path / "gold.csv").write_text("\n".join(["id,label", *lines]))
    ran = slmbatch("calibrate", tmp_path / "out", "--gold", tmp_path / "gold.csv", "-o", tmp_path / "c.json")
    assert ran.code == 0, ran.err
    advice = ran.err.partition("for accuracy 0.95: ")[2]
    assert advice.startswith("no score is too low, 100.0% of all that have one are right")
    least = 25 / 26  # Laplace's rule, of the 24 rows that a curve is fitted on when six are held out
    assert f"None has less than {least:.4f}, so nothing is known of a lower --threshold." in advice


def test_ids_of_another_folder_are_shown_beside_those_of_the_run(made: Path, tmp_path: Path) -> None:
    (tmp_path / "gold.csv").write_text("id,label\n0,billing\n1,login\n")
    ran = slmbatch("calibrate", made / "out", "--gold", tmp_path / "gold.csv", "-o", tmp_path / "c.json")
    assert ran.code == 2
    assert "none of its 2 ids has an expected answer and a result in this run; without a result is 0." in ran.err
    assert "such as old.parquet#0" in " ".join(ran.err.split())


SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["total", "number"],
    "properties": {
        "total": {"type": "string", "format": "decimal", "x-slmbatch": {"kind": "amount", "labels": ["Total"]}},
        "number": {"type": "string", "x-slmbatch": {"kind": "identifier", "labels": ["Number"]}},
    },
}


def test_fields_get_confidences_and_a_row_the_least_of_its_required_ones(tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    (tmp_path / "docs").mkdir()
    gold = []
    for row in range(40):
        wrong = row % 4 == 0  # a second total, which a person knows to be the right one
        text = f"Number: AB-{1000 + row}\nTotal: {row}.50 EUR\n" + f"Total: {row + 7}.25 EUR\n" * wrong
        (tmp_path / "docs" / f"{row}.txt").write_text(text)
        total = f"{row + 7}.25" if wrong else f"{row}.50"
        gold.append(json.dumps({"id": f"{row}.txt", "values": {"total": total, "number": f"AB-{1000 + row}"}}))
    (tmp_path / "gold.jsonl").write_text("\n".join(gold))
    run = ["extract", tmp_path / "docs", "--schema", tmp_path / "schema.json"]
    assert slmbatch(*run, "-o", tmp_path / "out").code == 0
    calibration = tmp_path / "c.json"
    ran = slmbatch("calibrate", tmp_path / "out", "--gold", tmp_path / "gold.jsonl", "-o", calibration)
    assert ran.code == 0, ran.err
    assert slmbatch(*run, "-o", tmp_path / "new", "--calibration", calibration).code == 0
    fields = pq.read_table(tmp_path / "new" / "fields.parquet").to_pylist()
    old = pq.read_table(tmp_path / "out" / "fields.parquet").to_pylist()
    assert [one["score"] for one in fields] == [one["confidence"] for one in old]
    for row in results(tmp_path / "new"):
        own = [one["confidence"] for one in fields if one["id"] == row["id"]]
        assert row["confidence"] == (None if None in own else min(own))
    tier = json.loads(calibration.read_text())["tiers"][0]
    assert tier["answers"] == sum(one["score"] is not None for one in fields)
    assert any(one["confidence"] != one["score"] for one in fields if one["score"] is not None)
    (tmp_path / "few.jsonl").write_text("\n".join(gold[:10]))
    few = slmbatch("calibrate", tmp_path / "out", "--gold", tmp_path / "few.jsonl", "-o", calibration)
    assert few.code == 2
    assert "rules: 10 labelled rows with a score, 20 are needed" in few.err
