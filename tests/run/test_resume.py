"""The same command again: what is asked, what isn't, and what is refused."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slmbatch.errors import InputError, RunFolderError
from slmbatch.readers import ReadOptions
from tests.harness import (
    LABELS,
    Asked,
    Loopback,
    Reply,
    Scripted,
    completion,
    results,
    right_label,
    row_text,
    write_rows,
    write_table,
)

from .made import classify


def texts_in(folder: Path, rows: range) -> Path:
    folder.mkdir(exist_ok=True)
    for row in rows:
        (folder / f"{row:03d}.txt").write_text(row_text(row))
    return folder


def test_a_finished_run_asks_nothing_again(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    server, out = loopback(), tmp_path / "out"
    table = write_rows(tmp_path / "t.parquet", range(100))
    first = classify(table, out, server.model)
    assert (first.read, first.done, first.resumed, first.statuses) == (100, 100, 0, Counter(accepted=100))
    before = results(out)
    again = classify(table, out, server.model)
    assert (again.done, again.resumed) == (100, 100)
    assert results(out) == before
    assert set(server.asked().values()) == {1}


def test_of_changed_inputs_only_what_is_new_is_asked(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    server, out = loopback(), tmp_path / "out"
    folder = texts_in(tmp_path / "in", range(10))
    classify(folder, out, server.model)
    (folder / "003.txt").write_text(row_text(103))
    (folder / "005.txt").unlink()
    (folder / "004b.txt").write_text(row_text(104))
    (folder / "007.txt").rename(folder / "000a.txt")
    classify(folder, out, server.model)
    assert server.asked() == Counter([*range(10), 103, 104])
    expected = [(0, "000"), (7, "000a"), (1, "001"), (2, "002"), (103, "003"), (4, "004"), (104, "004b"), (6, "006")]
    expected += [(8, "008"), (9, "009")]
    assert [(row["id"], row["label"]) for row in results(out)] == [
        (f"{name}.txt", right_label(number)) for number, name in expected
    ]


def test_a_table_in_another_order_and_format_costs_nothing(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    server, out = loopback(), tmp_path / "out"
    folder = tmp_path / "in"
    folder.mkdir()
    write_rows(folder / "t.parquet", range(20))
    classify(folder, out, server.model)
    (folder / "t.parquet").unlink()
    lines = [json.dumps({"text": row_text(row), "more": row}) for row in reversed(range(20))]
    (folder / "t.jsonl").write_text("\n".join(lines))
    classify(folder, out, server.model)
    assert [row["label"] for row in results(out)] == [right_label(row) for row in reversed(range(20))]
    assert set(server.asked().values()) == {1}


def test_a_renamed_column_of_the_same_texts_costs_nothing(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    server, out = loopback(), tmp_path / "out"
    table = write_rows(tmp_path / "t.parquet", range(5))
    classify(table, out, server.model)
    pq.write_table(pa.table({"body": [row_text(row) for row in range(5)]}), table)
    classify(table, out, server.model)
    assert set(server.asked().values()) == {1}
    with pytest.raises(RunFolderError, match=r"differing: text_column\."):
        classify(table, out, server.model, reading=ReadOptions(text_column="body"))
    with pytest.raises(InputError, match="no column 'text'"):
        classify(table, tmp_path / "new", server.model, reading=ReadOptions(text_column="text"))


def test_what_would_change_answers_is_refused_by_name(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    server, other, out = loopback(), loopback(), tmp_path / "out"
    table = write_rows(tmp_path / "t.parquet", range(3))
    (tmp_path / "labels.yaml").write_text("labels:\n" + "".join(f"- {name}\n" for name in LABELS))
    classify(table, out, server.model)
    limits = tmp_path / "limits.toml"
    limits.write_text(f'[tier."{server.model}"]\ntimeout_s = 9\nconcurrency = 3\nprice = {{input = 1, output = 2}}\n')
    classify(table, out, server.model, labels=str(tmp_path / "labels.yaml"), config=limits)  # the same question

    def refused(differing: str, **changes: object) -> None:
        with pytest.raises(RunFolderError) as caught:
            classify(**{"source": table, "out": out, "model": server.model, **changes})  # type: ignore[arg-type]
        assert caught.value.message.endswith(f"differing: {differing}.")

    refused("tiers", model=other.model)
    refused("tiers", escalate=(other.model,))
    refused("threshold", threshold=0.5)
    refused("labels or schema", labels="card,account")
    refused("inputs", source=write_rows(tmp_path / "u.parquet", range(3)))
    refused("tiers, threshold", model=other.model, threshold=0.5)
    context = tmp_path / "context.toml"
    context.write_text(f'[tier."{server.model}"]\ncontext_tokens = 512\n')
    refused("tiers", config=context)
    assert set(server.asked().values()) == {1}
    assert [row["label"] for row in results(out)] == [right_label(row) for row in range(3)]


def test_overwrite_starts_over(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    server, out = loopback(), tmp_path / "out"
    table = write_rows(tmp_path / "t.parquet", range(3))
    classify(table, out, server.model)
    (out / "notes.txt").write_text("mine")
    classify(table, out, server.model, threshold=0.5, overwrite=True)
    assert set(server.asked().values()) == {2}
    assert (out / "notes.txt").read_text() == "mine"
    assert len(results(out)) == 3


def test_a_limit_is_a_beginning_that_a_run_without_one_goes_on_from(
    tmp_path: Path, loopback: Callable[..., Loopback]
) -> None:
    server, out = loopback(), tmp_path / "out"
    table = write_rows(tmp_path / "t.parquet", range(50))
    classify(table, out, server.model, reading=ReadOptions(limit=10))
    assert sorted(server.asked()) == list(range(10))
    assert [row["row"] for row in results(out)] == list(range(10))
    classify(table, out, server.model)
    assert [row["label"] for row in results(out)] == [right_label(row) for row in range(50)]
    assert set(server.asked().values()) == {1}


def test_failed_rows_are_asked_again_only_when_told_to(tmp_path: Path, scripted: Callable[..., Scripted]) -> None:
    broken = [True]

    def by(asked: Asked) -> Reply:
        return Reply(body="nonsense") if broken[0] and "bad" in asked.text else completion('{"label":"card"}')

    server, out = scripted(by=by), tmp_path / "out"
    table = write_table(tmp_path / "t.parquet", ["good 1", "bad 1", "good 2", "bad 2"])
    classify(table, out, server.model)
    assert [row["status"] for row in results(out)] == ["accepted", "failed", "accepted", "failed"]
    broken[0] = False
    classify(table, out, server.model)
    assert len(server.asked) == 4
    again = classify(table, out, server.model, retry_failed=True)
    assert again.resumed == 2
    assert sorted(text.removeprefix("Text: ") for text in server.texts()[4:]) == ["bad 1", "bad 2"]
    assert [row["status"] for row in results(out)] == ["accepted"] * 4
    assert [row["label"] for row in results(out)] == ["card"] * 4
    classify(table, out, server.model, retry_failed=True)
    assert len(server.asked) == 6


def test_a_run_in_which_everything_failed_can_be_retried(tmp_path: Path, scripted: Callable[..., Scripted]) -> None:
    server, out = scripted(Reply(400), Reply(400), completion('{"label":"card"}')), tmp_path / "out"
    table = write_table(tmp_path / "t.parquet", ["one", "two"])
    classify(table, out, server.model)
    assert [row["status"] for row in results(out)] == ["failed", "failed"]
    classify(table, out, server.model, retry_failed=True)
    assert [row["status"] for row in results(out)] == ["accepted", "accepted"]


def test_equal_texts_are_asked_once_and_every_row_has_its_result(
    tmp_path: Path, loopback: Callable[..., Loopback]
) -> None:
    server, out = loopback(latency_s=0.05), tmp_path / "out"
    numbers = [row % 7 for row in range(1500)]  # in flight, just settled, and over several batches
    counts = classify(write_rows(tmp_path / "t.parquet", numbers), out, server.model)
    rows = results(out)
    assert server.asked() == Counter(range(7))
    assert [row["label"] for row in rows] == [right_label(number) for number in numbers]
    assert [row["row"] for row in rows] == list(range(1500))
    assert sum(row["requests"] for row in rows) == 7
    assert counts.done == 1500


def test_what_cannot_be_read_has_its_row_and_is_never_asked(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    server, out = loopback(), tmp_path / "out"
    folder = texts_in(tmp_path / "in", range(2))
    (folder / "000empty.txt").write_text("")
    (folder / "000no.pdf").write_bytes(b"%PDF-1.4 but nothing else")
    (folder / "dangling.txt").symlink_to(folder / "nowhere")
    classify(folder, out, server.model)
    assert {row["id"]: row["status"] for row in results(out)} == {
        "000.txt": "accepted",
        "000empty.txt": "unreadable",
        "000no.pdf": "unreadable",
        "001.txt": "accepted",
        "dangling.txt": "unreadable",
    }
    assert all(row["reason"] for row in results(out) if row["status"] == "unreadable")
    assert server.asked() == Counter(range(2))


def test_a_table_without_rows_gives_tables_without_rows(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    server, out = loopback(), tmp_path / "out"
    counts = classify(write_rows(tmp_path / "t.parquet", []), out, server.model)
    assert counts.read == 0
    assert results(out) == []


@pytest.mark.skipif(os.name != "posix", reason="file names are bytes on POSIX only")
def test_a_file_name_that_is_not_unicode_gets_its_row(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    server, out = loopback(), tmp_path / "out"
    folder = texts_in(tmp_path / "caf\udce9", range(1))
    with open(os.fsencode(folder) + b"/caf\xe9.txt", "w") as file:
        file.write(row_text(1))
    classify(folder, out, server.model)
    assert [(row["id"], row["label"]) for row in results(out)] == [
        ("000.txt", right_label(0)),
        ("caf\\udce9.txt", right_label(1)),
    ]


def test_a_table_damaged_in_the_middle_ends_the_run_and_keeps_what_was_finished(
    tmp_path: Path, loopback: Callable[..., Loopback]
) -> None:
    server, out = loopback(), tmp_path / "out"
    folder = tmp_path / "in"
    folder.mkdir()
    write_rows(folder / "a.parquet", range(1000))
    table = pa.table({"text": [row_text(row) for row in range(1000, 5000)]})
    pq.write_table(table, folder / "b.parquet", row_group_size=500, compression="none", use_dictionary=False)
    whole = (folder / "b.parquet").read_bytes()
    middle = len(whole) // 2
    (folder / "b.parquet").write_bytes(whole[:middle] + b"\xff" * 2000 + whole[middle + 2000 :])
    with pytest.raises(InputError, match=r"b\.parquet"):
        classify(folder, out, server.model)
    assert not (out / "results.parquet").exists()
    asked = server.asked()
    (folder / "b.parquet").write_bytes(whole)
    classify(folder, out, server.model)
    assert [row["label"] for row in results(out)] == [right_label(row) for row in range(5000)]
    assert server.asked().total() - 5000 <= 32
    assert asked.total() > 1000
