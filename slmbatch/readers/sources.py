"""What can be read and how: the kinds of files by suffix, the user's options, and what one file gave.

Knows no library and opens nothing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from slmbatch.types import Page

MAX_CHARS = 2_000_000
"""Characters kept of one document: far beyond any small model's context, and small enough to hold many in memory."""

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
    ".pdf": "pdf",
    ".xml": "xml",
}
TABLES = frozenset({"parquet", "csv", "jsonl"})


def _default_workers() -> int:
    return min(os.cpu_count() or 1, MAX_WORKERS)


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read. `text_column` and `id_column` concern tables; `workers` are processes for PDF and mail."""

    text_column: str | None = None
    id_column: str | None = None
    encoding: str = "utf-8"
    limit: int | None = None
    workers: int = field(default_factory=_default_workers)


@dataclass(frozen=True, slots=True)
class Source:
    """One file to read. `name` is unique within a run and independent of where the input folder lies.

    `beside` is the XML file that belongs to a PDF: the same path but for the suffix.
    """

    path: Path
    name: str
    kind: str
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


def clip(text: str) -> Reading:
    """Make one page of a text, cut at MAX_CHARS."""
    if not text or text.isspace():
        return Reading(problem="the text is empty")
    return Reading((Page(1, text[:MAX_CHARS]),), cut=len(text) > MAX_CHARS)
