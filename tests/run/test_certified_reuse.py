"""Certified runs that take labels of an earlier one: to plan by, or instead of labels of their own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest

from tests.harness import LABELS, Loopback, results, slmbatch, write_rows, write_table

from .test_certified import OWN, ROWS, TARGET, TOPICS, certificate, certified, command, heads, tickets

__all__ = ["certified", "heads"]  # fixtures


@pytest.fixture
def tonight(tmp_path: Path) -> Path:
    return write_table(tmp_path / "tonight.parquet", tickets(ROWS, seed=3)[0])


def labels_of(out: Path) -> Path:
    return out / ".slmbatch" / "certify" / "labels.parquet"


def test_labels_of_an_earlier_run_certify_a_new_batch_without_new_ones(
    certified: Path, heads: tuple[Path, Path], tonight: Path, tmp_path: Path
) -> None:
    run = [*command(tonight, tmp_path / "out", heads), "--target", TARGET, "--reuse", certified]
    ran = slmbatch(*run)
    assert ran.code == 0, ran.err
    before, told, rows = certificate(certified), certificate(tmp_path / "out"), results(tmp_path / "out")
    assert f"if they are like the {before['sample']} rows labelled in {certified}" in ran.err
    assert "two points of accuracy can be lost unseen" in ran.err
    assert (told["sample"], told["pool"], told["rows"]) == (before["sample"], ROWS + before["sample"], ROWS)
    assert told["asked_on"] == before["asked_on"]
    assert told["risk"] <= 0.1
    kept = [row for row in rows if row["tier"] == f"head:{heads[0]}"]
    assert 0 < len(kept) == told["kept"] < ROWS
    assert not labels_of(tmp_path / "out").exists()
    ran = slmbatch("verify", tmp_path / "out")
    assert ran.code == 0, ran.out
    assert f"Certified, if the {ROWS} rows are like {before['sample']} labelled ones of an earlier batch" in ran.out
    assert json.loads((tmp_path / "out" / "report.json").read_text())["certificate"]["drift"] == told["drift"]


def test_a_reused_run_goes_on_when_the_earlier_one_is_gone(
    certified: Path, heads: tuple[Path, Path], tonight: Path, tmp_path: Path
) -> None:
    shutil.copytree(certified, tmp_path / "last night")
    run = [*command(tonight, tmp_path / "out", heads), "--target", TARGET, "--reuse", tmp_path / "last night"]
    assert slmbatch(*run).code == 0
    before = certificate(tmp_path / "out")
    shutil.rmtree(tmp_path / "last night")
    ran = slmbatch(*run)
    assert ran.code == 0, ran.err
    assert certificate(tmp_path / "out") == before
    assert slmbatch(*run[:-2]).code == 2  # without the old labels it's another promise


def test_a_changed_label_of_the_earlier_run_is_seen(
    certified: Path, heads: tuple[Path, Path], tonight: Path, tmp_path: Path
) -> None:
    run = [*command(tonight, tmp_path / "out", heads), "--target", TARGET, "--reuse", certified]
    assert slmbatch(*run).code == 0
    path = tmp_path / "out" / ".slmbatch" / "certify" / "earlier.parquet"
    table = pq.read_table(path)
    agrees = table["agrees"].to_pylist()
    agrees[agrees.index(False)] = True
    pq.write_table(table.set_column(3, table.field("agrees"), [agrees]), path)
    ran = slmbatch("verify", tmp_path / "out")
    assert ran.code == 3
    assert "error_ranks" in ran.out


def test_after_a_drift_rows_of_the_batch_are_labelled(
    certified: Path, heads: tuple[Path, Path], tmp_path: Path
) -> None:
    dice = Random(5)
    everything = [word for words in TOPICS.values() for word in words]
    assert len(everything) * OWN > 8
    vague = [" ".join(dice.choice(everything) for _ in range(8)) + f" {number}" for number in range(ROWS)]
    mixed = vague[: ROWS // 2] + tickets(ROWS // 2, seed=3)[0]
    table = write_table(tmp_path / "tonight.parquet", mixed)
    ran = slmbatch(*command(table, tmp_path / "out", heads), "--target", TARGET, "--reuse", certified)
    assert ran.code == 0, ran.err
    assert f"The labels of {certified} don't serve: scores aren't as they were" in ran.err
    assert labels_of(tmp_path / "out").exists() or "No certificate" in ran.err
    told = json.loads((tmp_path / "out" / "report.json").read_text())["certificate"]
    assert "drift" not in told


def test_labels_of_earlier_runs_plan_a_smaller_sample_where_answers_are_better_than_guessed(
    tmp_path: Path, loopback: Callable[..., Loopback]
) -> None:
    cheap, top = loopback(), loopback()  # which always agree
    first = write_rows(tmp_path / "first.parquet", range(2_000))
    tiers = ["--labels", ",".join(LABELS), "--model", cheap.model, "--escalate", top.model, "--target", "0.95"]
    assert slmbatch("classify", first, "-o", tmp_path / "first", *tiers).code == 0
    second = write_rows(tmp_path / "second.parquet", range(2_000, 3_000))
    run = ["classify", second, *tiers]
    assert slmbatch(*run, "-o", tmp_path / "unplanned").code == 0
    assert slmbatch(*run, "-o", tmp_path / "planned", "--earlier", tmp_path / "first").code == 0
    guessed, known = (certificate(tmp_path / name) for name in ("unplanned", "planned"))
    assert known["sample"] < guessed["sample"] / 2
    assert known["kept"] > guessed["kept"]
    ran = slmbatch(*run, "-o", tmp_path / "few", "--earlier", tmp_path / "planned")
    assert (ran.code, f"{known['sample']} labelled rows, and 200 are needed" in ran.err) == (2, True), ran.err
    before = top.asked().total()
    ran = slmbatch(*run, "-o", tmp_path / "reused", "--reuse", tmp_path / "first")
    assert ran.code == 0, ran.err
    assert certificate(tmp_path / "reused")["kept"] == 1_000
    assert top.asked().total() == before  # about nothing at all
    assert slmbatch("verify", tmp_path / "reused").code == 0


def test_labels_of_another_question_or_of_none_are_refused(
    certified: Path, heads: tuple[Path, Path], tonight: Path, tmp_path: Path
) -> None:
    small, large = heads
    other = ["classify", tonight, "--labels", ",".join(TOPICS), "-o", tmp_path / "out", "--model", f"head:{large}"]
    ran = slmbatch(*other, "--escalate", f"head:{small}", "--target", TARGET, "--reuse", certified)
    assert ran.code == 2
    assert "differing: tiers" in ran.err
    assert slmbatch(*command(tonight, tmp_path / "plain", heads)).code == 0
    ran = slmbatch(*command(tonight, tmp_path / "out", heads), "--target", TARGET, "--earlier", tmp_path / "plain")
    assert ran.code == 2
    assert "has no labels that were drawn for a certificate" in ran.err
    ran = slmbatch(*command(tonight, tmp_path / "out", heads), "--reuse", certified)
    assert ran.code == 2
    assert "belong to --target" in ran.err
    assert not (tmp_path / "out" / "results.parquet").exists()
