"""Certified runs that are gone on with: retries, raised budgets, inputs that change and change back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.harness import LABELS, Asked, Loopback, Reply, Scripted, completion, results, slmbatch, write_rows

from .test_certified import certificate, paid


def troubled(trouble: list[bool]) -> Callable[[Asked], Reply]:
    """Answer as the loopback server does, but nonsense about some rows as long as there is trouble."""

    def answer(asked: Asked) -> Reply:
        number = int(asked.text.partition("[row:")[2].partition("]")[0])
        if trouble and number % 29 == 3:
            return completion("I would rather not say.")
        return completion(json.dumps({"label": sorted(LABELS)[number % len(LABELS)]}))

    return answer


def test_a_retried_label_stays_missing_in_the_certificate(
    tmp_path: Path, loopback: Callable[..., Loopback], scripted: Callable[..., Scripted]
) -> None:
    trouble = [True]
    table, cheap, top = write_rows(tmp_path / "rows.parquet", range(300)), loopback(), scripted(by=troubled(trouble))
    tiers = ["--model", cheap.model, "--escalate", top.model]  # free: what was paid for is never asked again
    run = ["classify", table, "--labels", ",".join(LABELS), "-o", tmp_path / "out", *tiers, "--target", "0.9"]
    assert slmbatch(*run).code == 0
    before = certificate(tmp_path / "out")
    assert before["missing_labels"] > 0
    trouble.clear()
    ran = slmbatch(*run, "--retry-failed")
    assert ran.code == 0, ran.err
    assert certificate(tmp_path / "out")["error_ranks"] == before["error_ranks"]
    ran = slmbatch("verify", tmp_path / "out")
    assert ran.code == 0, ran.out


def test_input_that_changes_back_leaves_the_certificate_true(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    table, cheap, top = write_rows(tmp_path / "rows.parquet", range(300)), loopback(), loopback()
    run = paid(table, tmp_path / "out", cheap, top, "--yes")
    assert slmbatch(*run).code == 0
    before = certificate(tmp_path / "out")
    write_rows(table, range(301))
    assert slmbatch(*run).code == 2
    ran = slmbatch("verify", tmp_path / "out")
    assert ran.code == 0, ran.out
    write_rows(table, range(300))
    ran = slmbatch(*run)
    assert ran.code == 0, ran.err
    now = certificate(tmp_path / "out")
    assert {**now, "files": 0} == {**before, "files": 0}
    assert slmbatch("verify", tmp_path / "out").code == 0


def test_nothing_is_frozen_while_the_budget_keeps_rows_from_a_cheap_tier(
    tmp_path: Path, loopback: Callable[..., Loopback]
) -> None:
    table, cheap, top = write_rows(tmp_path / "rows.parquet", range(300)), loopback(), loopback()
    run = paid(table, tmp_path / "out", cheap, top, "--yes", "--price", f"{cheap.model}=1/10")
    ran = slmbatch(*run, "--max-usd", "0.01")
    assert ran.code == 4, ran.err
    assert top.asked().total() == 0
    ran = slmbatch(*run, "--max-usd", "5")
    assert ran.code == 0, ran.err
    assert certificate(tmp_path / "out")["pool"] == 300
    assert cheap.asked().total() == 300
    ran = slmbatch("verify", tmp_path / "out")
    assert ran.code == 0, ran.out


def test_only_what_is_left_to_buy_needs_a_yes(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    table, cheap, top = write_rows(tmp_path / "rows.parquet", range(10)), loopback(), loopback()
    run = paid(table, tmp_path / "out", cheap, top)
    ran = slmbatch(*run)  # too few rows for a certificate: all would go to the last tier
    assert (ran.code, "--yes" in ran.err) == (2, True), ran.err
    assert top.asked().total() == 0
    assert slmbatch(*run, "--yes").code == 0
    assert top.asked().total() == 10
    ran = slmbatch(*run)
    assert ran.code == 0, ran.err
    assert top.asked().total() == 10


def test_a_pilot_is_no_part_of_a_certified_run(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    table, cheap, top = write_rows(tmp_path / "rows.parquet", range(10)), loopback(), loopback()
    ran = slmbatch(*paid(table, tmp_path / "out", cheap, top), "--dry-run", "--pilot", "2")
    assert (ran.code, "--target" in ran.err) == (2, True), ran.err
    assert (cheap.asked() + top.asked()).total() == 0


def test_a_row_whose_copy_went_up_does_not_count_as_kept(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    table = write_rows(tmp_path / "rows.parquet", [*range(300), *range(100)])
    cheap, top = loopback(), loopback()
    assert slmbatch(*paid(table, tmp_path / "out", cheap, top, "--yes")).code == 0
    told, kept = certificate(tmp_path / "out"), [row for row in results(tmp_path / "out") if row["tier"] == cheap.model]
    assert told["kept"] == len(kept) < 400 - told["sample"]  # some of the sample's copies are before the line
    assert slmbatch("verify", tmp_path / "out").code == 0
