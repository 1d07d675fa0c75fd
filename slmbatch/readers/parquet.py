"""Parquet tables, streamed row group by row group and only the columns that are needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from slmbatch.errors import InputError
from slmbatch.readers.columns import BATCH_ROWS, Table, choose, row_document
from slmbatch.readers.sources import ReadOptions, Source
from slmbatch.readers.texts import decode, not_valid
from slmbatch.types import Document

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_BUFFER_BYTES = 2**20  # read ahead per column; by its defaults pyarrow holds a row group's whole column instead


@dataclass(frozen=True, slots=True)
class _Undecodable:
    problem: str


_Cell: TypeAlias = "str | _Undecodable | None"


def open_parquet(source: Source, options: ReadOptions) -> Table:
    """Read the schema and choose the columns. Raises InputError."""
    import pyarrow.types as kinds

    with _opened(source) as file:
        fields = list(file.schema_arrow)
    plain = {field.name: field.type.value_type if kinds.is_dictionary(field.type) else field.type for field in fields}
    strings = [
        name
        for name, kind in plain.items()
        if kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind)
    ]
    return Table(source, choose(source, options, list(plain), strings))


def parquet_rows(source: Source) -> int:
    """Count the rows by the file's metadata. Raises InputError."""
    with _opened(source) as file:
        return int(file.metadata.num_rows)


def read_parquet(table: Table, options: ReadOptions) -> Iterator[list[Document]]:
    """Stream a table. Raises InputError when a row group is damaged."""
    row = 0
    columns = table.columns
    for batch in _record_batches(table, options):
        texts = _cells(batch.column(columns.text), options.encoding)
        ids = _cells(batch.column(columns.id), options.encoding) if columns.id else [None] * len(texts)
        documents = []
        for text, name in zip(texts, ids, strict=True):
            known = name if isinstance(name, str) else None
            if isinstance(text, _Undecodable):
                documents.append(row_document(table.source, row, None, id=known, problem=text.problem))
            else:
                documents.append(row_document(table.source, row, text, id=known))
            row += 1
        yield documents


def _opened(source: Source) -> pq.ParquetFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(source.path, buffer_size=_BUFFER_BYTES, pre_buffer=False)
    except (pa.ArrowException, OSError, ValueError) as error:  # the last: a column's name that isn't UTF-8
        raise InputError(
            f"{source.path}: not a whole Parquet file ({_first_line(error)})",
            "write or copy the file again, or leave it out of the input",
        ) from error


def _record_batches(table: Table, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    wanted = list(dict.fromkeys(filter(None, (table.columns.text, table.columns.id))))
    size = min(BATCH_ROWS, options.limit or BATCH_ROWS)
    group = 0
    with _opened(table.source) as file:
        try:
            for group in range(file.num_row_groups):
                yield from file.iter_batches(size, row_groups=[group], columns=wanted, use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise InputError(
                f"{table.source.path}: row group {group} of {file.num_row_groups} is damaged ({_first_line(error)})",
                "write or copy the file again, or leave it out of the input",
            ) from error


def _cells(column: pa.Array, encoding: str) -> list[_Cell]:
    """Turn a column of any type into strings; bytes are decoded, and nulls stay None."""
    import pyarrow as pa
    import pyarrow.types as kinds

    if kinds.is_dictionary(column.type):
        column = column.dictionary_decode()
    if kinds.is_string(column.type) or kinds.is_large_string(column.type) or kinds.is_string_view(column.type):
        try:
            strings: list[_Cell] = column.to_pylist()
        except UnicodeDecodeError:  # not every writer checks that its strings are UTF-8
            encoding = "utf-8"
            column = column.cast(pa.large_binary())
        else:
            return strings
    return [_cell(value, encoding) for value in column.to_pylist()]


def _cell(value: object, encoding: str) -> _Cell:
    if value is None:
        return None
    if not isinstance(value, bytes):
        return str(value)
    try:
        return decode(value, encoding)
    except UnicodeDecodeError as error:
        return _Undecodable(f"the text is {not_valid(value, encoding, error)}")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
