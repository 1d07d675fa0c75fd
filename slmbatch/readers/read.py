"""Reads what was found: every row and every file becomes a Document, in input order.

A file that can't be read is a Document with a problem; a table that can't be read at all is an InputError.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import groupby, islice

from slmbatch.readers.archive import read_member
from slmbatch.readers.columns import BATCH_ROWS, Table
from slmbatch.readers.lines import open_csv, open_jsonl, read_csv, read_jsonl
from slmbatch.readers.parquet import open_parquet, parquet_rows, read_parquet
from slmbatch.readers.pool import MEMORY_BYTES, SECONDS, Pool
from slmbatch.readers.sources import (
    MAILS,
    MOST_PICTURES,
    TABLES,
    Content,
    Found,
    Reading,
    ReadOptions,
    Source,
    Unreadable,
)
from slmbatch.readers.texts import check_encoding
from slmbatch.readers.unpack import PAGED, Piece, unpack
from slmbatch.readers.xml import with_xml_beside
from slmbatch.types import Document

LOST = f"or took more than {SECONDS // 60} minutes or {MEMORY_BYTES // 2**30} GiB of memory"
FAILED = "the reader failed on this file in a way that isn't foreseen"
_OPENERS = {"parquet": open_parquet, "csv": open_csv, "jsonl": open_jsonl}
_LARGE_HTML_BYTES = 2**16  # the parser's time grows with the square of the depth: here to 0.6 s, for 1 MiB to minutes


def read(found: Found, options: ReadOptions) -> Generator[list[Document], None, None]:
    """Read everything found, in batches of at most BATCH_ROWS documents for tables and one for files.

    A file is one document, but for mails with attachments apart, archives in archives, and pages that are split: theirs
    are one batch.

    Every table is opened and its columns chosen before this returns. Close the generator to stop the worker processes
    early. Raises InputError, at once for a table that can't be opened, and while reading for one that is damaged.
    """
    check_encoding(options.encoding)
    tables = {source: _OPENERS[source.kind](source, options) for source in found.sources if _has_rows(source)}
    return _limited(_batches(found, options, tables), options.limit)


def count_rows(found: Found, options: ReadOptions) -> int | None:
    """Count the documents if that costs no reading: None when a file is among them that tells no number."""
    if any(_tells_no_number(source, options) for source in found.sources):
        return None
    return sum(parquet_rows(source) if _has_rows(source) else 1 for source in found.sources)


def _tells_no_number(source: Source, options: ReadOptions) -> bool:
    if source.kind in MAILS:
        return options.attachments == "apart"
    if source.kind in PAGED and options.types:
        return True
    return source.kind in {"csv", "jsonl"} if source.member is None else source.kind == "zip"


def read_file(source: Source, options: ReadOptions) -> list[Document]:
    """Read a file that isn't a table: mostly one document. Whatever goes wrong is a document's problem."""
    try:
        content = source.path if source.member is None else read_member(source.path, source.member)
        if _is_empty(content):
            return [_document(source, Reading(problem="the file is empty"))]
        if source.beside is not None:  # an e-invoice, and so one document
            options = replace(options, types=())
        pieces = unpack(content, source.kind, options, archives=int(source.member is not None))
        return [_document(source, _kept(piece.reading), piece) for piece in pieces]
    except Unreadable as error:
        return [_document(source, Reading(problem=str(error)))]
    except OSError as error:
        return [_document(source, Reading(problem=f"the file can't be read: {error.strerror or error}"))]
    except MemoryError:
        raise  # the pool gives the next file a new process
    except Exception as error:  # noqa: BLE001  (the rim: a bug, ours or a library's, costs its file only)
        return [_document(source, Reading(problem=f"{FAILED} ({type(error).__name__})"))]


def _is_empty(content: Content) -> bool:
    if isinstance(content, bytes):
        return not content
    with content.open("rb") as stream:
        return not stream.read(1)


def _kept(reading: Reading) -> Reading:
    """Drop the pictures beyond MOST_PICTURES, each of which is as large as a hundred pages of text."""
    pictured = [page.number for page in reading.pages if page.picture is not None]
    beyond = pictured[MOST_PICTURES:]
    pages = (replace(page, picture=None) if page.number in beyond else page for page in reading.pages)
    return replace(reading, pages=tuple(pages)) if beyond else reading


def _document(source: Source, reading: Reading, piece: Piece | None = None) -> Document:
    """Make a document of a file or of a piece of it: its id is the way there, its parent what it came in or with."""
    name, parent = (source.name, None) if piece is None else (_below(source, piece.name), piece.parent)
    parent = None if parent is None else _below(source, parent)
    reading = with_xml_beside(reading, source.beside)
    where, pages, problem = str(source.path), reading.pages, reading.problem
    span = None if piece is None else piece.span
    return Document(name, where, None, pages, problem, cut=reading.cut, parent=parent, xml=reading.xml, span=span)


def _below(source: Source, name: str) -> str:
    return f"{source.name}/{name}" if name else source.name


def _batches(found: Found, options: ReadOptions, tables: dict[Source, Table]) -> Generator[list[Document], None, None]:
    pool = Pool(partial(read_file, options=options), lost, workers=options.workers)
    try:
        for is_table, group in groupby(found.sources, key=tables.__contains__):
            if is_table:
                for source in group:
                    yield from _table_batches(tables[source], options)
            else:
                yield from pool.map(group, here=_is_cheap, ahead=options.limit)
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
    if source.member is not None or source.kind not in TABLES:
        return False
    if source.kind == "parquet":
        return True
    try:
        return source.path.stat().st_size > 0
    except OSError:
        return True


def _is_cheap(source: Source) -> bool:
    """Tell whether a file is read in this process: text and HTML of a common size. PDFium stays in the workers."""
    if source.member is not None or source.kind not in {"text", "html", *TABLES}:
        return False
    try:
        return source.kind != "html" or source.path.stat().st_size <= _LARGE_HTML_BYTES
    except OSError:
        return True


def lost(source: Source) -> list[Document]:
    """Make the document of a file whose worker died or took more than it may."""
    kind = "PDF" if source.kind == "pdf" else source.kind
    return [_document(source, Reading(problem=f"reading this file crashed the {kind} reader, {LOST}"))]
