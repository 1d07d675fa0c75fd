"""A certified batch: its frozen table, the ranking that follows from it, and which rows the labels are bought for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from slmbatch.certificates.certificate import Frozen
from slmbatch.certificates.ranking import Places, Ranking, freeze
from slmbatch.errors import RunFolderError
from slmbatch.run.certified.frozen import FROZEN_FILE, frozen_rows, kinds_of, rows_digest, write_frozen
from slmbatch.run.certified.ranker import RANKING_FILE, Ranker, scored_by, write_ranker
from slmbatch.run.loop import Documents
from slmbatch.store.folder import RunFolder, Stage
from slmbatch.store.parts import KeyIndex, whole_keys
from slmbatch.tasks.schema import Schema
from slmbatch.types import printable

Strings = npt.NDArray[np.bytes_]


@dataclass(frozen=True, slots=True)
class Batch:
    """The readable rows of a run in input order.

    `keys` are their contents' hashes; `pool` the places, among them, of the rows that may keep their cheap answer, and
    `frozen` these rows' ids, scores, answers and contents.
    """

    keys: Strings
    pool: Places
    frozen: Frozen

    def __len__(self) -> int:
        return len(self.keys)

    def ranking(self, seed: int) -> Ranking:
        """Return the order of the pool."""
        return freeze(self.frozen.ids, self.frozen.scores, seed=seed, answers=self.frozen.answers)

    def keys_at(self, places: Places) -> list[bytes]:
        """Return the keys of rows of the pool, by their places there."""
        return whole_keys(self.keys[self.pool[places]])

    def everything(self) -> KeyIndex:
        """Return all contents, each once."""
        return KeyIndex.of(whole_keys(np.unique(self.keys)))


def open_batch(folder: RunFolder, answered: Stage, schema: Schema | None, ranker: Ranker | None) -> Batch:
    """Freeze the answers of the cheap tiers and how they rank, or read what was frozen in an earlier session."""
    path = folder.certify / FROZEN_FILE
    if not path.exists():
        if ranker is not None:
            write_ranker(folder.certify / RANKING_FILE, ranker)
        write_frozen(answered.rows, answered.parts, kinds_of(schema), path, scored=scored_by(ranker))
    return read_batch(path)


def read_again(folder: RunFolder, documents: Documents) -> int:
    """Read the documents of a frozen batch again, and return their number; nothing in the folder changes.

    Raises RunFolderError when they aren't those of the earlier session any more: a certificate is for one batch.
    """
    rows = 0

    def names() -> Iterator[tuple[str, bytes]]:
        nonlocal rows
        for some in documents:
            rows += len(some)
            yield from ((printable(one.id), one.content_hash()) for one in some)

    with closing(documents):
        found = rows_digest(names())
    if found != frozen_rows(folder.certify / FROZEN_FILE):
        raise RunFolderError(
            f"{folder.root}: the input has changed since rows were drawn for the certificate.",
            "Give -o another folder for this batch, or pass --overwrite to start over.",
        )
    return rows


def read_batch(path: Path) -> Batch:
    """Read a frozen table."""
    table = pq.read_table(path)
    pool = np.flatnonzero(table["usable"].to_numpy())
    usable = table.take(pa.array(pool))
    scores = usable["score"].to_numpy()  # null becomes NaN
    keys = np.array(table["key"].to_pylist(), dtype="S16")
    return Batch(keys, pool, Frozen(_named(usable), scores, usable["answer"].to_pylist(), keys[pool]))


def _named(table: pa.Table) -> list[str]:
    """Name rows by place, id and content.

    Ids of tables may come twice; and a batch with the ids of another one must not draw the same places again.
    """
    columns = (table[name].to_pylist() for name in ("number", "id", "key"))
    return [f"{number}: {one} {key.hex()}" for number, one, key in zip(*columns, strict=True)]
