"""The door: exit codes, what goes to standard output and what to standard error, and what the flags do."""

from __future__ import annotations

import json
import resource
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from slmbatch import __version__
from tests.harness import (
    LABELS,
    Loopback,
    Ran,
    Reply,
    Scripted,
    completion,
    finish,
    kill,
    parts_of,
    results,
    right_label,
    row_text,
    slmbatch,
    start,
    wait_until,
    write_rows,
    write_table,
)

NAMES = ",".join(LABELS)


def classify(table: Path, out: Path, model: str, *more: object) -> list[object]:
    return ["classify", table, "--labels", NAMES, "-o", out, "--model", model, *more]


def said(ran: Ran, code: int, *words: str) -> None:
    """A failure is one line on what happened, one on what to do, and nothing else."""
    assert ran.code == code, ran
    assert ran.out == ""
    what, remedy = ran.err.splitlines()
    assert what.startswith("slmbatch: ")
    assert remedy
    for word in words:
        assert word in ran.err


def cpu_s(*arguments: object) -> float:
    """User and system seconds of one slmbatch."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert slmbatch(*arguments).code == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize("arguments", [["--help"], ["classify", "--help"], ["extract", "--help"], ["--version"]])
def test_help_takes_less_than_three_tenths_of_a_second(arguments: list[str]) -> None:
    assert min(cpu_s(*arguments) for _ in range(5)) < 0.3


def test_help_and_version_are_printed() -> None:
    shown = slmbatch("--help")
    assert shown.code == 0
    assert all(verb in shown.out for verb in ("classify", "extract", "report", "doctor", "models"))
    assert slmbatch("--version").out == f"{__version__}\n"
    assert slmbatch().code == 2


def test_the_path_of_the_results_is_all_that_goes_to_standard_output(
    tmp_path: Path, loopback: Callable[..., Loopback]
) -> None:
    out = tmp_path / "out"
    ran = slmbatch(*classify(write_rows(tmp_path / "t.parquet", range(5)), out, loopback().model))
    assert ran.code == 0
    assert ran.out == f"{out / 'results.parquet'}\n"
    assert "5 rows" in ran.err
    assert "\x1b" not in ran.err


def test_json_is_one_document_and_quiet_is_silent(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    model, table = loopback().model, write_rows(tmp_path / "t.parquet", range(5))
    ran = slmbatch(*classify(table, tmp_path / "a", model, "--json"))
    report = json.loads(ran.out)
    assert (ran.code, ran.err) == (0, "")
    assert (report["rows"], report["status"]) == (5, {"accepted": 5})
    assert report == json.loads((tmp_path / "a" / "report.json").read_text())
    quiet = slmbatch(*classify(table, tmp_path / "b", model, "--quiet"))
    assert quiet == Ran(0, "", "")
    assert len(results(tmp_path / "b")) == 5


def test_strict_ends_with_3_unless_every_row_was_accepted(tmp_path: Path, scripted: Callable[..., Scripted]) -> None:
    server = scripted(Reply(400), completion('{"label":"card"}'))
    table, out = write_table(tmp_path / "t.parquet", ["one", "two", "three"]), tmp_path / "out"
    arguments = classify(table, out, server.model)
    assert slmbatch(*arguments, "--quiet").code == 0
    ran = slmbatch(*arguments, "--quiet", "--strict")
    said(ran, 3, "1 of 3 rows were not accepted", "results.parquet")
    ran = slmbatch(*arguments, "--json", "--strict")
    assert ran.code == 3
    assert json.loads(ran.out)["status"] == {"accepted": 2, "failed": 1}
    assert slmbatch(*arguments, "--quiet", "--strict", "--retry-failed") == Ran(0, "", "")


def test_a_usage_error_ends_with_2_and_says_what_to_do(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    model, table, out = loopback().model, write_rows(tmp_path / "t.parquet", range(2)), tmp_path / "out"
    (tmp_path / "c.toml").write_text("treshold = 0.5\n")
    (tmp_path / "b.toml").write_text(f'[tier."{model}"]\ntimeout_s = "soon"\n')
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.xyz").write_text("")
    said(slmbatch(*classify(tmp_path / "none.csv", out, model)), 2, "none.csv", "no such file")
    said(slmbatch(*classify(tmp_path / "notes", out, model)), 2, "notes")
    said(slmbatch(*classify(table, out, "openapi:m")), 2, "openapi", "Did you mean openai:m?")
    said(slmbatch(*classify(table, out, "gpt")), 2, "gpt", "ENGINE:MODEL")
    said(slmbatch(*classify(table, out, model, "--config", tmp_path / "c.toml")), 2, "treshold", "threshold")
    said(slmbatch(*classify(table, out, model, "--config", tmp_path / "b.toml")), 2, "timeout_s")
    said(slmbatch(*classify(table, out, model, "--escalate", model)), 2, "named twice")
    said(slmbatch(*classify(table, tmp_path / "notes", model)), 2, "not from slmbatch", "empty folder")
    said(slmbatch("classify", table, "--labels", "one", "-o", out), 2, "--labels one")
    said(slmbatch("extract", table, "--schema", tmp_path / "no.json", "-o", out, "--model", model), 2, "no.json")
    assert not out.exists()
    for wrong in (["--threshold", "2"], ["--limit", "0"], ["--no-such-flag"]):
        ran = slmbatch(*classify(table, out, model, *wrong))
        assert (ran.code, ran.out) == (2, "")
        assert wrong[0] in ran.err
        assert "Traceback" not in ran.err


def test_a_mistyped_option_can_be_corrected_in_the_same_folder(
    tmp_path: Path, loopback: Callable[..., Loopback]
) -> None:
    model, table, out = loopback().model, write_rows(tmp_path / "t.parquet", range(2)), tmp_path / "out"
    said(slmbatch(*classify(table, out, model, "--text-column", "txet")), 2, "txet", "text")
    said(slmbatch(*classify(table, out, "llamacpp:smollm2-135")), 2, "no such model file", "smollm2-135m")
    said(slmbatch(*classify(table, out, "openai:gpt-5-mini")), 2, "OPENAI_API_KEY is not set")
    assert slmbatch(*classify(table, out, model, "--quiet")) == Ran(0, "", "")
    assert len(results(out)) == 2


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    ran = slmbatch(*classify(tmp_path / "none.csv", tmp_path / "out", "openai:m@http://127.0.0.1:9/v1", "--debug"))
    assert ran.code in {1, 2}
    assert "Traceback" in ran.err
    assert "InputError" in ran.err


def test_a_dry_run_asks_nothing_and_writes_nothing(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    server, table, out = loopback(), write_rows(tmp_path / "t.parquet", range(7)), tmp_path / "out"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "empty.txt").write_text("")
    (tmp_path / "in" / "a.txt").write_text(row_text(1))
    ran = slmbatch(*classify(table, out, server.model, "--dry-run", "--json"))
    assert ran.code == 0
    facts = json.loads(ran.out)
    assert (facts["documents"], facts["unreadable"], facts["rest"]["contents"]) == (7, 0, 7)
    ran = slmbatch(*classify(tmp_path / "in", out, server.model, "--dry-run"))
    assert "2 documents, 1 unreadable" in ran.out
    assert "Nothing was asked" in ran.out
    assert not out.exists()
    assert server.asked() == Counter()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "t.parquet"]


def test_a_limit_stops_after_so_many_documents(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    server, out = loopback(), tmp_path / "out"
    ran = slmbatch(
        *classify(write_rows(tmp_path / "t.parquet", range(50)), out, server.model, "--limit", "8", "--json")
    )
    assert json.loads(ran.out)["rows"] == 8
    assert sorted(server.asked()) == list(range(8))


def test_ids_come_from_the_named_column(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    table = write_table(tmp_path / "t.parquet", [row_text(row) for row in range(3)], ["x", "y", "z"])
    arguments = classify(table, tmp_path / "out", loopback().model, "--quiet", "--id-column", "id")
    assert slmbatch(*arguments).code == 0
    assert [row["id"] for row in results(tmp_path / "out")] == ["x", "y", "z"]


def test_a_skipped_file_is_told_of(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text(row_text(0))
    (folder / "b.xyz").write_text("?")
    ran = slmbatch(*classify(folder, tmp_path / "out", loopback().model))
    assert "Warning: 1 files of unknown type are skipped: b.xyz." in ran.err
    assert json.loads((tmp_path / "out" / "report.json").read_text())["skipped_files"] == 1


def test_a_second_run_in_the_same_folder_is_refused(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    server, table = loopback(latency_s=0.3), write_rows(tmp_path / "t.parquet", range(250))
    arguments = classify(table, tmp_path / "out", server.model, "--quiet")
    first = start(*arguments)
    wait_until(lambda: bool(server.asked()), "the first request")
    said(slmbatch(*arguments), 2, "another slmbatch is at work")
    assert finish(first) == Ran(0, "", "")
    assert set(server.asked().values()) == {1}


def test_other_settings_on_a_finished_folder_are_refused(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    model, table, out = loopback().model, write_rows(tmp_path / "t.parquet", range(3)), tmp_path / "out"
    assert slmbatch(*classify(table, out, model, "--quiet")).code == 0
    ran = slmbatch(*classify(table, out, model, "--threshold", "0.5"))
    said(ran, 2, "differing: threshold.", "--overwrite")
    assert slmbatch(*classify(table, out, model, "--threshold", "0.5", "--overwrite", "--quiet")) == Ran(0, "", "")


def test_report_prints_a_finished_run_and_refuses_an_unfinished_one(
    tmp_path: Path, loopback: Callable[..., Loopback]
) -> None:
    server, table, out = loopback(latency_s=0.2), write_rows(tmp_path / "t.parquet", range(200)), tmp_path / "out"
    process = start(*classify(table, out, server.model, "--quiet"))
    wait_until(lambda: server.answered().total() >= 40, "40 answers")
    kill(process)
    said(slmbatch("report", out), 2, "hasn't finished", "same command again")
    said(slmbatch("report", tmp_path / "nowhere"), 2, "no run of slmbatch")
    assert slmbatch(*classify(table, out, server.model, "--quiet")).code == 0
    assert "200 rows" in slmbatch("report", out).out


def test_a_server_that_cannot_be_reached_ends_the_run_soon(tmp_path: Path) -> None:
    table = write_rows(tmp_path / "t.parquet", range(2000))
    ran = slmbatch(*classify(table, tmp_path / "out", "openai:m@http://127.0.0.1:9/v1", "--quiet"), within_s=30)
    said(ran, 1, "openai:m@http://127.0.0.1:9/v1 can't be used", "address")
    assert not (tmp_path / "out" / "results.parquet").exists()
    assert parts_of(tmp_path / "out") == []


def test_a_full_disk_ends_the_run_and_the_rerun_completes_it(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    server, out = loopback(latency_s=0.01), tmp_path / "out"
    arguments = classify(write_rows(tmp_path / "t.parquet", range(300)), out, server.model, "--quiet")
    ran = finish(start(*arguments, file_size=40_000))
    said(ran, 1, "No space left", "again")
    settled = {record["key"] for record in parts_of(out)}
    assert 0 < len(settled) < 300
    asked = server.asked().total()
    assert slmbatch(*arguments) == Ran(0, "", "")
    assert [row["label"] for row in results(out)] == [right_label(row) for row in range(300)]
    assert server.asked().total() - asked == 300 - len(settled)
