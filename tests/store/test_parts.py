"""Parts and journal: a result that was settled once stays settled, whatever happens to the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmbatch.errors import RunFolderError
from slmbatch.store.parts import KeyIndex, PartStore
from slmbatch.types import Status
from tests.harness import TESTS, wait_until

from .made import key, settled

KEYS = st.lists(st.binary(min_size=16, max_size=16), max_size=40)
NULLS = st.lists(
    st.sampled_from([bytes(16), bytes(15) + b"\1", b"\1" + bytes(15), b"\xff" * 16, b"a\0" * 8]), max_size=5
)


def stored(folder: Path) -> list[bytes]:
    return [row for path in sorted(folder.glob("part-*.parquet")) for row in pq.read_table(path)["key"].to_pylist()]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@given(st.lists(KEYS | NULLS, max_size=12), KEYS | NULLS)
def test_an_index_contains_exactly_what_was_added(batches: list[list[bytes]], others: list[bytes]) -> None:
    index = KeyIndex()
    added: set[bytes] = set()
    for batch in batches:
        index.add(batch)
        added |= set(batch)
        wanted = [*batch, *others, *added]
        assert index.contains(wanted) == [one in added for one in wanted]


@given(st.lists(st.integers(0, 5), max_size=30))
def test_an_index_of_many_batches_keeps_few_runs(sizes: list[int]) -> None:
    index = KeyIndex()
    count = 0
    for size in sizes:
        index.add([key(count + offset) for offset in range(size)])
        count += size
    assert all(index.contains([key(number) for number in range(count)]))
    assert index.contains([key(count)]) == [False]
    assert len(index._runs) <= 6


def test_an_empty_index_contains_nothing() -> None:
    assert KeyIndex().contains([key(1)]) == [False]
    assert KeyIndex().contains([]) == []


def test_a_part_is_written_when_enough_results_have_come_together(tmp_path: Path) -> None:
    store = PartStore(tmp_path, part_rows=3)
    assert [store.settle(settled(number)) for number in range(4)] == [[], [], [key(0), key(1), key(2)], []]
    assert files(tmp_path) == ["journal-000001.jsonl", "part-000000.parquet"]
    assert store.commit() == [key(3)]
    assert store.commit() == []
    assert files(tmp_path) == ["part-000000.parquet", "part-000001.parquet"]
    assert list(store.done(without_failed=False)) == [[key(0), key(1), key(2)], [key(3)]]


def died(store: PartStore) -> None:
    """Close the file that the end of its process would close."""
    if store._journal is not None:
        store._journal.close()


def test_a_journal_that_was_left_becomes_a_part(tmp_path: Path) -> None:
    before = PartStore(tmp_path)
    for number in range(5):
        before.settle(settled(number, f"label {number} äöü\n"))
    died(before)
    after = PartStore(tmp_path)
    assert stored(tmp_path) == [key(number) for number in range(5)]
    assert files(tmp_path) == ["part-000000.parquet"]
    table = pq.read_table(tmp_path / "part-000000.parquet").to_pylist()
    assert table == [{**settled(n, f"label {n} äöü\n"), "problems": [], "warnings": []} for n in range(5)]
    after.settle(settled(9))
    after.commit()
    assert stored(tmp_path) == [*(key(number) for number in range(5)), key(9)]


@pytest.mark.parametrize("cut", [1, 7, 200])
def test_a_last_line_that_a_kill_tore_was_never_settled(tmp_path: Path, cut: int) -> None:
    store = PartStore(tmp_path)
    for number in range(3):
        store.settle(settled(number))
    died(store)
    journal = tmp_path / "journal-000000.jsonl"
    journal.write_bytes(journal.read_bytes()[:-cut])
    PartStore(tmp_path)
    assert stored(tmp_path) == [key(0), key(1)]


def test_a_journal_with_nothing_but_a_torn_line_leaves_no_part(tmp_path: Path) -> None:
    (tmp_path / "journal-000000.jsonl").write_bytes(b'{"key": "00')
    store = PartStore(tmp_path)
    assert files(tmp_path) == []
    store.settle(settled(1))
    store.commit()
    assert files(tmp_path) == ["part-000000.parquet"]


def test_a_journal_whose_part_exists_is_not_read_again(tmp_path: Path) -> None:
    store = PartStore(tmp_path)
    store.settle(settled(1))
    journal = (tmp_path / "journal-000000.jsonl").read_bytes()
    store.commit()
    (tmp_path / "journal-000000.jsonl").write_bytes(journal)  # as if killed before it was removed
    PartStore(tmp_path)
    assert stored(tmp_path) == [key(1)]
    assert files(tmp_path) == ["part-000000.parquet"]


def test_a_part_that_was_being_written_is_made_anew_from_its_journal(tmp_path: Path) -> None:
    store = PartStore(tmp_path)
    store.settle(settled(1))
    died(store)
    (tmp_path / "part-000000.tmp").write_bytes(b"PAR1 half a par")
    PartStore(tmp_path)
    assert stored(tmp_path) == [key(1)]
    assert files(tmp_path) == ["part-000000.parquet"]


def test_a_journal_damaged_in_the_middle_is_refused_by_name_and_line(tmp_path: Path) -> None:
    store = PartStore(tmp_path)
    for number in range(3):
        store.settle(settled(number))
    died(store)
    journal = tmp_path / "journal-000000.jsonl"
    first, _, last = journal.read_bytes().splitlines()
    journal.write_bytes(b"\n".join([first, b"rubbish", last, b""]))
    with pytest.raises(RunFolderError, match=r"journal-000000.jsonl: line 2"):
        PartStore(tmp_path)


def test_failed_results_can_be_left_out_so_that_they_are_asked_again(tmp_path: Path) -> None:
    store = PartStore(tmp_path, part_rows=2)
    for number, status in enumerate([Status.FAILED, Status.ACCEPTED, Status.FAILED, Status.FAILED, Status.REVIEW]):
        store.settle(settled(number, status=status))
    store.commit()
    index = KeyIndex()
    for keys in store.done(without_failed=True):
        index.add(keys)
    assert index.contains([key(number) for number in range(5)]) == [False, True, False, False, True]


def test_an_index_of_a_part_with_failed_results_only_can_be_asked() -> None:
    index = KeyIndex()
    index.add([])
    assert index.contains([key(1)]) == [False]
    index.add([key(1)])
    index.add([])
    assert index.contains([key(1), key(2)]) == [True, False]


WRITER = """
import resource, signal, sys
from pathlib import Path
from slmbatch.store.parts import PartStore
from tests.store.made import settled

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
store = PartStore(Path(sys.argv[1]))
for number in range(40):
    try:
        store.settle(settled(number))
    except OSError:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        continue
    print(number, flush=True)
