"""`slmbatch eval` on finished runs: figures, tables, files, bounds, a baseline."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from tests.harness import LABELS, Loopback, Ran, right_label, slmbatch, write_rows
from tests.report.test_html import Page

ROWS = 60
WRONG = 6  # of the rows, the first


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, and a second that's shown another row's text in 20 places, and so answers these with another label."""
    folder, server = tmp_path_factory.mktemp("eval"), Loopback()
    for name, rows in (("good", range(ROWS)), ("bad", [row + (row >= 40) for row in range(ROWS)])):
        (folder / name).mkdir()
        table = write_rows(folder / name / "t.parquet", rows)
        ran = slmbatch(
            "classify", table, "--labels", ",".join(LABELS), "--model", server.model, "-o", folder / name / "out"
        )
        assert ran.code == 0, ran.err
    server.close()
    labels = [right_label(row + (row < WRONG)) for row in range(ROWS)]
    ids = [f"t.parquet#{row}" for row in range(ROWS)]
    pl.DataFrame({"id": [*ids, "lost"], "label": [*labels, "card"]}).write_csv(folder / "gold.csv")
    return folder


def evaluate(runs: Path, *arguments: object, name: str = "good") -> Ran:
    return slmbatch("eval", runs / name / "out", "--gold", runs / "gold.csv", *arguments)


def test_figures_are_printed_and_kept(runs: Path) -> None:
    ran = evaluate(runs)
    assert ran.code == 0, ran.err
    assert "classify: 60 documents against expected answers" in ran.out
    assert "expected ids without a result: 1, first: lost" in ran.out
    assert "accuracy            0.900" in ran.out
    assert "Most frequent mistakes" in ran.out
    assert "cost rests on:" in ran.out
    assert ran.err.splitlines() == [str(runs / "good" / "out" / f"eval.{kind}") for kind in ("parquet", "html")]
    table = pl.read_parquet(runs / "good" / "out" / "eval.parquet")
    assert table.columns == ["metric", "name", "value", "low", "high", "documents"]
    accuracy = table.row(by_predicate=pl.col("metric") == "accuracy", named=True)
    assert (accuracy["value"], accuracy["documents"]) == (0.9, ROWS)
    assert 0.8 < accuracy["low"] < 0.9 < accuracy["high"] < 1
    assert table.filter(pl.col("metric") == "confusion")["value"].sum() == ROWS


def test_json_is_one_document_with_the_same_figures(runs: Path) -> None:
    told = json.loads(evaluate(runs, "--json").out)
    assert (told["documents"], told["missing"], told["unjudged"], told["failed"]) == (ROWS, ["lost"], 0, [])
    table = pl.read_parquet(runs / "good" / "out" / "eval.parquet").filter(pl.col("metric") != "confusion")
    assert told["measures"] == table.to_dicts()
    assert sum(one["rows"] for one in told["confusion"]) == ROWS


def test_expected_answers_of_some_rows_tell_of_all(runs: Path, tmp_path: Path) -> None:
    some = pl.read_csv(runs / "gold.csv").head(ROWS - 10)  # six of these are wrong, none of the others
    some.write_csv(tmp_path / "some.csv")
    ran = slmbatch("eval", runs / "good" / "out", "--gold", tmp_path / "some.csv", "--json")
    found = {one["metric"]: one for one in json.loads(ran.out)["measures"] if one["name"] is None}
    judged, all_ = found["accuracy"], found["accuracy_of_all"]
    assert (judged["value"], all_["documents"]) == (0.88, ROWS - 10)
    assert 0.8 < all_["low"] < 0.88 <= all_["value"] < all_["high"] < 1
    assert all_["high"] - all_["low"] < judged["high"] - judged["low"]  # 50 of 60 are known for certain


def test_the_page_has_the_figures_and_needs_nothing_from_elsewhere(runs: Path) -> None:
    assert evaluate(runs).code == 0
    html = (runs / "good" / "out" / "eval.html").read_text()
    page = Page(html)
    assert page.column("all", "Measure")[0] == "accuracy"
    assert page.column("all", "Value")[0] == "0.900"
    matrix = page.tables["confusion"]
    assert matrix[0] == ["Expected", *sorted(LABELS)]
    assert sum(int(cell) for row in matrix[1:] for cell in row[1:]) == ROWS
    assert page.count("svg") == 1
    assert not {"script", "link", "img", "a"} & {tag for tag, _ in page.elements}
    assert "My card" not in html


