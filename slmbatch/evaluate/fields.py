"""A run's field values against the expected ones: what was right, by document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse

from slmbatch.errors import InputError
from slmbatch.evaluate.items import Tally
from slmbatch.evaluate.judged import Judged
from slmbatch.evaluate.pairing import pair
from slmbatch.evaluate.scores import Scored, scored
from slmbatch.evaluate.shares import Columns
from slmbatch.evaluate.sheets import Sheet, flat, sheet
from slmbatch.evaluate.values import likeness

REMEDY = 'This run extracted: give JSONL with lines {"id": …, "values": {…}}.'


def judge_fields(
    root: Path, gold: Mapping[str, Any], usd_per_row: float, *, where: Path, only: frozenset[str] | None = None
) -> Judged:
    """Compare a run's values with the expected ones (`where` they were read from), of the fields in `only` if given.

    Raises InputError when the expected values of a document can't be compared with its own.
    """
    for key, values in gold.items():
        if not isinstance(values, Mapping):
            raise InputError(f"{where}: {key} has no values.", REMEDY)
    known = field_names(root) if only is None else only
    flat_gold = {key: flat(values) for key, values in gold.items()}
    asked = {key: {path: one for path, one in values.items() if path in known} for key, values in flat_gold.items()}
    asked = {key: values for key, values in asked.items() if values}  # a document of which nothing is known isn't right
    ids = pl.LazyFrame({"id": list(asked)}, schema={"id": pl.String})
    table = pl.scan_parquet(root / "results.parquet").select("id", "status", "values", "score", "confidence")
    paired = pair(table.join(ids, on="id", how="semi", maintain_order="left").collect(), asked)
    rows, total = paired.rows, int(table.select(pl.len()).collect().item())
    sheets = [
        sheet(flat(values or {}), asked[key], where=f"{where}: {key}")
        for key, values in zip(rows["id"], rows["values"], strict=True)
    ]
    right = np.array([one.right for one in sheets], dtype=bool)
    columns = Columns(rows.height)
    accepted = (rows["status"] == "accepted").to_numpy()
    columns.of_documents("document_accuracy", right, accepted)
    _add_fields(columns, sheets, accepted, usd_per_row)
    _add_lists(columns, sheets)
    score = rows.select(pl.coalesce("confidence", "score").cast(pl.Float64)).to_series().to_numpy()
    both = [_scored_fields(root, rows["id"], sheets), scored("document_", np.arange(rows.height), score, right)]
    for one in both:
        columns.from_score_on(one)
    return Judged(
        ids=rows["id"].to_list(),
        shares=columns.shares(),
        scored=both,
        missing=paired.missing,
        unjudged=total - rows.height - paired.repeated,
        repeated=paired.repeated,
        not_asked=sorted({path for values in flat_gold.values() for path in values} - known),
    )


def field_names(root: Path) -> frozenset[str]:
    """The paths of a run's fields and lists, without what is inside lists."""
    return frozenset(_paths(pl.read_parquet_schema(root / "results.parquet")["values"], ""))


def _paths(kind: Any, path: str) -> list[str]:
    if not isinstance(kind, pl.Struct):
        return [path]
    return [one for each in kind.fields for one in _paths(each.dtype, f"{path}.{each.name}" if path else each.name)]


def _scored_fields(root: Path, ids: pl.Series, sheets: Sequence[Sheet]) -> Scored:
    """The single fields that have a value, with the confidence of each, or else its score."""
    each = [
        (at, key, cell.path, cell.right)
        for at, (key, one) in enumerate(zip(ids, sheets, strict=True))
        for cell in one.cells
        if cell.found is not None
    ]
    kinds = {"at": pl.Int64, "id": pl.String, "path": pl.String, "right": pl.Boolean}
    found = pl.DataFrame(each, schema=kinds, orient="row")
    told = pl.scan_parquet(root / "fields.parquet").select(
        "id", "path", pl.coalesce("confidence", "score").cast(pl.Float64).alias("sure")
    )
    once = told.unique(["id", "path"], keep="first")
    sure = found.lazy().join(once, on=["id", "path"], how="left", maintain_order="left").collect()
    return scored(
        "field_",
        sure["at"].to_numpy(),
        sure["sure"].to_numpy(),
        sure["right"].to_numpy(),
        np.array([len(one.cells) for one in sheets], dtype=np.float64),
    )


