"""Which documents of a run a person looks at, and what is marked on their pages: those for review first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from slmbatch.chat import Picture
from slmbatch.errors import RunFolderError
from slmbatch.places import Box
from slmbatch.readers.pictures import DRAWN, PageWanted, draw_pages

MOST_PAGES = 3  # of one document
MOST_BYTES = 16 * 2**20  # of all pictures together: a third more in the report, which has them in letters
LONGEST = 200  # characters of a value
FULL = f"not shown: the pictures of this report take {MOST_BYTES // 2**20} MiB already"


@dataclass(frozen=True, slots=True)
class Mark:
    """A field as it was found. `kind` is how it fares: accepted, review, failed, or unreadable where there's none.

    `told` says why; `page` and `box` are None where it has no place.
    """

    path: str
    value: str | None
    kind: str
    told: str
    page: int | None
    box: Box | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """A document: how it ended, its fields, and the pages that hold marks (at most MOST_PAGES), drawn or why not.

    `more` counts the pages beyond these. `type` is None where the run knows no types, or couldn't tell it; `file` is
    the id of the file that the document is some pages of, None where it's a whole one.
    """

    id: str
    source: str
    status: str
    told: tuple[str, ...]
    marks: tuple[Mark, ...]
    pages: tuple[int, ...]
    more: int = 0
    drawn: tuple[Picture | str, ...] = ()
    type: str | None = None
    truncated: bool = False
    file: str | None = None


def sheets(root: Path, most: int, *, threshold: float, read_at: float) -> list[Sheet]:
    """Return up to `most` documents with pages that can be drawn, in the order of the table.

    `read_at` is when the run began to read them (Unix time). Raises RunFolderError where no fields were looked for.
    """
    if not (root / "fields.parquet").exists():
        raise RunFolderError(f"{root}: there are no fields to mark.", "--pages is for what extract has written.")
    chosen = _chosen(root, most)
    fields = _fields(root, chosen, threshold)
    found = [_sheet(row, fields.get((row["id"], row["source"]), [])) for row in chosen]
    wanted = [PageWanted(one.source, one.file or one.id, page, read_at) for one in found for page in one.pages]
    with closing(draw_pages(wanted)) as pictures:
        return list(_drawn(found, pictures))


def _drawn(found: Sequence[Sheet], pictures: Iterator[Picture | str]) -> Iterator[Sheet]:
    """Add the pictures, in order, while there's room for them."""
    room = MOST_BYTES
    for one in found:
        drawn: list[Picture | str] = []
        for _ in one.pages:
            picture = next(pictures) if room > 0 else FULL
            room -= len(picture.jpeg) if isinstance(picture, Picture) else 0
            drawn.append(picture)
        yield replace(one, drawn=tuple(drawn))


def _chosen(root: Path, most: int) -> list[dict[str, Any]]:
    """Take rows for review, then accepted ones with fields, then accepted ones without, as there's room."""
    rows = drawable(pl.scan_parquet(root / "results.parquet").with_row_index("at"))
    found = pl.scan_parquet(root / "fields.parquet").select("id", "source").unique()
    accepted = rows.filter(pl.col("status") == "accepted")
    kinds = [
        rows.filter(pl.col("status") == "review"),
        accepted.join(found, on=["id", "source"], how="semi"),
        accepted.join(found, on=["id", "source"], how="anti"),
    ]
    wanted = ["id", "source", "parent", "pages", "status", "type", "reason", "warnings", "truncated"]
    columns = [name for name in wanted if name in rows.collect_schema()]
    chosen: list[dict[str, Any]] = []
    for kind in kinds:
        if room := most - len(chosen):
            chosen += kind.sort("at").select(columns).head(room).collect().to_dicts()
    return chosen


def drawable(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Keep the rows of results.parquet whose document has pages that can be drawn."""
    file = pl.when(pl.col("pages").is_null()).then(pl.col("id")).otherwise(pl.col("parent"))
    suffix = file.str.to_lowercase().str.extract(r"(\.[a-z]+)$")
    return rows.filter(pl.col("row").is_null() & suffix.is_in(DRAWN))


def _fields(root: Path, chosen: Sequence[dict[str, Any]], threshold: float) -> dict[tuple[str, str], list[Mark]]:
    ids = [row["id"] for row in chosen]
    fields = pl.scan_parquet(root / "fields.parquet").filter(pl.col("id").is_in(ids)).collect()
    marks: dict[tuple[str, str], list[Mark]] = {}
    for leaf in fields.iter_rows(named=True):
        marks.setdefault((leaf["id"], leaf["source"]), []).append(_mark(leaf, threshold))
    return marks


def _mark(leaf: dict[str, Any], threshold: float) -> Mark:
    value = leaf["value"] if leaf["value"] is None else leaf["value"][:LONGEST]
    box = None if leaf["box"] is None or value is None else Box(**leaf["box"])
    kind, told = _fares(leaf, threshold)
    return Mark(leaf["path"], value, kind, told, leaf["page"], box)


def _fares(leaf: dict[str, Any], threshold: float) -> tuple[str, str]:
    """Say how a field fares by itself, and why: the worst that there is to say first."""
    if leaf["problems"]:
        near = ["marked is what is most like it"] if leaf["found"] == "fuzzy" and leaf["box"] is not None else []
        return "failed", "; ".join([*leaf["problems"], *near])
    if leaf["value"] is None:
        return "unreadable", "no value"
    sources = {
        "from the document's XML": leaf["found"] == "xml",
        f"put right from the document: a sum was broken by {leaf['raw']}": leaf["repaired"],
        "two tiers found it": leaf["agreed"],
    }
    if trusted := next((told for told, holds in sources.items() if holds), None):
        return "accepted", trusted
    name = "score" if leaf["confidence"] is None else "confidence"
    sure = leaf[name]
    if sure is None:
        return "review", "no score"
    return (
        ("accepted", f"{name} {sure:.2f}")
        if sure >= threshold
        else ("review", f"{name} {sure:.2f}, below {threshold:g}")
    )


def _sheet(row: dict[str, Any], marks: Sequence[Mark]) -> Sheet:
    """Show the pages that hold marks; the first one where there are none."""
    first = int(row["pages"].split("-")[0]) if row["pages"] else 1
    pages = sorted({mark.page for mark in marks if mark.box is not None and mark.page is not None}) or [first]
    told = tuple(one for one in (row["reason"], *(row["warnings"] or ())) if one)
    shown = tuple(pages[:MOST_PAGES])
    return Sheet(
        row["id"],
        row["source"],
        row["status"],
        told,
        tuple(marks),
        shown,
        len(pages) - len(shown),
        type=row.get("type"),
        truncated=bool(row["truncated"]),
        file=row["parent"] if row["pages"] else None,
    )
