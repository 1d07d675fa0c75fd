"""The results of a certified run, out of the parts of both passes."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from slmbatch.run.certified.compose import compose
from slmbatch.store.located import LocatedParts
from slmbatch.store.parts import KeyIndex, PartStore, part_paths
from slmbatch.store.records import Record
from slmbatch.types import Status
from tests.store.made import key, settled

KEPT, TOPPED, GONE = 1, 2, 3


def stored(folder: Path, *sessions: list[Record]) -> Path:
    folder.mkdir()
    for records in sessions:
        store = PartStore(folder)
        for one in records:
            store.settle(one)
        store.commit()
    return folder


def test_only_the_last_answer_to_a_row_of_the_batch_is_composed(tmp_path: Path) -> None:
    failed = [settled(number, status=Status.FAILED) for number in (KEPT, TOPPED)]
    answered = stored(tmp_path / "answers", [*failed, settled(GONE)], [settled(KEPT, "cheap"), settled(TOPPED)])
    topped, results = stored(tmp_path / "top", [settled(TOPPED, "top")]), stored(tmp_path / "parts")
    compose(answered, topped, results, KeyIndex.of([key(KEPT)]))
    parts = [pq.read_table(path).to_pylist() for path in part_paths(results)]
    rows = [row for part in parts for row in part]
    assert [(row["key"], row["status"]) for row in rows if row["label"] is None] == [
        (key(KEPT), "failed"),
        (key(TOPPED), "failed"),
    ]
    assert sum(len(row["attempts"]) for row in rows) == 3 + 1 + 2
    located = LocatedParts(part_paths(results))
    told = located.take(located.find([key(KEPT), key(TOPPED)]))
    assert told["label"].to_pylist() == ["cheap", "top"]
    assert [len(attempts) for attempts in told["attempts"].to_pylist()] == [1, 2]
