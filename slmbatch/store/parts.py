"""Settled results on disk: a journal line each at once, an immutable part when enough have come together.

Journal n holds the results that part n will hold. Once the part exists the journal is dropped, so after a kill at any
moment every settled result is in exactly one of the two.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from slmbatch.errors import ConnectionLost, OverBudget, RunFolderError, TimedOut, Unavailable, Unreachable
from slmbatch.store.folder import flush, publish
from slmbatch.store.records import PART, Record

PART_ROWS = 4096
AT_A_TIME = 256  # records that are laid out as columns together
KEY_BYTES = 16
PASSING = frozenset(kind.kind for kind in (Unavailable, ConnectionLost, Unreachable, TimedOut))


class KeyIndex:
    """A set of 16-byte keys in sorted numpy arrays: 16 bytes a key where a Python set takes a hundred."""

    def __init__(self) -> None:
        self._runs: list[npt.NDArray[np.bytes_]] = []

    @classmethod
    def of(cls, keys: Sequence[bytes]) -> KeyIndex:
        """Return the set of these keys."""
        return cls.gathered([keys])

    @classmethod
    def gathered(cls, batches: Iterable[Sequence[bytes]]) -> KeyIndex:
        """Return the set of all keys in these batches, one of which is held at a time."""
        index = cls()
        for keys in batches:
            index.add(keys)
        return index

    def __len__(self) -> int:
        return sum(map(len, self._runs))

    def missing(self, others: KeyIndex) -> list[bytes]:
        """Return the keys that are not among `others`."""
        return [key for run in self._runs for key in _not_in(whole_keys(run), others)]

    def add(self, keys: Sequence[bytes]) -> None:
        """Add a batch. Runs of similar size are merged, so that there are few of them."""
        if not keys:
            return
        run = np.sort(np.array(keys, dtype=f"S{KEY_BYTES}"))
        while self._runs and len(self._runs[-1]) <= 2 * len(run):
            run = np.sort(np.concatenate([self._runs.pop(), run]), kind="stable")
        self._runs.append(run)

    def contains(self, keys: Sequence[bytes]) -> list[bool]:
        """Tell for each key whether it was added; same order."""
        wanted = np.array(keys, dtype=f"S{KEY_BYTES}")
        found = np.zeros(len(wanted), dtype=bool)
        for run in self._runs:
            places = np.minimum(np.searchsorted(run, wanted), len(run) - 1)
            found |= run[places] == wanted
        answers: list[bool] = found.tolist()
        return answers


def whole_keys(keys: npt.NDArray[np.bytes_]) -> list[bytes]:
    """Return keys as bytes: numpy drops the zeros at their ends."""
    return [key.ljust(KEY_BYTES, b"\0") for key in keys.tolist()]


def _not_in(keys: list[bytes], others: KeyIndex) -> Iterator[bytes]:
    return (key for key, there in zip(keys, others.contains(keys), strict=True) if not there)


class PartStore:
    """The parts and the open journal of one run folder."""

    def __init__(self, folder: Path, *, part_rows: int = PART_ROWS) -> None:
        self._folder = folder
        self._part_rows = part_rows
        self._open: list[bytes] = []  # as lines: a record takes four times as much
        self._journal: IO[bytes] | None = None
        self._recover()
        self._number = len(part_paths(folder))

    def settle(self, record: Record) -> list[bytes]:
        """Keep one result: from here on it survives a kill. Returns the keys of the part this completed, if it did."""
        if self._journal is None:
            self._journal = self._journal_path(self._number).open("ab", buffering=0)
        line = msgspec.json.encode(record | {"key": record["key"].hex()}) + b"\n"
        _append(self._journal, line)
        self._open.append(line)
        return self.commit() if len(self._open) >= self._part_rows else []

    def commit(self) -> list[bytes]:
        """Turn the open journal into a part. Returns the keys it holds."""
        if not self._open:
            return []
        keys = self._write(self._number, map(_read_line, self._open))
        self._open = []  # only now: had writing failed, the journal would still hold them
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        self._journal_path(self._number).unlink(missing_ok=True)
        self._number += 1
        return keys

    def done(self, *, without_failed: bool) -> Iterator[list[bytes]]:
        """Yield the keys of each part, without results that the budget kept from being asked about further.

        `without_failed` leaves out results that failed, too, or that weren't accepted while a tier couldn't be reached.
        """
        yield from settled_keys(self._folder, without_failed=without_failed)

    def _recover(self) -> None:
        """Make a part of every journal that a killed run left."""
        for path in self._folder.glob("*.tmp"):
            path.unlink()
        for path in sorted(self._folder.glob("journal-*.jsonl")):
            number = int(path.stem.removeprefix("journal-"))
            if not self._part_path(number).exists():
                records = list(_read_journal(path))
                if records:
                    self._write(number, records)
            path.unlink()

    def _write(self, number: int, records: Iterable[Record]) -> list[bytes]:
        """Write a part, and return its keys."""
        temporary = self._part_path(number).with_suffix(".tmp")
        records, tables = iter(records), []
        while some := list(islice(records, AT_A_TIME)):
            tables.append(pa.Table.from_pylist(some, PART))
        table = pa.concat_tables(tables).combine_chunks()
        pq.write_table(table, temporary, compression="zstd")
        flush(temporary)
        publish(temporary, self._part_path(number))
        keys: list[bytes] = table["key"].to_pylist()
        return keys

    def _part_path(self, number: int) -> Path:
        return self._folder / f"part-{number:06d}.parquet"

    def _journal_path(self, number: int) -> Path:
        return self._folder / f"journal-{number:06d}.jsonl"


def settled_keys(folder: Path, *, without_failed: bool) -> Iterator[list[bytes]]:
    """Yield what `PartStore.done` does of a run's parts, also before the run has been opened again."""
    for path in part_paths(folder):
        with pq.ParquetFile(path) as part:  # read_table can't take one leaf of a list
            table = part.read(columns=["key", "status", "attempts.list.element.error_kind"])
        rows = zip(*(table[name].to_pylist() for name in ("key", "status", "attempts")), strict=True)
        yield [key for key, status, attempts in rows if not _again(status, attempts, failed=without_failed)]
    for path in sorted(folder.glob("journal-*.jsonl")):  # of a killed session, or of one that is at work
        yield [
            one["key"]
            for one in _read_journal(path)
            if not _again(one["status"], one["attempts"], failed=without_failed)
        ]


def part_paths(folder: Path) -> list[Path]:
    """All parts, oldest first."""
    return sorted(folder.glob("part-*.parquet"))


def _again(status: str, attempts: Sequence[Record], *, failed: bool) -> bool:
    kinds = {attempt["error_kind"] for attempt in attempts}
    passing = status == "review" and bool(kinds & PASSING)
    return OverBudget.kind in kinds or (failed and (status == "failed" or passing))


def _append(journal: IO[bytes], line: bytes) -> None:
    """Write a line whole or not at all: half a line of a full disk would damage the one after it."""
    end = journal.tell()
    if journal.write(line) != len(line):
        journal.truncate(end)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _read_line(line: bytes) -> Record:
    entry: Record = msgspec.json.decode(line)
    return entry | {"key": bytes.fromhex(entry["key"])}


def _read_journal(path: Path) -> Iterator[Record]:
    """Yield the journal's results; a last line that a kill cut off was never settled."""
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines[:-1], 1):
        try:
            yield _read_line(line)
        except (msgspec.MsgspecError, ValueError, KeyError) as error:
            raise RunFolderError(f"{path}: line {number} is damaged.", "Start over with --overwrite.") from error
