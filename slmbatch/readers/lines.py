"""CSV and JSON Lines: tables that are read line by line, where a broken row costs only itself."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, islice
from typing import TextIO

from slmbatch.errors import InputError
from slmbatch.readers.columns import Table, choose, row_document
from slmbatch.readers.sources import ReadOptions, Source
from slmbatch.readers.texts import marked
from slmbatch.types import Document

_MAX_FIELD_CHARS = 2**26  # a longer field is taken for a quote that is never closed
_MAX_LINE_CHARS = 2 * _MAX_FIELD_CHARS  # of a longer line only the beginning is read, which is no whole row
_SAMPLE_ROWS = 100  # objects whose keys are taken for the columns of a JSON Lines file


def open_csv(source: Source, options: ReadOptions) -> Table:
    """Read the header and choose the columns: in a CSV file all are strings. Raises InputError."""
    with _opened(source, options) as stream:
        header = _header(source, _csv_rows(source, stream))
    return Table(source, choose(source, options, header, header))


def read_csv(table: Table, options: ReadOptions) -> Iterator[Document]:
    """Stream a CSV file; a row that doesn't fit the header, or isn't in the encoding, gets a problem."""
    source = table.source
    with _opened(source, options) as stream:
        rows = _csv_rows(source, stream)
        header = _header(source, rows)
        text_at = header.index(table.columns.text)
        id_at = header.index(table.columns.id) if table.columns.id else None
        row = 0
        for number, fields in rows:
            if isinstance(fields, list) and not fields:
                continue  # an empty line is no row, as everywhere else in Python
            if isinstance(fields, list) and len(fields) == len(header):
                name = fields[id_at] if id_at is not None else None
                yield _decoded(source, row, fields[text_at], name, where=f"line {number}", encoding=options.encoding)
            else:
                why = fields if isinstance(fields, str) else f"{len(fields)} fields where the header has {len(header)}"
                yield row_document(source, row, None, id=None, problem=f"{source.path}, line {number}: {why}")
            row += 1


def open_jsonl(source: Source, options: ReadOptions) -> Table:
    """Take the keys of the first objects as columns, and as strings those that hold nothing else. Raises InputError."""
    with _opened(source, options) as stream:
        objects = [found for _, found in islice(_json_rows(stream), _SAMPLE_ROWS) if isinstance(found, dict)]
    if not objects:
        raise InputError(
            f"{source.path}: none of the first {_SAMPLE_ROWS} lines is a JSON object",
            'write one object per line, such as {"text": "..."}',
        )
    present = list(dict.fromkeys(key for found in objects for key in found))
    strings = [key for key in present if all(isinstance(found.get(key, ""), str | None) for found in objects)]
    return Table(source, choose(source, options, present, strings))


def read_jsonl(table: Table, options: ReadOptions) -> Iterator[Document]:
    """Stream a JSON Lines file; a line that isn't an object with the text column gets a problem."""
    source, columns = table.source, table.columns
    with _opened(source, options) as stream:
        for row, (number, found) in enumerate(_json_rows(stream)):
            if isinstance(found, str):
                yield row_document(source, row, None, id=None, problem=f"{source.path}, line {number}: {found}")
                continue
            name = _as_text(found.get(columns.id)) if columns.id else None
            if columns.text in found:
                yield row_document(source, row, _as_text(found[columns.text]), id=name)
            else:
                problem = f"{source.path}, line {number}: there is no '{columns.text}'"
                yield row_document(source, row, None, id=name, problem=problem)


@contextmanager
def _opened(source: Source, options: ReadOptions) -> Iterator[TextIO]:
    """Open a table such that bytes outside the encoding become lone surrogates, to be found in the row they are in.

    Raises InputError, also for what goes wrong while the file is read.
    """
    try:
        with source.path.open("rb") as stream:
            encoding = marked(stream.read(4)) or options.encoding
        with source.path.open(encoding=encoding, errors="surrogateescape", newline="") as text:
            if text.read(1) != "\ufeff":
                text.seek(0)
            yield text
    except OSError as error:
        raise InputError(
            f"{source.path}: the table can't be read ({error.strerror})", "check the file, or leave it out of the input"
        ) from error
    except UnicodeDecodeError as error:  # the wide encodings have no bytes that could be set aside
        raise InputError(
            f"{source.path}: the table is not valid {error.encoding.upper()}", "convert the file or pass --encoding"
        ) from error


def _csv_rows(source: Source, stream: TextIO) -> Iterator[tuple[int, list[str] | str]]:
    """Yield the first line's number of each row, and its fields or why there are none."""
    csv.field_size_limit(_MAX_FIELD_CHARS)  # the module has no other way; its default refuses long documents
    lines = _lines(stream)
    first = next(lines, "")
    rows = csv.reader(chain((first,), lines), delimiter=_delimiter(source, first), strict=True)
    while True:
        number = rows.line_num + 1
        try:
            fields: list[str] | str = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            more = rows.line_num - number
            fields = f"not valid CSV ({error})" + (f"; the {more} lines after it went with it" if more else "")
        yield number, fields


def _lines(stream: TextIO) -> Iterator[str]:
    """Yield the lines, cut at _MAX_LINE_CHARS, so that a file without line ends doesn't fill memory."""
    while line := stream.readline(_MAX_LINE_CHARS):
        rest = line
        while len(rest) == _MAX_LINE_CHARS and not rest.endswith(("\n", "\r")):
            rest = stream.readline(_MAX_LINE_CHARS)
        yield line


def _delimiter(source: Source, header: str) -> str:
    """Choose the delimiter that the header has most of outside quotes; spreadsheets write ; where , is decimal."""
    if source.path.suffix.lower() == ".tsv":
        return "\t"
    bare = re.sub(r'"[^"]*"', "", header)
    return max(",;\t|", key=bare.count)


def _header(source: Source, rows: Iterator[tuple[int, list[str] | str]]) -> list[str]:
    _, fields = next(rows, (1, "the file has no header"))
    if isinstance(fields, str):
        raise InputError(f"{source.path}, line 1: {fields}", "the first line of a CSV file names its columns")
    return fields


def _json_rows(stream: TextIO) -> Iterator[tuple[int, Mapping[str, object] | str]]:
    """Yield each line's number and its object, or why there is none; empty lines are no rows."""
    import msgspec

    for number, line in enumerate(_lines(stream), 1):
        if line.isspace():
            continue
        try:
            found = msgspec.json.decode(line)
        except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
            yield number, f"not valid JSON ({error})"
        else:
            yield number, found if isinstance(found, dict) else "not a JSON object"


def _as_text(value: object) -> str | None:
    import msgspec

    return value if isinstance(value, str | None) else msgspec.json.encode(value).decode()


def _decoded(source: Source, row: int, text: str, name: str | None, *, where: str, encoding: str) -> Document:
    """Make a row's document unless its text or id holds bytes that aren't in the encoding."""
    try:
        f"{text}{name}".encode()
    except UnicodeEncodeError:
        problem = (
            f"{source.path}, {where}: not valid {encoding.upper()}; convert the file or pass --encoding (e.g. cp1252)"
        )
        return row_document(source, row, None, id=None, problem=problem)
    return row_document(source, row, text, id=name)