"""


def run_python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(TESTS.parent)},
    )


def test_a_full_disk_is_an_error_and_harms_no_result_settled_before_or_after(tmp_path: Path) -> None:
    with run_python(WRITER, str(tmp_path)) as writer:
        out, _ = writer.communicate(timeout=60)
    kept = [int(line) for line in out.split()]
    assert 0 < len(kept) < 40
    PartStore(tmp_path)
    assert stored(tmp_path) == [key(number) for number in kept]


ENDLESS = """
import sys
from pathlib import Path
from slmbatch.store.parts import PartStore
from tests.store.made import settled

store = PartStore(Path(sys.argv[1]), part_rows=50)
for number in range(1_000_000):
    store.settle(settled(number))
    print(number, flush=True)
"""


@pytest.mark.parametrize("after", [1, 333, 777])
def test_whatever_was_settled_before_a_kill_is_there_once(tmp_path: Path, after: int) -> None:
    with run_python(ENDLESS, str(tmp_path)) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) >= after:
                writer.send_signal(signal.SIGKILL)
                break
        said = [int(line), *(int(line) for line in writer.stdout.read().splitlines()[:-1])]
    wait_until(lambda: writer.poll() is not None, "the writer to be gone")
    PartStore(tmp_path)
    keys = stored(tmp_path)
    assert keys == [key(number) for number in range(len(keys))]
    assert len(keys) > max(said)


def test_a_part_that_could_not_be_written_loses_nothing(tmp_path: Path) -> None:
    store = PartStore(tmp_path, part_rows=3)
    for number in range(2):
        store.settle(settled(number))
    in_the_way = tmp_path / "part-000000.tmp"
    in_the_way.mkdir()  # stands for a disk that is full: writing the part fails
    with pytest.raises(OSError, match="part-000000"):
        store.settle(settled(2))
    with pytest.raises(OSError, match="part-000000"):
        store.settle(settled(3))
    in_the_way.rmdir()
    assert store.commit() == [key(number) for number in range(4)]
    assert list(PartStore(tmp_path).done(without_failed=False)) == [[key(number) for number in range(4)]]
