"""Which column of a table holds the text and which the id, decided before the first row is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from slmbatch.errors import InputError
from slmbatch.readers.sources import ReadOptions, Source, clip
from slmbatch.types import Document

BATCH_ROWS = 512
"""Rows handed on at once: enough that batches cost nothing, few enough that long texts stay out of memory."""


@dataclass(frozen=True, slots=True)
class Columns:
    text: str
    id: str | None


@dataclass(frozen=True, slots=True)
class Table:
    """A table that was opened once: its columns are known and exist."""

    source: Source
    columns: Columns


def choose(source: Source, options: ReadOptions, present: Sequence[str], strings: Sequence[str]) -> Columns:
    """Choose the columns to read from those `present`, of which `strings` may hold text.

    The text is the column the user named, else 'text', else the only column of strings. Raises InputError.
    """
    if options.id_column is not None and options.id_column not in present:
        raise _no_such_column(source, "--id-column", options.id_column, present)
    if options.text_column is not None:
        if options.text_column not in present:
            raise _no_such_column(source, "--text-column", options.text_column, present)
        return Columns(options.text_column, options.id_column)
    if "text" in present:
        return Columns("text", options.id_column)
    candidates = [name for name in strings if name != options.id_column]
    if len(candidates) != 1:
        raise InputError(
            f"{source.path}: which column holds the text? There is no column 'text' among: {_listed(present)}",
            "name it with --text-column",
        )
    return Columns(candidates[0], options.id_column)


def row_document(source: Source, row: int, text: str | None, *, id: str | None, problem: str | None = None) -> Document:  # noqa: A002  the record's own word
    """Make the document of one row; without an id of its own it is named by file and row."""
    name = id or f"{source.name}#{row}"
    if problem is not None:
        return Document(name, str(source.path), row, (), problem)
    reading = clip(text or "")
    return Document(name, str(source.path), row, reading.pages, reading.problem, reading.cut)


def _no_such_column(source: Source, flag: str, name: str, present: Sequence[str]) -> InputError:
    near = get_close_matches(name, present, n=1, cutoff=0.5) or [
        same for same in present if same.lower() == name.lower()
    ]
    remedy = f"did you mean {flag} {near[0]}?" if near else f"name one of them with {flag}"
    return InputError(f"{source.path}: there is no column '{name}'; the columns are: {_listed(present)}", remedy)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:50])
    return f"{shown}, ... ({len(names)} in all)" if len(names) > 50 else shown
