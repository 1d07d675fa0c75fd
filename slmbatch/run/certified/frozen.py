"""The frozen table: every row's cheap answer and score, written down before any answer of the top tier is known.

Answers are kept in a form in which two that mean the same are equal. Rows that nothing could be read of aren't in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from slmbatch.checks.letters import meaning
from slmbatch.store.located import LocatedParts
from slmbatch.store.parts import part_paths
from slmbatch.store.rows import GROUP_ROWS
from slmbatch.store.table_file import TableFile
from slmbatch.tasks.labels import in_order
from slmbatch.tasks.schema import Schema, schema_path
from slmbatch.types import Kind, Status

FROZEN = pa.schema(
    {
        "number": pa.int64(),  # the row's place in the input, from 0
        "id": pa.string(),
        "key": pa.binary(16),
        "score": pa.float64(),
        "usable": pa.bool_(),  # there is an answer that passed every check: only such a row may stay with it
        "answer": pa.string(),
    },
    metadata={"slmbatch.frozen": "1"},
)
FROZEN_FILE = "frozen.parquet"  # under the run's certify folder
BY_FIELD = pa.struct({"score": pa.float64(), "answer": pa.string()})
BY_FIELD_FILE = "by_field.parquet"  # there too, where fields have promises of their own
ROWS_DIGEST = b"slmbatch.rows_sha256"
ANSWER_BYTES = 16
UNREADABLE = pa.scalar(Status.UNREADABLE.value)


Kinds: TypeAlias = Mapping[str, Kind]  # of the schema's leaves, by path without positions


def kinds_of(schema: Schema | None) -> Kinds | None:
    """Return what the leaves of a schema hold; None where the task is to classify."""
    return None if schema is None else {path: field.kind for path, field in schema.fields()}


def sureness(settled: pa.Table) -> pa.ChunkedArray:
    """Return what rows are ranked by, unless another ranking was learned: the probability, if known, else the score.

    With a calibration the answers of several tiers can be compared; without one scores are all there is.
    """
    return pc.coalesce(settled["confidence"], settled["score"])


def write_frozen(
    rows: Path,
    parts: Path,
    kinds: Kinds | None,
    path: Path,
    *,
    scored: Callable[[pa.Table], pa.ChunkedArray] = sureness,
) -> None:
    """Write the frozen table of a batch: the rows that are readable, in input order. `scored` says how sure each is."""
    located = LocatedParts(part_paths(parts))
    number = 0
    layout = FROZEN.with_metadata({**(FROZEN.metadata or {}), ROWS_DIGEST: rows_digest(_names(rows))})
    with TableFile(path, layout) as file:
        for batch in pq.ParquetFile(rows).iter_batches(GROUP_ROWS):
            settled = located.take(located.find(batch["key"].to_pylist()))
            told = answers(settled, kinds)
            columns = {
                "number": np.arange(number, number + len(batch)),
                "id": batch["id"],
                "key": batch["key"],
                "score": scored(settled),
                "usable": [
                    answer is not None and not problems
                    for answer, problems in zip(told, settled["problems"].to_pylist(), strict=True)
                ],
                "answer": told,
            }
            readable = pc.not_equal(settled["status"], UNREADABLE)
            file.write(pa.table(columns, layout).filter(readable))
            number += len(batch)


def rows_digest(rows: Iterable[tuple[str, bytes]]) -> bytes:
    """Return the SHA-256, in hexadecimal, of all rows' ids and contents in input order."""
    digest = sha256()
    for name, key in rows:
        digest.update(key + name.encode() + b"\0")
    return digest.hexdigest().encode()


def _names(rows: Path) -> Iterator[tuple[str, bytes]]:
    for batch in pq.ParquetFile(rows).iter_batches(GROUP_ROWS, columns=["id", "key"]):
        yield from zip(batch["id"].to_pylist(), batch["key"].to_pylist(), strict=True)


def frozen_rows(path: Path) -> bytes:
    """Return the digest of the rows that a frozen table was made of."""
    told: bytes = (pq.read_schema(path).metadata or {}).get(ROWS_DIGEST, b"")
    return told


def answers(settled: pa.Table, kinds: Kinds | None) -> list[str | None]:
    """Return each result's answer as a text that is equal for answers that mean the same; None where there is none.

    Labels as their set. Fields by digest of all values: amounts by value, texts by `meaning`, as in evaluations.
    """
    if kinds is None:
        return [None if one is None else in_order(one) for one in settled["label"].to_pylist()]
    tiers = settled["tier"].to_pylist()
    return [
        None if tier is None else _digest(leaves, kinds)
        for tier, leaves in zip(tiers, settled["leaves"].to_pylist(), strict=True)
    ]


def fields_of(kinds: Kinds) -> list[str]:
    """Return what promises by field are about: leaves, and whole lists, of which all items must be equal."""
    return list(dict.fromkeys(path.partition("[]")[0] for path in kinds))


def write_by_field(rows: Path, parts: Path, kinds: Kinds, path: Path) -> None:
    """Write scores and answers of each field, of the rows of the frozen table and in their order."""
    located = LocatedParts(part_paths(parts))
    with TableFile(path, pa.schema(dict.fromkeys(fields_of(kinds), BY_FIELD))) as file:
        for batch in pq.ParquetFile(rows).iter_batches(GROUP_ROWS, columns=["key"]):
            settled = located.take(located.find(batch["key"].to_pylist()))
            readable = settled.filter(pc.not_equal(settled["status"], UNREADABLE))
            told = by_field(readable, kinds)
            file.write(pa.table({name: pa.array(column, BY_FIELD) for name, column in told.items()}))


def by_field(settled: pa.Table, kinds: Kinds) -> dict[str, list[Mapping[str, Any] | None]]:
    """Return each field's `score` and `answer` in each result; None where there is no answer at all.

    A list's score is that of its least sure leaf. Where nothing was found, the answer is that there is nothing.
    """
    told: dict[str, list[Mapping[str, Any] | None]] = {name: [] for name in fields_of(kinds)}
    for tier, leaves in zip(settled["tier"].to_pylist(), settled["leaves"].to_pylist(), strict=True):
        own: dict[str, list[Mapping[str, Any]]] = {name: [] for name in told}
        for leaf in leaves or ():
            own[schema_path(leaf["path"]).partition("[]")[0]].append(leaf)
        for name, some in own.items():
            told[name].append(None if tier is None else {"score": _least(some), "answer": _digest(some, kinds)})
    return told


def _least(leaves: Sequence[Mapping[str, Any]]) -> float | None:
    scores = [leaf["score"] if leaf["confidence"] is None else leaf["confidence"] for leaf in leaves]
    return None if None in scores else min(scores, default=None)


def _digest(leaves: Sequence[Mapping[str, Any]], kinds: Kinds) -> str:
    told = sorted(
        [leaf["path"], _meaning(leaf["value"], kinds[schema_path(leaf["path"])])]
        for leaf in leaves
        if leaf["value"] is not None
    )
    return blake2b(json.dumps(told).encode(), digest_size=ANSWER_BYTES).hexdigest()


def _meaning(value: str, kind: Kind) -> str:
    if kind is Kind.DECIMAL:
        return format(Decimal(value).normalize(), "f")
    return meaning(value) if kind is Kind.TEXT else value
