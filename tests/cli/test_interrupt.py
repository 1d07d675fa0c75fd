"""Ctrl-C and the polite kill: finished rows are kept, nothing is left running, the rerun completes."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness import (
    EMBEDDED,
    LABELS,
    Loopback,
    Ran,
    alive,
    descendants,
    finish,
    interrupt,
    parts_of,
    results,
    right_label,
    slmbatch,
    start,
    wait_until,
    write_rows,
    write_table,
)

NAMES = ",".join(LABELS)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_its_finished_rows_and_the_rerun_completes(
    tmp_path: Path, loopback: Callable[..., Loopback], number: signal.Signals
) -> None:
    server, out = loopback(latency_s=0.1), tmp_path / "out"
    table = write_rows(tmp_path / "t.parquet", range(600))
    arguments = ["classify", table, "--labels", NAMES, "-o", out, "--model", server.model, "--quiet"]
    process = start(*arguments)
    wait_until(lambda: server.answered().total() >= 100, "100 answers")
    process.send_signal(number)
    ran = finish(process, within_s=30)
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.splitlines() == [
        "slmbatch: Interrupted.",
        f"Finished rows are kept in {out}. Run the same command again to go on.",
    ]
    settled = parts_of(out)
    assert 60 <= len(settled) < 600
    assert not list((out / ".slmbatch" / "parts").glob("journal-*"))  # committed
    assert not (out / "results.parquet").exists()
    before = server.asked().total()
    assert slmbatch(*arguments) == Ran(0, "", "")
    assert [row["label"] for row in results(out)] == [right_label(row) for row in range(600)]
    assert server.asked().total() - before == 600 - len(settled)


def test_ctrl_c_while_the_embedded_server_starts_leaves_nothing_behind(tmp_path: Path, embedded_model: Path) -> None:
    table = write_table(tmp_path / "t.parquet", ["hello"])
    process = start(
        "classify", table, "--labels", NAMES, "-o", tmp_path / "out", "--no-download", "--quiet", "--model", EMBEDDED
    )
    wait_until(lambda: bool(descendants(process.pid, "llamacpp_server")), "the server's process")
    servers = descendants(process.pid, "llamacpp_server")
    interrupt(process)
    ran = finish(process, within_s=30)
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.splitlines()[0] == "slmbatch: Interrupted."
    assert len(ran.err.splitlines()) == 2
    wait_until(lambda: not any(alive(server) for server in servers), "the server to end", within_s=10)


def test_ctrl_c_while_the_embedded_server_answers_stops_it(tmp_path: Path, embedded_model: Path) -> None:
    table = write_table(tmp_path / "t.parquet", [f"Where is my card number {row}?" for row in range(400)])
    out = tmp_path / "out"
    process = start("classify", table, "--labels", NAMES, "-o", out, "--no-download", "--quiet", "--model", EMBEDDED)
    journals = out / ".slmbatch" / "parts"
    wait_until(lambda: any(path.stat().st_size for path in journals.glob("journal-*")), "the first result")
    servers = descendants(process.pid, "llamacpp_server")
    interrupt(process)
    ran = finish(process, within_s=30)
    assert ran.code == 130
    assert len(servers) == 1
    assert not alive(servers[0])
    assert 0 < len(parts_of(out)) < 400


def test_ctrl_c_before_the_run_has_begun_is_quiet(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    with table.open("w") as file:
        file.write("text\n")
        file.writelines(f"row {row} of a long table\n" for row in range(1_000_000))
    process = start("classify", table, "--labels", NAMES, "-o", tmp_path / "out", "--dry-run")
    wait_until(lambda: any("libarrow" in line for line in maps(process.pid)), "the reading to begin")
    interrupt(process)
    ran = finish(process, within_s=30)
    assert ran.code == 130
    assert "Traceback" not in ran.err


def maps(pid: int) -> list[str]:
    """The files a process has mapped: which libraries it has come to load."""
    try:
        return Path(f"/proc/{pid}/maps").read_text().splitlines()
    except OSError:
        return []
