"""A certified batch: its frozen table, the ranking that follows from it, and which rows the labels are bought for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from slmbatch.certificates.certificate import Frozen
from slmbatch.certificates.parts import Part, make_part
from slmbatch.certificates.ranking import Places
from slmbatch.errors import RunFolderError
from slmbatch.run.certified.frozen import (
    BY_FIELD_FILE,
    FROZEN_FILE,
    frozen_rows,
    kinds_of,
    rows_digest,
    write_by_field,
    write_frozen,
)
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
    `frozen` these rows' ids, scores, answers and contents. `fields` are their scores and answers by field, where
    fields have promises of their own.
    """

    keys: Strings
    pool: Places
    frozen: Frozen
    fields: Mapping[str, Frozen] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.keys)

    def parts(self, per: str | None, seed: int) -> dict[str, Part]:
        """Return what has a promise of its own, by name: each class of answers or each field, else all, without name.

        A class is what the cheap tiers said, a set of labels where there may be several; it has the rows that may keep
        that answer.
        """
        everywhere = np.arange(len(self.pool))
        if per != "class":
            some = self.fields if per == "field" else {"": self.frozen}
            return {name: make_part(one, everywhere, rows=len(self), seed=seed) for name, one in some.items()}
        classes: dict[str, list[int]] = {}
        for place, answer in enumerate(self.frozen.answers or ()):
            classes.setdefault(answer, []).append(place)
        return {
            name: make_part(_rows(self.frozen, places), np.array(places), rows=len(places), seed=seed)
            for name, places in sorted(classes.items())
        }

    def keys_at(self, places: Places) -> list[bytes]:
        """Return the keys of rows of the pool, by their places there."""
        return whole_keys(self.keys[self.pool[places]])

    def everything(self) -> KeyIndex:
        """Return all contents, each once."""
        return KeyIndex.of(whole_keys(np.unique(self.keys)))


def open_batch(
    folder: RunFolder, answered: Stage, schema: Schema | None, *, per: str | None, ranker: Ranker | None
) -> Batch:
    """Freeze the answers of the cheap tiers and how they rank, or read what was frozen in an earlier session."""
    path, kinds = folder.certify / FROZEN_FILE, kinds_of(schema)
    if not path.exists():
        if per == "field" and kinds is not None:
            write_by_field(answered.rows, answered.parts, kinds, folder.certify / BY_FIELD_FILE)
        if ranker is not None:
            write_ranker(folder.certify / RANKING_FILE, ranker)
        write_frozen(answered.rows, answered.parts, kinds, path, scored=scored_by(ranker))
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
    """Read a frozen table, and beside it what was frozen of each field."""
    table = pq.read_table(path)
    pool = np.flatnonzero(table["usable"].to_numpy())
    usable = table.take(pa.array(pool))
    scores = usable["score"].to_numpy()  # null becomes NaN
    keys = np.array(table["key"].to_pylist(), dtype="S16")
    frozen = Frozen(_named(usable), scores, usable["answer"].to_pylist(), keys[pool])
    beside = path.with_name(BY_FIELD_FILE)
    fields = pq.read_table(beside).take(pa.array(pool)) if beside.exists() else pa.table({})
    return Batch(keys, pool, frozen, {name: _of_field(frozen, fields[name]) for name in fields.column_names})


def _of_field(frozen: Frozen, column: pa.ChunkedArray) -> Frozen:
    scores, answers = (pc.struct_field(column, name) for name in ("score", "answer"))
    return replace(frozen, scores=scores.to_numpy(), answers=answers.to_pylist())


def _rows(frozen: Frozen, places: list[int]) -> Frozen:
    """Return some of the rows, in this order."""
    assert frozen.answers is not None
    assert frozen.contents is not None
    ids, answers = ([some[place] for place in places] for some in (frozen.ids, frozen.answers))
    return Frozen(ids, np.asarray(frozen.scores, np.float64)[places].tolist(), answers, frozen.contents[places])


def _named(table: pa.Table) -> list[str]:
    """Name rows by place, id and content.

    Ids of tables may come twice; and a batch with the ids of another one must not draw the same places again.
    """
    columns = (table[name].to_pylist() for name in ("number", "id", "key"))
    return [f"{number}: {one} {key.hex()}" for number, one, key in zip(*columns, strict=True)]