def test_bounds_that_hold_are_silent_and_others_end_with_3(runs: Path) -> None:
    assert evaluate(runs, "--min", "accuracy=0.9,macro_f1=0.8", "--max", "usd_per_right=0").code == 0
    ran = evaluate(runs, "--min", "accuracy=0.95", "--min", f"recall:{right_label(1)}=1,accepted=0.1", "--json")
    assert ran.code == 3
    assert "accuracy is 0.9, below 0.95 (60 documents, 95 % interval 0." in ran.err.splitlines()[0]
    assert f"recall:{right_label(1)} is " in ran.err
    assert "accepted" not in ran.err
    assert len(json.loads(ran.out)["failed"]) == 2


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--min", "acuracy=0.9"], "Did you mean accuracy?"),
        (["--min", "recall:crd=0.9"], "Did you mean recall:card?"),
        (["--min", "xyz=0.9"], "Known are accuracy"),
        (["--min", "accuracy"], "not MEASURE=NUMBER"),
        (["--min", "accuracy=high"], "'high' is not a number"),
        (["--min", "ece=0.1"], "--max"),
        (["--max", "accuracy=0.1"], "--min"),
        (["--baseline", "nowhere"], "no run of slmbatch"),
    ],
)
def test_what_was_mistyped_is_said(runs: Path, arguments: list[str], what: str) -> None:
    ran = evaluate(runs, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert what in ran.err


def test_expected_answers_that_do_not_fit_are_refused(runs: Path, tmp_path: Path) -> None:
    gold = tmp_path / "gold.csv"
    gold.write_text("id,label\na.txt,card\n")
    ran = slmbatch("eval", runs / "good" / "out", "--gold", gold)
    assert (ran.code, ran.out) == (2, "")
    assert "none of its 1 ids has an expected answer and a result in this run; without a result is a.txt" in ran.err
    assert "--id-column" in ran.err
    gold.with_suffix(".jsonl").write_text('{"id": "t.parquet#0", "values": {"total": "1"}}\n')
    ran = slmbatch("eval", runs / "good" / "out", "--gold", gold.with_suffix(".jsonl"))
    assert "give labels" in ran.err


def test_a_run_that_got_worse_ends_with_3_and_says_how_sure_that_is(runs: Path) -> None:
    ran = evaluate(runs, "--baseline", runs / "good" / "out", name="bad")
    assert ran.code == 3
    assert "accuracy 0.9000 -> 0.5667: worse, significantly" in ran.err
    assert "McNemar, exact" in ran.err
    assert "Against the baseline, on 60 documents" in ran.out
    ran = evaluate(runs, "--baseline", runs / "bad" / "out", "--json")
    assert ran.code == 0, ran.err
    changes = {one["metric"]: one for one in json.loads(ran.out)["baseline"]["changes"]}
    assert changes["accuracy"]["new"] - changes["accuracy"]["old"] == pytest.approx(20 / 60)
    assert changes["macro_f1"]["p"] < 0.01


def test_a_run_is_no_worse_than_itself(runs: Path) -> None:
    ran = evaluate(runs, "--baseline", runs / "good" / "out")
    assert ran.code == 0
    assert "0.9000 -> 0.9000: unchanged" in ran.out


def test_starting_over_removes_the_evaluation(runs: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(runs / "good", tmp_path / "copy"))
    server = Loopback()
    assert slmbatch("eval", copy / "out", "--gold", runs / "gold.csv").code == 0
    arguments = ["classify", copy / "t.parquet", "--labels", "card,rate", "--model", server.model, "--overwrite"]
    assert slmbatch(*arguments, "-o", copy / "out").code == 0
    server.close()
    assert not (copy / "out" / "eval.parquet").exists()


def test_extracted_fields_that_two_schemas_have_are_compared(tmp_path: Path) -> None:
    samples = Path(__file__).parents[2] / "sample_docs"
    schemas = samples.parent / "schemas"
    texts = [samples / "invoices" / name for name in ("elektron-2018-construction.pdf", "fournisseur-f-2017-goods.pdf")]
    for name in ("invoice", "invoice-header"):
        ran = slmbatch("extract", *texts, "--schema", schemas / f"{name}.schema.json", "-o", tmp_path / name)
        assert ran.code == 0, ran.err
    gold = samples / "invoices.expected.jsonl"
    ran = slmbatch("eval", tmp_path / "invoice", "--gold", gold, "--baseline", tmp_path / "invoice-header", "--json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    compared = {one["metric"]: one for one in told["baseline"]["changes"]}
    assert {"field_accuracy", "field_f1", "document_accuracy"} <= set(compared)
    assert "item_f1" not in compared  # the header's schema has no lines
    assert any(one["metric"] == "item_f1" for one in told["measures"])
    assert told["baseline"]["documents"] == told["documents"] == 2
