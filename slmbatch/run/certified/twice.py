"""Asking the top tier about some rows of the sample a second time: what its own agreement is worth.

The second answers are kept apart and replace nothing. They are real ones: neither the run's parts nor its ledger answer
a question that is asked on another occasion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from slmbatch.certificates.noise import Noise
from slmbatch.run.certified.batch import Batch
from slmbatch.run.certified.frozen import Kinds, answers, by_field, fields_of
from slmbatch.run.certified.labels import LABELS_FILE
from slmbatch.run.certified.top import AGAIN, TopTier
from slmbatch.run.promise import Promise
from slmbatch.store.folder import RunFolder
from slmbatch.store.located import LocatedParts
from slmbatch.store.parts import KeyIndex, part_paths


def ask_twice(top: TopTier, promise: Promise, *, folder: RunFolder, batch: Batch, kinds: Kinds | None) -> Noise | None:
    """Ask the top tier again about as many rows of the sample as the promise says, where it has answered them.

    Returns what is known then, which a budget may have cut short; None where nothing was to be asked twice, or no row
    of this batch was labelled.
    """
    labels = folder.certify / LABELS_FILE
    if not promise.twice or not labels.exists():
        return None
    drawn = min(promise.twice, pq.read_metadata(labels).num_rows)
    once = _told(top.stage.parts, _drawn(labels, batch, promise.seed, drawn), kinds)
    top.ask_twice(KeyIndex.of(list(once)))
    return noise(folder, batch, kinds, seed=promise.seed, drawn=drawn)


def noise(folder: RunFolder, batch: Batch, kinds: Kinds | None, *, seed: int, drawn: int) -> Noise:
    """Compare both answers to the texts of so many labelled rows, as the seed has drawn them."""
    keys = _drawn(folder.certify / LABELS_FILE, batch, seed, drawn)
    first, second = (_told(stage.parts, keys, kinds) for stage in (folder.stage("top"), folder.again))
    both = [(first[key], second[key]) for key in keys if key in first and key in second]
    fields = {path: sum(one[1][path] == other[1][path] for one, other in both) for path in fields_of(kinds or {})}
    return Noise(drawn, len(both), sum(one[0] == other[0] for one, other in both), fields)


def _drawn(labels: Path, batch: Batch, seed: int, number: int) -> list[bytes]:
    """Return the contents, each once, of so many labelled rows. A smaller draw is part of a larger one."""
    ids = pq.read_table(labels, columns=["id"])["id"].to_pylist()
    ids.sort(key=lambda one: blake2b(f"{AGAIN} {seed}\n{one}".encode()).digest())
    places = {one: place for place, one in enumerate(batch.frozen.ids)}
    return list(dict.fromkeys(batch.keys_at(np.array([places[one] for one in ids[:number]]))))


def _told(parts: Path, keys: Sequence[bytes], kinds: Kinds | None) -> dict[bytes, tuple[str, Mapping[str, str]]]:
    """Return the answers that a pass has to these contents: whole, and by field."""
    located = LocatedParts(part_paths(parts))
    found = located.find(keys)
    table = located.take(found[found >= 0])
    fields = by_field(table, kinds or {})
    told: dict[bytes, tuple[str, Mapping[str, str]]] = {}
    for at, (key, answer) in enumerate(zip(table["key"].to_pylist(), answers(table, kinds), strict=True)):
        if answer is not None:
            told[key] = answer, {name: (column[at] or {})["answer"] for name, column in fields.items()}
    return told
