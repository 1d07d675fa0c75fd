"""kill -9 at any moment: the same command again completes the run, and no finished row is asked again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.harness import (
    LABELS,
    Loopback,
    key_of,
    kill,
    parts_of,
    results,
    right_label,
    row_text,
    slmbatch,
    start,
    wait_until,
    write_rows,
)

ROWS, KILLS, SEED = 3000, 5, 20_261_123
IN_FLIGHT = 32  # requests that a remote tier has under way at most
COMPARED = ("id", "source", "row", "status", "label", "label_scores", "score", "tier", "reason", "content_hash", "usd")


def command(table: Path, out: Path, server: Loopback) -> list[object]:
    return ["classify", table, "--labels", ",".join(LABELS), "-o", out, "--model", server.model, "--quiet"]


@pytest.mark.timeout(180)
def test_resume_after_kill_writes_each_row_once_and_asks_no_finished_row_again(
    tmp_path: Path, loopback: Callable[..., Loopback]
) -> None:
    table = write_rows(tmp_path / "rows.parquet", range(ROWS))
    numbers = {key_of(row_text(row)): row for row in range(ROWS)}
    server, out = loopback(latency_s=0.02), tmp_path / "out"
    moments = sorted(Random(SEED).sample(range(50, ROWS - 200), KILLS))
    finished: dict[int, int] = {}  # how often each row had been asked when a kill found it settled
    for moment in moments:
        process = start(*command(table, out, server))
        wait_until(lambda moment=moment: server.answered().total() >= moment, f"{moment} answers")  # type: ignore[misc]
        assert process.poll() is None, process.communicate()
        kill(process)
        settled = [numbers[record["key"]] for record in parts_of(out)]
        assert len(settled) == len(set(settled))
        assert finished.keys() <= set(settled)
        asked = server.asked()
        finished = {row: finished.get(row, asked[row]) for row in settled}
        assert not (out / "results.parquet").exists()
    assert 0 < len(finished) < ROWS

    ran = slmbatch(*command(table, out, server))
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    asked = server.asked()
    assert {row: asked[row] for row in finished} == finished
    assert sorted(asked) == list(range(ROWS))
    assert asked.total() - ROWS <= KILLS * IN_FLIGHT

    undisturbed = tmp_path / "undisturbed"
    assert slmbatch(*command(table, undisturbed, server)).code == 0
    rows, expected = results(out), results(undisturbed)
    assert [row["row"] for row in rows] == list(range(ROWS))
    assert [row["label"] for row in rows] == [right_label(row) for row in range(ROWS)]
    assert [{name: row[name] for name in COMPARED} for row in rows] == [
        {name: row[name] for name in COMPARED} for row in expected
    ]
    leftovers = {path.name for path in (out / ".slmbatch").rglob("*") if path.suffix in {".tmp", ".jsonl"}}
    assert leftovers <= {"slmbatch.jsonl"}


def test_a_kill_while_the_tables_are_built_costs_no_request(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    """The rows are all settled and the tables half written: what a kill at the very end leaves."""
    table = write_rows(tmp_path / "rows.parquet", range(40))
    server, out = loopback(), tmp_path / "out"
    assert slmbatch(*command(table, out, server)).code == 0
    expected = results(out)
    (out / "results.parquet").rename(out / "results.parquet.tmp")
    (out / "report.json").unlink()
    ran = slmbatch(*command(table, out, server))
    assert ran.code == 0
    assert results(out) == expected
    assert server.asked().total() == 40
    assert sorted(path.name for path in out.iterdir()) == [
        ".slmbatch",
        "cost.parquet",
        "report.html",
        "report.json",
        "results.parquet",
    ]
