"""The ledger: every paid request, written down durably before it's sent and again when it returns.

SQLite with a write-ahead log, one commit for many entries. Amounts are whole numbers of 1e-12 USD. Of a reply the bytes
are kept, so that the same request is answered from here; document texts aren't. What other tiers have said before is
kept too, so that a resume asks the same.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from slmbatch.chat import Usage
from slmbatch.errors import RunFolderError
from slmbatch.store.entries import (
    BatchClosed,
    BatchNamed,
    BatchSent,
    Entry,
    OpenBatch,
    Paid,
    Reservation,
    Settlement,
    TierTotal,
    Tried,
)

FORMAT = 2
TABLES = """
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL,                -- hash of the address and the body
    run TEXT NOT NULL,
    tier TEXT NOT NULL,
    batch TEXT,                       -- name of the batch it belongs to; '' until that is about to be sent
    state TEXT NOT NULL,              -- reserved, settled, in_doubt, not_billed
    worst INTEGER NOT NULL,           -- 1e-12 USD, reserved before sending
    spent INTEGER NOT NULL DEFAULT 0, -- 1e-12 USD; the worst case while in doubt
    input_tokens INTEGER NOT NULL DEFAULT 0,
    cached_tokens INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0,
    cache_write_tokens INTEGER NOT NULL DEFAULT 0,
    reasoning_tokens INTEGER NOT NULL DEFAULT 0,
    reply BLOB,                       -- zlib; only of usable replies
    sent_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    settled_at TEXT
);
CREATE TABLE IF NOT EXISTS batches (
    name TEXT PRIMARY KEY,            -- ours, known to the provider as well
    run TEXT NOT NULL,
    tier TEXT NOT NULL,
    sent_at REAL NOT NULL,            -- seconds since 1970, a moment before it was sent
    provider_id TEXT,                 -- null until the provider has answered
    closed INTEGER NOT NULL DEFAULT 0 -- 1: all its requests are settled
);
CREATE TABLE IF NOT EXISTS tried (    -- of contents that went up to a paid tier
    key BLOB PRIMARY KEY,
    run TEXT NOT NULL,
    attempts BLOB NOT NULL            -- zlib
);
CREATE INDEX IF NOT EXISTS answered ON requests (key) WHERE reply IS NOT NULL;
CREATE INDEX IF NOT EXISTS open ON requests (state) WHERE state = 'reserved';
"""
ORPHANS = """
UPDATE requests SET state = 'in_doubt', spent = worst WHERE state = 'reserved' AND batch IS NULL;
UPDATE requests SET state = 'not_billed' WHERE state = 'reserved' AND batch = '';"""
RESERVE = "INSERT INTO requests (id, key, run, tier, batch, state, worst) VALUES (?, ?, ?, ?, ?, 'reserved', ?)"
SETTLE = """
UPDATE requests SET state = ?, spent = ?, input_tokens = ?, cached_tokens = ?, output_tokens = ?,
    cache_write_tokens = ?, reasoning_tokens = ?, reply = ?, settled_at = strftime('%Y-%m-%dT%H:%M:%fZ')
WHERE id = ?"""
RECALL = "SELECT reply, spent, run FROM requests WHERE key = ? AND reply IS NOT NULL ORDER BY run = ? DESC, id LIMIT 1"
SPENT = "SELECT coalesce(sum(spent), 0) FROM requests WHERE run = ?"
RESERVED = "SELECT coalesce(sum(worst), 0) FROM requests WHERE run = ? AND state = 'reserved'"
TOTALS = """
SELECT tier, count(*), sum(state != 'settled'),
    sum(CASE state WHEN 'settled' THEN spent ELSE 0 END),
    sum(CASE state WHEN 'settled' THEN 0 WHEN 'reserved' THEN worst ELSE spent END),
    sum(input_tokens), sum(cached_tokens), sum(output_tokens), sum(cache_write_tokens), sum(reasoning_tokens)