def _add_fields(columns: Columns, sheets: Sequence[Sheet], accepted: Any, usd_per_row: float) -> None:
    cells = [(at, cell) for at, one in enumerate(sheets) for cell in one.cells]
    paths = sorted({cell.path for _, cell in cells})
    place = {path: number for number, path in enumerate(paths)}
    where = ([at for at, _ in cells], [place[cell.path] for _, cell in cells])

    def count(numbers: Sequence[float]) -> Any:
        """All fields, then each: sparse (documents, 1 + paths)."""
        each = sparse.csr_matrix((np.asarray(numbers, dtype=np.float64), where), shape=(len(sheets), len(paths)))
        return sparse.hstack([sparse.csr_matrix(each.sum(axis=1)), each]).tocsr()

    judged, right = count([1] * len(cells)), count([cell.right for _, cell in cells])
    found = count([cell.found is not None for _, cell in cells])
    wanted = count([cell.expected is not None for _, cell in cells])
    both = count([cell.found is not None and cell.expected is not None for _, cell in cells])
    values = count([cell.right and cell.expected is not None for _, cell in cells])
    alike = count([likeness(cell.found, cell.expected) for _, cell in cells])
    names = [None, *paths]
    columns.add_all([("field_accuracy", name) for name in names], right, judged)
    columns.precision_recall_f1("field_", names, (values, found, wanted))
    columns.precision_recall_f1("presence_", names, (both, found, wanted))
    kept = accepted[:, None]
    columns.add_all([("accepted_field_accuracy", None)], right[:, :1].multiply(kept), judged[:, :1].multiply(kept))
    columns.add_all([("anls", path) for path in paths], alike[:, 1:], judged[:, 1:])
    _add_whole(columns, sheets, alike[:, 0].toarray().ravel(), values[:, 0].toarray().ravel(), usd_per_row)


def _add_whole(columns: Columns, sheets: Sequence[Sheet], alike: Any, values: Any, usd_per_row: float) -> None:
    """Add what single fields and lists come to together: the likeness of documents, and the price of a right value."""
    size = np.array([len(one.cells) + sum(many.size for many in one.lists.values()) for one in sheets], dtype=float)
    like = alike + np.array([sum(many.like for many in one.lists.values()) for one in sheets])
    in_lists = [sum(cell.right for many in one.lists.values() for cell in many.cells.values()) for one in sheets]
    columns.add(("anls", None), np.divide(like, size, out=np.zeros(len(sheets)), where=size > 0), size > 0)
    columns.add(("usd_per_right", None), np.full(len(sheets), usd_per_row), values + np.array(in_lists))


def _add_lists(columns: Columns, sheets: Sequence[Sheet]) -> None:
    """Add items and their cells: all, and by list or by column of a list."""
    items: list[dict[str, Tally]] = [{path: many.items for path, many in one.lists.items()} for one in sheets]
    cells: list[dict[str, Tally]] = [
        {
            f"{path}[].{name}".removesuffix("."): tally
            for path, many in one.lists.items()
            for name, tally in many.cells.items()
        }
        for one in sheets
    ]
    for prefix, tallies in (("item_", items), ("cell_", cells)):
        paths = sorted({path for one in tallies for path in one})
        if paths:
            counts = [
                [[getattr(one.get(path, Tally()), kind) for path in paths] for one in tallies]
                for kind in ("right", "found", "wanted")
            ]
            every = [np.asarray(one, dtype=np.float64) for one in counts]
            both = [sparse.csr_matrix(np.hstack([one.sum(axis=1, keepdims=True), one])) for one in every]
            columns.precision_recall_f1(prefix, [None, *paths], (both[0], both[1], both[2]))
