"""The input rows of a run in their order: who each one is, and which content's result it gets."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from slmbatch.store.folder import flush, publish
from slmbatch.store.parts import KeyIndex
from slmbatch.types import Document, printable

ROWS = pa.schema(
    {
        "id": pa.string(),
        "source": pa.string(),
        "parent": pa.string(),
        "row": pa.int64(),
        "pages": pa.string(),
        "cut": pa.bool_(),
        "key": pa.binary(16),
    },
    metadata={"slmbatch.rows": "3"},
)
GROUP_ROWS = 8192


class RowWriter:
    """Write the rows as they are read; they count only once `finish` has been called."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._temporary = path.with_suffix(".tmp")
        self._writer = pq.ParquetWriter(self._temporary, ROWS, compression="zstd")
        self._batch: list[dict[str, object]] = []

    def add(self, document: Document, key: bytes) -> None:
        parent = None if document.parent is None else printable(document.parent)
        names = {"id": printable(document.id), "source": printable(document.source), "parent": parent}
        self._batch.append(names | {"row": document.row, "pages": document.span, "cut": document.cut, "key": key})
        if len(self._batch) >= GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._batch:
            self._writer.write_table(pa.Table.from_pylist(self._batch, ROWS))
            self._batch = []

    def finish(self) -> None:
        """Make the rows count."""
        self._flush()
        self._writer.close()
        flush(self._temporary)
        publish(self._temporary, self._path)

    def close(self) -> None:
        """Drop what wasn't finished; does nothing after `finish`."""
        self._writer.close()
        self._temporary.unlink(missing_ok=True)


def keys_in(rows: Path) -> KeyIndex:
    """Return the contents of all rows."""
    batches = pq.ParquetFile(rows).iter_batches(GROUP_ROWS, columns=["key"])
    return KeyIndex.gathered(batch["key"].to_pylist() for batch in batches)


def sources_of(rows: Path, keys: KeyIndex) -> frozenset[str]:
    """Return the sources that hold any of these contents."""
    found: set[str] = set()
    for batch in pq.ParquetFile(rows).iter_batches(GROUP_ROWS, columns=["source", "key"]):
        held = keys.contains(batch["key"].to_pylist())
        found.update(source for source, is_held in zip(batch["source"].to_pylist(), held, strict=True) if is_held)
    return frozenset(found)
