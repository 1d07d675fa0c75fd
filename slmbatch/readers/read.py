"""Reads what was found: every row and every file becomes a Document, in input order.

A file that can't be read is a Document with a problem; a table that can't be read at all is an InputError.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from functools import partial
from itertools import groupby, islice

from slmbatch.readers.columns import BATCH_ROWS, Table
from slmbatch.readers.html import read_html
from slmbatch.readers.lines import open_csv, open_jsonl, read_csv, read_jsonl
from slmbatch.readers.mail import read_mail
from slmbatch.readers.parquet import open_parquet, parquet_rows, read_parquet
from slmbatch.readers.pdf import read_pdf
from slmbatch.readers.pool import Pool
from slmbatch.readers.sources import TABLES, Found, Reading, ReadOptions, Source
from slmbatch.readers.texts import check_encoding, read_text
from slmbatch.readers.xml import read_xml, with_xml_beside
from slmbatch.types import Document

_OPENERS = {"parquet": open_parquet, "csv": open_csv, "jsonl": open_jsonl}
_LARGE_HTML_BYTES = 2**20  # the parser's time grows with the square of the depth; what may take long goes to a worker


def read(found: Found, options: ReadOptions) -> Generator[list[Document], None, None]:
    """Read everything found, in batches of at most BATCH_ROWS documents for tables and one for files.

    Every table is opened and its columns chosen before this returns. Close the generator to stop the worker processes
    early. Raises InputError, at once for a table that can't be opened, and while reading for one that is damaged.
    """
    check_encoding(options.encoding)
    tables = {source: _OPENERS[source.kind](source, options) for source in found.sources if _has_rows(source)}
    return _limited(_batches(found, options, tables), options.limit)


def count_rows(found: Found) -> int | None:
    """Count the documents if that costs no reading: None when a CSV or JSON Lines file is among them."""
    if any(source.kind in {"csv", "jsonl"} for source in found.sources):
        return None
    return sum(parquet_rows(source) if source.kind == "parquet" else 1 for source in found.sources)


def read_file(source: Source, options: ReadOptions) -> Document:
    """Read a file that isn't a table; whatever goes wrong is the document's problem."""
    try:
        with source.path.open("rb") as stream:
            empty = not stream.read(1)
        reading = Reading(problem="the file is empty") if empty else _reading(source, options)
    except OSError as error:
        reading = Reading(problem=f"the file can't be read: {error.strerror or error}")
    return _document(source, reading)


def _reading(source: Source, options: ReadOptions) -> Reading:
    if source.kind == "pdf":
        return with_xml_beside(read_pdf(source.path), source.beside)
    if source.kind == "xml":
        return read_xml(source.path)
    if source.kind == "mail":
        return read_mail(source.path)
    if source.kind == "html":
        return read_html(source.path, options.encoding)
    return read_text(source.path, options.encoding)


def _document(source: Source, reading: Reading) -> Document:
    return Document(source.name, str(source.path), None, reading.pages, reading.problem, reading.cut, reading.xml)


def _batches(found: Found, options: ReadOptions, tables: dict[Source, Table]) -> Generator[list[Document], None, None]:
    pool = Pool(partial(read_file, options=options), _crashed, workers=options.workers)
    try:
        for is_table, group in groupby(found.sources, key=tables.__contains__):
            if is_table:
                for source in group:
                    yield from _table_batches(tables[source], options)
            else:
                for document in pool.map(group, here=_is_cheap, ahead=options.limit):
                    yield [document]
    finally:
        pool.close()


def _table_batches(table: Table, options: ReadOptions) -> Iterator[list[Document]]:
    if table.source.kind == "parquet":
        yield from read_parquet(table, options)
    elif table.source.kind == "csv":
        yield from _batched(read_csv(table, options))
    else:
        yield from _batched(read_jsonl(table, options))


def _batched(documents: Iterable[Document]) -> Iterator[list[Document]]:
    rest = iter(documents)
    while batch := list(islice(rest, BATCH_ROWS)):
        yield batch


def _limited(
    batches: Generator[list[Document], None, None], limit: int | None
) -> Generator[list[Document], None, None]:
    """Stop after `limit` documents, and close what reads them, here and when this is closed."""
    left = limit
    try:
        for batch in batches if left != 0 else ():
            yield batch[:left]
            if left is not None:
                left -= len(batch[:left])
                if left == 0:
                    return
    finally:
        batches.close()


def _has_rows(source: Source) -> bool:
    """Tell a table from other files. One of no bytes has no header either, and is shown as the file it is."""
    if source.kind == "parquet" or source.kind not in TABLES:
        return source.kind in TABLES
    try:
        return source.path.stat().st_size > 0
    except OSError:
        return True


def _is_cheap(source: Source) -> bool:
    """Tell whether a file is read in this process: text and HTML of a common size. PDFium stays in the workers."""
    if source.kind == "html":
        try:
            return source.path.stat().st_size <= _LARGE_HTML_BYTES
        except OSError:
            return True
    return source.kind not in {"pdf", "mail"}


def _crashed(source: Source) -> Document:
    kind = "PDF" if source.kind == "pdf" else source.kind
    return _document(source, Reading(problem=f"reading this file crashed the {kind} reader, or took too long"))
