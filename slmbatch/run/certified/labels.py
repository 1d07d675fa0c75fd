"""What the top tier said about the sample. A label that is there stays as it is; one that is missing may still come.

That is no second look. A missing label counts as an error, so the line lies no lower than all labels would draw it, and
what the rule says of the rows above that line it says of those above any higher one: by the same event, so it costs no
delta. A label that comes moves the line down to there at most. The sample, its size and the tolerated errors stay.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from slmbatch.certificates.certificate import Frozen
from slmbatch.certificates.earning import Replaced
from slmbatch.errors import OverBudget
from slmbatch.run.certified.batch import Batch
from slmbatch.run.certified.frozen import Kinds, answers, by_field
from slmbatch.run.replacing import replacements
from slmbatch.store.located import LocatedParts
from slmbatch.store.parts import PASSING, part_paths
from slmbatch.store.table_file import write_table

LABELS = pa.schema(
    {"id": pa.string(), "answer": pa.string(), "agrees": pa.bool_()},  # of the top tier; null where there is none
    metadata={"slmbatch.labels": "1"},
)
DIFFERS = pa.field("differs", pa.list_(pa.string()))  # the fields that do, where these have promises of their own

Differing: TypeAlias = list[list[str] | None]
LABELS_FILE = "labels.parquet"  # under the run's certify folder
MAY_COME = PASSING | {OverBudget.kind}  # errors after which a label may still come
ASKED_ON = b"slmbatch.asked_on"


def agreement(cheap: Sequence[str], told: Sequence[str | None]) -> list[bool | None]:
    """Return whether the top tier's answers, `told`, are the rows' own; None where there is none."""
    return [None if label is None else label == answer for label, answer in zip(told, cheap, strict=True)]


def labels_of(batch: Batch, places: Sequence[int], topped: pa.Table, kinds: Kinds | None) -> dict[str, list[Any]]:
    """Return the columns of a sample's labels but its ids, from the top tier's results about these places of the pool.

    `differs` is among them where fields have promises of their own.
    """
    told, cheap = answers(topped, kinds), batch.frozen.answers or []
    labels: dict[str, list[Any]] = {"answer": told, "agrees": agreement([cheap[place] for place in places], told)}
    if batch.fields and kinds is not None:
        labels[DIFFERS.name] = _differing(batch.fields, places, topped, kinds)
    return labels


def _differing(cheap: Mapping[str, Frozen], places: Sequence[int], topped: pa.Table, kinds: Kinds) -> Differing:
    """Return the fields in which rows of the pool, by place, differ from the top tier; None where it didn't answer."""
    told = by_field(topped, kinds)
    found: Differing = []
    for at, place in enumerate(places):
        rows = {name: (told[name][at], (one.answers or [])[place]) for name, one in cheap.items()}
        answered = all(own is not None for own, _ in rows.values())
        found.append([name for name, (own, one) in rows.items() if own and own["answer"] != one] if answered else None)
    return found


def write_labels(path: Path, labels: Mapping[str, Sequence[Any]], *, asked_on: dt.date) -> None:
    """Write the labels of the sample in the order of the draw: `id`, `answer`, `agrees`, perhaps `differs`."""
    layout = LABELS.append(DIFFERS) if DIFFERS.name in labels else LABELS
    layout = layout.with_metadata({**(LABELS.metadata or {}), ASKED_ON: asked_on.isoformat().encode()})
    write_table(path, pa.table(dict(labels), layout))


def read_labels(path: Path) -> dict[str, bool | None]:
    """Return by id whether the top tier agreed."""
    table = pq.read_table(path)
    return dict(zip(table["id"].to_pylist(), table["agrees"].to_pylist(), strict=True))


def agreed_by_part(path: Path, names: Iterable[str], per: str | None) -> dict[str, dict[str, bool | None]]:
    """Return by part and id whether the top tier agreed: in a field, or in the whole answer."""
    if per != "field":
        return dict.fromkeys(names, read_labels(path))
    table = pq.read_table(path)
    rows = dict(zip(table["id"].to_pylist(), table[DIFFERS.name].to_pylist(), strict=True))
    return {name: {row: None if one is None else name not in one for row, one in rows.items()} for name in names}


def labelled_on(path: Path) -> str:
    """Return the date of the labels, ISO 8601."""
    told: bytes = (pq.read_schema(path).metadata or {}).get(ASKED_ON, b"")
    return told.decode()


def topped_rows(keys: Sequence[bytes], topped: Path) -> pa.Table:
    """Return the top tier's results about contents, in this order. Takes keys that were all asked about."""
    located = LocatedParts(part_paths(topped))
    return located.take(located.find(keys))


def judged_by_top(keys: Sequence[bytes], answered: Path, topped: Path) -> tuple[Replaced, ...]:
    """Say what the cheap tiers made of each other's labels, by the top tier's. Takes keys that were all asked about."""
    told = zip(keys, answers(topped_rows(keys, topped), None), strict=True)
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