FROM requests WHERE run = ? AND state != 'not_billed' GROUP BY tier ORDER BY min(id)"""


class Ledger:
    """The open ledger of one run. Only the holder of the run folder's lock may open it."""

    def __init__(self, path: Path, run: str) -> None:
        """Open or begin it. What a killed session left reserved is in doubt from here on."""
        self._run = run
        with _explained(path):
            self._writing = _connect(path)
            self._reading = _connect(path)
            try:
                _check(path, self._writing)
                self._writing.executescript(TABLES)
                self._writing.execute(f"PRAGMA user_version = {FORMAT}")
                self._writing.executescript(ORPHANS)
                self._writing.execute("DELETE FROM tried WHERE run != ?", (run,))  # no run comes back once it's gone
                self._writing.commit()
            except BaseException:
                self.close()
                raise
        self._path = path

    def last_id(self) -> int:
        """Return the greatest id in use, 0 without any."""
        (found,) = self._reading.execute("SELECT coalesce(max(id), 0) FROM requests").fetchone()
        return int(found)

    def spent(self) -> int:
        """Return what this run has spent in all its sessions, what is in doubt included."""
        (found,) = self._reading.execute(SPENT, (self._run,)).fetchone()
        return int(found)

    def reserved(self) -> int:
        """Return what may yet be spent on what this run has sent: after opening, only what lies in batches."""
        (found,) = self._reading.execute(RESERVED, (self._run,)).fetchone()
        return int(found)

    def write(self, entries: Sequence[Entry]) -> None:
        """Write entries in this order, in one transaction that is on disk when this returns."""
        with _explained(self._path), self._writing:
            for entry in entries:
                self._write(entry)

    def _write(self, entry: Entry) -> None:
        execute = self._writing.execute
        match entry:
            case Reservation():
                batch = "" if entry.batched else None
                execute(RESERVE, (entry.id, entry.key, self._run, entry.tier, batch, entry.worst))
            case Settlement():
                execute(SETTLE, _settled(entry))
            case BatchSent():
                begun = (entry.name, self._run, entry.tier, entry.sent_at)
                execute("INSERT INTO batches (name, run, tier, sent_at) VALUES (?, ?, ?, ?)", begun)
                rows = [(entry.name, one) for one in entry.ids]
                self._writing.executemany("UPDATE requests SET batch = ? WHERE id = ?", rows)
            case BatchNamed():
                execute("UPDATE batches SET provider_id = ? WHERE name = ?", (entry.provider_id, entry.name))
            case BatchClosed():
                execute("UPDATE batches SET closed = 1 WHERE name = ?", (entry.name,))
            case Tried():
                content = zlib.compress(entry.attempts, 1)
                execute(
                    "INSERT OR REPLACE INTO tried (key, run, attempts) VALUES (?, ?, ?)",
                    (entry.key, self._run, content),
                )

    def open_batches(self, tier: str) -> list[OpenBatch]:
        """Return the batches whose answers haven't all been fetched, whichever run sent them."""
        query = "SELECT name, provider_id, sent_at FROM batches WHERE tier = ? AND NOT closed ORDER BY sent_at"
        found = self._reading.execute(query, (tier,)).fetchall()
        return [OpenBatch(name, id_, sent_at, self._reserved(name)) for name, id_, sent_at in found]

    def _reserved(self, batch: str) -> tuple[Reservation, ...]:
        query = "SELECT id, key, tier, worst, run FROM requests WHERE batch = ? AND state = 'reserved' ORDER BY id"
        rows = self._reading.execute(query, (batch,))
        return tuple(
            Reservation(id_, key, tier, worst, batched=True, here=run == self._run)
            for id_, key, tier, worst, run in rows
        )

    def recall(self, key: bytes) -> Paid | None:
        """Return the answer to this request, if it was ever paid for in this folder."""
        row = self._reading.execute(RECALL, (key, self._run)).fetchone()
        return None if row is None else Paid(zlib.decompress(row[0]), row[1], row[2] == self._run)

    def tried(self, key: bytes) -> bytes | None:
        """Return what tiers had said of a content when this run last asked a paid one about it."""
        row = self._reading.execute("SELECT attempts FROM tried WHERE key = ?", (key,)).fetchone()
        return None if row is None else zlib.decompress(row[0])

    def close(self) -> None:
        self._reading.close()
        self._writing.close()


def totals(path: Path, run: str) -> list[TierTotal]:
    """Return what the requests of a run come to by tier; empty where nothing was ever paid for."""
    if not path.exists():
        return []
    with _explained(path), closing(_connect(path)) as connection:
        _check(path, connection)
        return [_total(*row) for row in connection.execute(TOTALS, (run,))]


def _check(path: Path, connection: sqlite3.Connection) -> None:
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found not in {0, FORMAT}:
        raise RunFolderError(f"{path}: written by another version of slmbatch.", "Give -o another folder.")


def _total(tier: str, requests: int, doubtful: int, billed: int, in_doubt: int, *tokens: int) -> TierTotal:
    return TierTotal(tier, requests, doubtful, billed, in_doubt, Usage(*tokens))


def _settled(entry: Settlement) -> tuple[object, ...]:
    usage = entry.usage
    reply = None if entry.reply is None else zlib.compress(entry.reply, 1)
    tokens = (
        usage.input_tokens,
        usage.cached_tokens,
        usage.output_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
    )
    return (entry.state.value, entry.spent, *tokens, reply, entry.id)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False)  # one thread at a time writes, another one reads
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        remedy = "Check the disk. Nothing is sent that can't be written down; the same command goes on afterwards."
        raise RunFolderError(f"{path}: the ledger can't be used ({error}).", remedy) from error
