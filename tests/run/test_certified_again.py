"""Certified runs that are gone on with: retries, raised budgets, inputs that change and change back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from slmbatch.store.parts import PartStore, part_paths
from tests.harness import (
    LABELS,
    Asked,
    Loopback,
    Reply,
    Scripted,
    completion,
    results,
    right_label,
    slmbatch,
    write_rows,
)

from .test_certified import certificate, paid

NONSENSE, OUTAGE = completion("I would rather not say."), Reply(503)


def troubled(trouble: list[Reply]) -> Callable[[Asked], Reply]:
    """Answer as the loopback server does, but give this reply about some rows as long as there is trouble."""

    def answer(asked: Asked) -> Reply:
        number = int(asked.text.partition("[row:")[2].partition("]")[0])
        if trouble and number % 29 == 3:
            return trouble[0]
        return completion(json.dumps({"label": right_label(number)}))

    return answer


@pytest.mark.parametrize(("reply", "more"), [(OUTAGE, []), (NONSENSE, ["--retry-failed"])])
def test_labels_that_never_came_are_asked_for_again_and_counted(
    tmp_path: Path, loopback: Callable[..., Loopback], scripted: Callable[..., Scripted], reply: Reply, more: list[str]
) -> None:
    trouble = [reply]
    table, cheap, top = write_rows(tmp_path / "rows.parquet", range(300)), loopback(), scripted(by=troubled(trouble))
    (tmp_path / "once.toml").write_text(f'[tier."{top.model}"]\nattempts = 1\nprice = {{input = "0", output = "0"}}\n')
    tiers = ["--model", cheap.model, "--escalate", top.model, "--config", tmp_path / "once.toml"]
    run = ["classify", table, "--labels", ",".join(LABELS), "-o", tmp_path / "out", *tiers, "--target", "0.9"]
    run += ["--price", f"{cheap.model}=0", "--yes"]
    ran = slmbatch(*run)
    assert ran.code == 0, ran.err
    before = certificate(tmp_path / "out")
    assert before["missing_labels"] == len(before["error_ranks"]) > 0
    trouble.clear()
    asked = len(top.asked)
    ran = slmbatch(*run, *more)
    assert ran.code == 0, ran.err
    now = certificate(tmp_path / "out")
    assert (now["missing_labels"], now["error_ranks"]) == (0, [])
    assert [now[name] for name in ("digest", "sample", "tolerated")] == [
        before[name] for name in ("digest", "sample", "tolerated")
    ]
    assert now["rank"] >= before["rank"]
    assert len(top.asked) - asked >= before["missing_labels"]
    ran = slmbatch("verify", tmp_path / "out")
    assert ran.code == 0, ran.out


def test_labels_whose_second_try_is_not_paid_for_are_tried_again(
    tmp_path: Path, loopback: Callable[..., Loopback], scripted: Callable[..., Scripted]
) -> None:
    trouble = [OUTAGE]
    table, cheap, top = write_rows(tmp_path / "rows.parquet", range(300)), loopback(), scripted(by=troubled(trouble))
    (tmp_path / "once.toml").write_text(
        f'[tier."{top.model}"]\nattempts = 1\nprice = {{input = "1", output = "10"}}\n'
        f'[tier."{cheap.model}"]\nprice = {{input = "0", output = "0"}}\n'
    )
    tiers = ["--model", cheap.model, "--escalate", top.model, "--config", tmp_path / "once.toml", "--yes"]
    run = ["classify", table, "--labels", ",".join(LABELS), "-o", tmp_path / "out", *tiers, "--target", "0.9"]
    assert slmbatch(*run, "--max-usd", "1").code == 0
    before = certificate(tmp_path / "out")
    assert before["missing_labels"] > 0
    trouble.clear()
    ran = slmbatch(*run, "--max-usd", "0.0001")
    assert (ran.code, "rows wait for" in ran.err) == (4, True), ran.err
    assert certificate(tmp_path / "out")["error_ranks"] == before["error_ranks"]  # as true as it was
    ran = slmbatch(*run, "--max-usd", "1")
    assert ran.code == 0, ran.err
    assert certificate(tmp_path / "out")["missing_labels"] == 0
    assert slmbatch("verify", tmp_path / "out").code == 0


def test_nonsense_is_not_asked_for_again_by_itself(
    tmp_path: Path, loopback: Callable[..., Loopback], scripted: Callable[..., Scripted]
) -> None:
    table, cheap, top = write_rows(tmp_path / "rows.parquet", range(300)), loopback(), scripted(by=troubled([NONSENSE]))
    run = paid(table, tmp_path / "out", cheap, top, "--yes")
    assert slmbatch(*run).code == 0
    before, asked = certificate(tmp_path / "out"), len(top.asked)
    assert slmbatch(*run).code == 0
    assert (len(top.asked), certificate(tmp_path / "out")) == (asked, before)


def test_labels_in_the_journal_of_a_killed_session_are_found(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    table, cheap, top = write_rows(tmp_path / "rows.parquet", range(300)), loopback(), loopback()
    run = paid(table, tmp_path / "out", cheap, top, "--yes")
    assert slmbatch(*run).code == 0
    before, folder = certificate(tmp_path / "out"), tmp_path / "out" / ".slmbatch" / "certify" / "top"
    (tmp_path / "journal").mkdir()
    store = PartStore(tmp_path / "journal")
    (part,) = part_paths(folder)
    for one in pq.read_table(part).to_pylist():
        store.settle(one)
    part.unlink()
    shutil.copy(tmp_path / "journal" / "journal-000000.jsonl", folder)
    store.commit()
    (folder.parent / "labels.parquet").unlink()
    ran = slmbatch(*run)
    assert ran.code == 0, ran.err
    assert certificate(tmp_path / "out")["error_ranks"] == before["error_ranks"] == []
    assert slmbatch("verify", tmp_path / "out").code == 0


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
    rows = results(tmp_path / "out")
    assert len(rows) == 300
    assert {row["waits_for"] for row in rows} == {cheap.model, top.model}  # some have an answer of the first tier
    assert {row["status"] for row in rows if row["label"]} == {"review"}
    ran = slmbatch(*run, "--max-usd", "5")
    assert ran.code == 0, ran.err
    assert certificate(tmp_path / "out")["pool"] == 300
    assert cheap.asked().total() == 300
    ran = slmbatch("verify", tmp_path / "out")
    assert ran.code == 0, ran.out


def test_a_refused_plan_is_not_made_again_under_other_prices(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    table, cheap, top = write_rows(tmp_path / "rows.parquet", range(300)), loopback(), loopback()
    run = paid(table, tmp_path / "out", cheap, top, "--yes", "--strict")
    why = "No certificate: a certificate is expected to save"
    for price in ("9/9", "0.001/0.001"):
        ran = slmbatch(*run, "--price", f"{cheap.model}={price}")
        assert (ran.code, why in ran.err) == (3, True), ran.err
    assert top.asked().total() == 0


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


def test_a_middle_tier_that_spoils_answers_is_named(
    tmp_path: Path, loopback: Callable[..., Loopback], scripted: Callable[..., Scripted]
) -> None:
    table, cheap, top = write_rows(tmp_path / "rows.parquet", range(300)), loopback(), loopback()
    middle = scripted(completion(json.dumps({"label": LABELS[0]})))  # whatever it's asked
    run = ["classify", table, "--labels", ",".join(LABELS), "-o", tmp_path / "out", "--threshold", "1"]
    run += ["--model", cheap.model, "--escalate", middle.model, "--escalate", top.model, "--target", "0.9", "--yes"]
    ran = slmbatch(*run)
    assert ran.code == 0, ran.err
    (told,) = json.loads((tmp_path / "out" / "report.json").read_text())["certificate"]["replaced"]
    assert (told["tier"], told["before"], told["became_right"]) == (middle.model, cheap.model, 0)
    assert 0 < told["became_wrong"] == told["changed"] < told["rows"]
    said = f"By the last tier's labels {middle.model} changed {told['changed']} of {told['rows']} answers of"
    assert said in ran.err
    assert "leave it out" in ran.err
    assert "leave it out" in (tmp_path / "out" / "report.html").read_text()
