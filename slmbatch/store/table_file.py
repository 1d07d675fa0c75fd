"""Parquet files that get their names only when they are complete and on disk."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from slmbatch.store.folder import flush, publish


def write_table(path: Path, table: pa.Table, *, compression: str = "zstd") -> None:
    """Write a table that is in memory as a whole."""
    temporary = _temporary(path)
    pq.write_table(table, temporary, compression=compression)
    flush(temporary)
    publish(temporary, path)


class TableFile:
    """A table that is written in pieces, within a `with` block; `path` None writes nothing."""

    def __init__(self, path: Path | None, schema: pa.Schema) -> None:
        self._path = path
        self._schema = schema
        self._writer = pq.ParquetWriter(_temporary(path), schema, compression="zstd") if path else None

    def __enter__(self) -> TableFile:
        return self

    def write(self, table: pa.Table) -> None:
        assert self._writer is not None, "a table without a path takes no rows"
        self._writer.write_table(table.cast(self._schema))

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        if self._writer is None or self._path is None:
            return
        self._writer.close()
        temporary = _temporary(self._path)
        if failure is None:
            flush(temporary)
            publish(temporary, self._path)
        else:
            temporary.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    return path.with_name(path.name + ".tmp")
