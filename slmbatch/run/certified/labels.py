"""What the top tier said about the sample, frozen like the scores: a label that never came stays missing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from slmbatch.run.certified.frozen import Kinds, answers
from slmbatch.store.located import LocatedParts
from slmbatch.store.parts import part_paths
from slmbatch.store.table_file import write_table

LABELS = pa.schema(
    {"id": pa.string(), "answer": pa.string(), "agrees": pa.bool_()},  # of the top tier; null where there is none
    metadata={"slmbatch.labels": "1"},
)


LABELS_FILE = "labels.parquet"  # under the run's certify folder
ASKED_ON = b"slmbatch.asked_on"


def write_labels(
    path: Path, ids: Sequence[str], cheap: Sequence[str], told: Sequence[str | None], *, asked_on: dt.date
) -> None:
    """Write the labels of the sample, in rank order: `cheap` are the rows' own answers, `told` the top tier's."""
    agrees = [None if label is None else label == answer for label, answer in zip(told, cheap, strict=True)]
    layout = LABELS.with_metadata({**(LABELS.metadata or {}), ASKED_ON: asked_on.isoformat().encode()})
    table = pa.table({"id": ids, "answer": told, "agrees": agrees}, layout)
    write_table(path, table)


def read_labels(path: Path) -> dict[str, bool | None]:
    """Return by id whether the top tier agreed."""
    table = pq.read_table(path)
    return dict(zip(table["id"].to_pylist(), table["agrees"].to_pylist(), strict=True))


def labelled_on(path: Path) -> str:
    """Return the date of the labels, ISO 8601."""
    told: bytes = (pq.read_schema(path).metadata or {}).get(ASKED_ON, b"")
    return told.decode()


def told_about(keys: Sequence[bytes], topped: Path, kinds: Kinds | None) -> list[str | None]:
    """Return the top tier's answers about contents, in this order. Takes keys that were all asked about."""
    located = LocatedParts(part_paths(topped))
    return answers(located.take(located.find(keys)), kinds)
