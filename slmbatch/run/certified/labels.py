"""What the top tier said about the sample. A label that is there stays as it is; one that is missing may still come.

That is no second look. A missing label counts as an error, so the line lies no lower than all labels would draw it, and
what the rule says of the rows above that line it says of those above any higher one: by the same event, so it costs no
delta. A label that comes moves the line down to there at most. The sample, its size and the tolerated errors stay.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from slmbatch.certificates.earning import Replaced
from slmbatch.errors import OverBudget
from slmbatch.run.certified.frozen import Kinds, answers
from slmbatch.run.replacing import replacements
from slmbatch.store.located import LocatedParts
from slmbatch.store.parts import PASSING, part_paths
from slmbatch.store.table_file import write_table

LABELS = pa.schema(
    {"id": pa.string(), "answer": pa.string(), "agrees": pa.bool_()},  # of the top tier; null where there is none
    metadata={"slmbatch.labels": "1"},
)


LABELS_FILE = "labels.parquet"  # under the run's certify folder
MAY_COME = PASSING | {OverBudget.kind}  # errors after which a label may still come
ASKED_ON = b"slmbatch.asked_on"


def agreement(cheap: Sequence[str], told: Sequence[str | None]) -> list[bool | None]:
    """Return whether the top tier's answers, `told`, are the rows' own; None where there is none."""
    return [None if label is None else label == answer for label, answer in zip(told, cheap, strict=True)]


def write_labels(
    path: Path, ids: Sequence[str], told: Sequence[str | None], agrees: Sequence[bool | None], *, asked_on: dt.date
) -> None:
    """Write the labels of the sample, in rank order."""
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


def judged_by_top(keys: Sequence[bytes], answered: Path, topped: Path) -> tuple[Replaced, ...]:
    """Say what the cheap tiers made of each other's labels, by the top tier's. Takes keys that were all asked about."""
    told = zip(keys, told_about(keys, topped, None), strict=True)
    return tuple(replacements(part_paths(answered), {key: label for key, label in told if label is not None}))


def missed(keys: Sequence[bytes], topped: Path) -> list[bytes]:
    """Return which of these contents the top tier couldn't be reached for, or paid when that was tried again."""
    located = LocatedParts(part_paths(topped))
    found = located.find(keys)
    asked = located.take(found[found >= 0]).select(["key", "tier", "attempts"]).to_pylist()
    return [
        one["key"]
        for one in asked
        if one["tier"] is None and any(each["error_kind"] in MAY_COME for each in one["attempts"])
    ]
