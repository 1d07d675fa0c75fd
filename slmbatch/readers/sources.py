"""What can be read and how: the kinds of files by suffix, the user's options, and what one file gave.

Knows no library, nor what is in a file.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, TypeAlias

from slmbatch.types import Page

if TYPE_CHECKING:
    from slmbatch.tasks.schema import Schema

Content: TypeAlias = Path | bytes
"""A file, or the bytes of what lay inside one."""

Attachments: TypeAlias = Literal["inside", "apart"]
"""What a mail's attachments are: further pages of the mail, or documents of their own."""

MAX_CHARS = 2_000_000
"""Characters kept of one document: far beyond any small model's context, and small enough to hold many in memory."""

MAX_PAGES = 10_000
"""Pages kept of one document: five times a long one. A PDF of 300 bytes can say that it has a million, and each page
that can't be read is a note in its row."""

MOST_PICTURES = 16  # of one document, some 2 MB: thousands of documents may wait in memory

MAX_WORKERS = 8  # above this the parent, which receives every text, is what one waits for

KINDS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".txt": "text",
    ".text": "text",
    ".md": "text",
    ".rst": "text",
    ".log": "text",
    ".html": "html",
    ".htm": "html",
    ".eml": "mail",
    ".msg": "msg",
    ".pdf": "pdf",
    ".xml": "xml",
    ".png": "image",
    ".jpg": "image",
    ".jpeg": "image",
    ".tif": "image",
    ".tiff": "image",
    ".webp": "image",
    ".bmp": "image",
    ".docx": "docx",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".pptx": "pptx",
    ".zip": "zip",
    ".doc": "old",
    ".docm": "old",
    ".xls": "old",
    ".xlsb": "old",
    ".ppt": "old",
    ".pptm": "old",
}
TABLES = frozenset({"parquet", "csv", "jsonl"})
MAILS = frozenset({"mail", "msg"})


def _default_workers() -> int:
    return min(os.cpu_count() or 1, MAX_WORKERS)


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read. `text_column` and `id_column` concern tables; `workers` are processes for all but texts.

    With `types`, schemas by name, the pages of a PDF or an image are split into documents of these types.
    `pictures`: keep those of pages whose text the OCR is mostly unsure of.
    """

    text_column: str | None = None
    id_column: str | None = None
    encoding: str = "utf-8"
    limit: int | None = None
    workers: int = field(default_factory=_default_workers)
    attachments: Attachments = "inside"
    types: tuple[tuple[str, Schema], ...] = ()
    pictures: bool = False

    @property
    def most_pictures(self) -> int:
        """How many pictures of pages to keep of a file: a split one's are those of many documents."""
        if not self.pictures:
            return 0
        return MAX_PAGES if self.types else MOST_PICTURES


@dataclass(frozen=True, slots=True)
class Source:
    """One file to read. `name` is unique within a run and independent of where the input folder lies.

    `member` is the position in the archive `path` where the file lies in one. `beside` is the XML file that belongs to
    a PDF: the same path but for the suffix.
    """

    path: Path
    name: str
    kind: str
    member: int | None = None
    beside: Path | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The files of a run in input order, and those of unknown type, sorted."""

    sources: tuple[Source, ...]
    skipped: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What one file gave: pages, or the problem that there are none; and the e-invoice in it."""

    pages: tuple[Page, ...] = ()
    problem: str | None = None
    cut: bool = False
    xml: bytes | None = None


class Unreadable(Exception):
    """Why a content can't be read, as a sentence with its remedy: the problem of its row, never more than that."""


def stream_of(content: Content) -> BinaryIO:
    """Open a content to read its bytes. Raises OSError."""
    return content.open("rb") if isinstance(content, Path) else io.BytesIO(content)


def numbered(texts: Iterable[tuple[str, str | None]]) -> Iterator[Page]:
    """Make pages of texts, each with a note where it has none."""
    return (Page(number, text, note) for number, (text, note) in enumerate(texts, 1))


def gather(
    pages: Iterator[Page], nothing: str | None = None, *, only: str = "the only page", pictures: int = 0
) -> Reading:
    """Collect pages, and leave out what is beyond MAX_CHARS or MAX_PAGES, and all but the first `pictures`.

    `nothing` is the problem if all are without text, by default what their notes say; there `only` names a single one.
    """
    kept: list[Page] = []
    room = MAX_CHARS
    for page in islice(pages, MAX_PAGES):
        picture = page.picture if pictures > 0 else None
        pictures -= picture is not None
        kept.append(replace(page, text=page.text[:room], picture=picture))
        room -= len(page.text)
        if room < 0:
            break
    if not any(page.text for page in kept):
        return Reading(tuple(kept), nothing or _why_nothing(kept, only))
    return Reading(tuple(kept), cut=room < 0 or next(pages, None) is not None)


def _why_nothing(pages: Sequence[Page], only: str) -> str:
    if not pages:
        return "the file is damaged: it has no pages"
    why, *others = dict.fromkeys(page.note for page in pages)
    if others:
        return f"none of {len(pages)} pages can be read, page 1: {why}"
    return f"{only if len(pages) == 1 else f'all {len(pages)} pages'}: {why}"


def clip(text: str) -> Reading:
    """Make one page of a text, cut at MAX_CHARS."""
    if not text or text.isspace():
        return Reading(problem="the text is empty")
    return Reading((Page(1, text[:MAX_CHARS]),), cut=len(text) > MAX_CHARS)
