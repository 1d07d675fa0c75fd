"""The tables for users, derived from rows and parts: results.parquet, fields.parquet, cost.parquet."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from slmbatch.errors import OverBudget
from slmbatch.store.folder import RunFolder
from slmbatch.store.located import LocatedParts
from slmbatch.store.records import LEAF
from slmbatch.store.repeats import Repeats
from slmbatch.store.rows import GROUP_ROWS
from slmbatch.store.table_file import TableFile
from slmbatch.tasks.schema import Field, Group, Items, Node, Schema
from slmbatch.types import Kind

USD = pa.decimal128(38, 12)
DECIMAL = pa.decimal128(38, 9)
VERSION = {"slmbatch.results": "5"}
SUMMED = ("requests", "input_tokens", "cached_tokens", "output_tokens", "usd", "seconds")
HEAD = [
    ("id", pa.string()),
    ("source", pa.string()),
    ("parent", pa.string()),  # the mail that it was attached to, or the file that it is some pages of
    ("row", pa.int64()),
    ("pages", pa.string()),  # which ones of its file, where that was split
    ("status", pa.string()),
]
TAIL = [
    ("score", pa.float64()),
    ("confidence", pa.float64()),
    ("tier", pa.string()),
    ("reason", pa.string()),
    ("waits_for", pa.string()),  # the tier that the budget didn't pay for
    ("warnings", pa.list_(pa.string())),
    ("truncated", pa.bool_()),
    ("tiers_tried", pa.int32()),
    ("requests", pa.int64()),
    ("input_tokens", pa.int64()),
    ("cached_tokens", pa.int64()),
    ("output_tokens", pa.int64()),
    ("usd", USD),
    ("seconds", pa.float64()),
    ("content_hash", pa.string()),
]
LABEL = [
    ("label", pa.string()),
    ("label_mass", pa.float64()),
    ("label_scores", pa.list_(pa.struct({"label": pa.string(), "score": pa.float64()}))),
]
TYPE = [
    ("type", pa.string()),
    ("type_scores", pa.list_(pa.struct({"type": pa.string(), "score": pa.float64()}))),
]
ARROW = {Kind.INTEGER: pa.int64(), Kind.DECIMAL: DECIMAL, Kind.DATE: pa.date32(), Kind.BOOLEAN: pa.bool_()}
FIELDS = pa.schema(
    [("id", pa.string()), ("source", pa.string()), ("row", pa.int64()), ("status", pa.string()), ("tier", pa.string())]
    + [(member.name, member.type) for member in LEAF if member.name != "tier"],
    metadata={"slmbatch.fields": "4"},
)


def results_schema(schema: Schema | None) -> pa.Schema:
    """Return the columns of results.parquet: labels for classify (`schema` is None), a `values` struct for extract.

    Where documents are of several types, `values` has a struct for each of them, null but for the row's own.
    """
    middle = LABEL if schema is None else [*(TYPE if schema.parts else ()), ("values", _arrow(schema.root))]
    return pa.schema([*HEAD, *middle, *TAIL], metadata=VERSION)


def _arrow(node: Node) -> pa.DataType:
    if isinstance(node, Field):
        return ARROW.get(node.kind, pa.string())
    if isinstance(node, Items):
        return pa.list_(_arrow(node.item))
    return pa.struct([(name, _arrow(member)) for name, member in node.members])


def build_tables(folder: RunFolder, parts: Sequence[Path], schema: Schema | None, *, into: Path | None = None) -> None:
    """Write results.parquet, and fields.parquet for extract, one row per input row, in input order.

    `into` is another folder for them than the run's.
    Memory doesn't grow with the number of rows beyond 24 bytes a row for finding results, and 24 more where the schema
    says that values must be unique: rows which share them with an earlier row are warned of.
    """
    into = into or folder.root
    located = LocatedParts(parts)
    counted = np.zeros(sum(pq.read_metadata(path).num_rows for path in parts), dtype=bool)
    unique = [one for one in (schema.parts or (schema,) if schema else ()) if one.unique]
    repeats = [Repeats(one, folder.rows) for one in unique]
    with (
        TableFile(into / "results.parquet", results_schema(schema)) as results,
        TableFile(into / "fields.parquet" if schema else None, FIELDS) as fields,
    ):
        for batch in pq.ParquetFile(folder.rows).iter_batches(GROUP_ROWS):
            rows = pa.Table.from_batches([batch])
            positions = located.find(rows["key"].to_pylist())
            settled = located.take(positions)
            results.write(_results(rows, settled, schema, first=_first(positions, counted), repeats=repeats))
            if schema:
                fields.write(_fields(rows, settled))


def _first(positions: np.ndarray[Any, np.dtype[np.int64]], counted: np.ndarray[Any, np.dtype[np.bool_]]) -> Any:
    """Tell which rows are the first with their content: only these carry its cost."""
    first = np.zeros(len(positions), dtype=bool)
    first[np.unique(positions, return_index=True)[1]] = True
    first &= ~counted[positions]
    counted[positions] = True
    return first


def _results(
    rows: pa.Table, settled: pa.Table, schema: Schema | None, *, first: Any, repeats: Sequence[Repeats]
) -> pa.Table:
    columns: dict[str, Any] = {name: rows[name] for name in ("id", "source", "parent", "row", "pages")}
    columns["status"] = settled["status"]
    if schema is None:
        columns |= {
            "label": settled["label"],
            "label_mass": settled["mass"],
            "label_scores": settled["scores"],
        }
    else:
        leaves = settled["leaves"].to_pylist()
        types = settled["label"].to_pylist()
        nested = [_nested(schema, type_, one) if one else None for type_, one in zip(types, leaves, strict=True)]
        columns["values"] = pa.array(nested, _arrow(schema.root))
        if schema.parts:
            columns |= {"type": settled["label"], "type_scores": _type_scores(settled["scores"])}
    columns |= {name: settled[name] for name in ("score", "confidence", "tier", "reason", "warnings")}
    for one in repeats:
        warned = zip(columns["warnings"].to_pylist(), one.warnings(leaves), strict=True)
        columns["warnings"] = pa.array([[*known, *more] for known, more in warned], pa.list_(pa.string()))
    columns["truncated"] = pc.or_(settled["truncated"], rows["cut"])
    columns["waits_for"] = _kept_away(settled["attempts"])
    columns |= _spent(settled["attempts"], first)
    columns["content_hash"] = pa.array([key.hex() for key in rows["key"].to_pylist()])
    return pa.table([columns[name] for name in results_schema(schema).names], names=results_schema(schema).names)


def _kept_away(attempts: pa.ChunkedArray) -> pa.Array:
    """The first tier of each row that wasn't asked because of the budget, null where there's none."""
    lists = attempts.combine_chunks()
    flat = pc.list_flatten(lists)
    refused = pc.is_in(pc.struct_field(flat, "error_kind"), value_set=pa.array([OverBudget.kind]))
    rows, tiers = pc.list_parent_indices(lists).filter(refused), pc.struct_field(flat, "tier").filter(refused)
    places = np.full(len(lists), -1)
    places[rows.to_numpy()[::-1]] = np.arange(len(rows))[::-1]
    return tiers.take(pc.if_else(pa.array(places < 0), None, pa.array(places)))


def _spent(attempts: pa.ChunkedArray, first: Any) -> dict[str, pa.Array]:
    """Sum the attempts of each row; rows whose content was asked for an earlier row count nothing."""
    lists = attempts.combine_chunks()
    tried = pc.list_value_length(lists).to_numpy(zero_copy_only=False).astype(np.int32)
    flat = pc.list_flatten(lists)
    table = pa.table({"at": pc.list_parent_indices(lists)} | {name: _column(flat, name) for name in SUMMED})
    sums = table.group_by("at").aggregate([(name, "sum") for name in SUMMED])
    here = sums["at"].to_numpy()
    places = np.full(len(lists), -1)
    places[here] = np.arange(len(here))
    wanted = pa.array(np.where(first & (places >= 0), places, -1))
    wanted = pc.if_else(pc.less(wanted, 0), None, wanted)
    zero = {"usd": pa.scalar(Decimal(0), USD), "seconds": 0.0}
    spent = {
        name: pc.fill_null(sums[f"{name}_sum"].combine_chunks().take(wanted), zero.get(name, 0)) for name in SUMMED
    }
    spent["usd"] = spent["usd"].cast(USD)
    return {"tiers_tried": pa.array(tried)} | spent


def _column(flat: pa.StructArray, name: str) -> pa.Array:
    column = pc.struct_field(flat, name)
    return column.cast(USD) if name == "usd" else column


def _fields(rows: pa.Table, settled: pa.Table) -> pa.Table:
    lists = settled["leaves"].combine_chunks()
    parents, flat = pc.list_parent_indices(lists), pc.list_flatten(lists)
    columns = {name: rows[name].take(parents) for name in ("id", "source", "row")}
    columns |= {name: settled[name].take(parents) for name in ("status", "tier")}
    columns |= {member.name: pc.struct_field(flat, member.name) for member in LEAF if member.name != "tier"}
    columns["tier"] = pc.coalesce(pc.struct_field(flat, "tier"), columns["tier"].combine_chunks())
    return pa.table(columns)


def _type_scores(scores: pa.ChunkedArray) -> pa.Array:
    told = ([{"type": one["label"], "score": one["score"]} for one in row] for row in scores.to_pylist())
    return pa.array(told, dict(TYPE)["type_scores"])


def _nested(schema: Schema, type_: str | None, leaves: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Put the leaves of one document back into the shape of the schema, or of its type's, typed."""
    values = {leaf["path"]: leaf["value"] for leaf in leaves}
    of_type = [(name, node) for name, node in schema.root.members if not schema.parts or name == type_]
    return {name: _build(node, name, values) for name, node in of_type}


def _build(node: Node, path: str, values: Mapping[str, str | None]) -> Any:
    if isinstance(node, Field):
        return typed(values.get(path), node.kind)
    if isinstance(node, Group):
        return {name: _build(member, f"{path}.{name}" if path else name, values) for name, member in node.members}
    return [_build(node.item, place, values) for place in _places(path, values)]


def _places(path: str, values: Mapping[str, str | None]) -> Iterator[str]:
    """Yield `path[0]`, `path[1]`, … as far as the reply had items."""
    position = 0
    while any(key == (place := f"{path}[{position}]") or key.startswith((f"{place}.", f"{place}[")) for key in values):
        yield place
        position += 1


def typed(value: str | None, kind: Kind) -> object:
    """Read a canonical value back (see records.canonical)."""
    if value is None:
        return None
    if kind is Kind.DECIMAL:
        return Decimal(value)
    if kind is Kind.DATE:
        return dt.date.fromisoformat(value)
    if kind is Kind.BOOLEAN:
        return value == "true"
    return int(value) if kind is Kind.INTEGER else value
