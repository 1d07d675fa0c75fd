"""From documents with expected values to a head that finds fields, with a card that says how good it is."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from slmbatch import __version__
from slmbatch.errors import InputError
from slmbatch.readers import ReadOptions, find, read
from slmbatch.readers.gold import read_gold
from slmbatch.run.train import check_out
from slmbatch.tasks.hints import HintKind
from slmbatch.tasks.schema import Schema
from slmbatch.types import Document

FEWEST_DOCUMENTS = 10


@dataclass(frozen=True, slots=True)
class FieldTraining:
    """What to train on, and where to put the head. `gold` is JSONL with `id` and `values`."""

    sources: tuple[str, ...]
    gold: Path
    out: Path
    schema: Schema
    reading: ReadOptions
    overwrite: bool = False


def train_fields(training: FieldTraining) -> dict[str, Any]:
    """Fit a head on documents with expected values, save it, and return its card.

    Documents without expected values, and values without a document, are left out. Raises InputError when fewer than
    10 documents are left, TaskError when their values fit no field, RunFolderError when `out` holds something already.
    """
    from slmbatch.heads.fields.fit_fields import fit_fields
    from slmbatch.heads.folder import save_head

    check_out(training.out, overwrite=training.overwrite)
    expected = {key: dict(_flat(value)) for key, value in read_gold(training.gold).items() if isinstance(value, dict)}
    documents = [
        document
        for batch in read(find(training.sources), training.reading)
        for document in batch
        if document.id in expected and document.problem is None
    ]
    if len(documents) < FEWEST_DOCUMENTS:
        remedy = f"Give at least {FEWEST_DOCUMENTS}; an id is the document's path relative to the folder."
        raise InputError(f"{training.gold}: expected values of {len(documents)} readable documents.", remedy)
    gold = [expected[document.id] for document in documents]
    stored = fit_fields(documents, gold, training.schema, groups=_vendors(training.schema, gold))
    card = {
        "made_by": f"slmbatch {__version__}",
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "source": ", ".join(Path(source).name for source in training.sources),
        "schema": training.schema.name,
        "rows_sha256": _hash(documents, gold),
        **stored.card,
    }
    save_head(training.out, stored.kind, settings=stored.settings, card=card, arrays=stored.arrays)
    return card


def _flat(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield values by path; lists are left out, since rules don't look for their items."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif not isinstance(value, list):
            yield f"{prefix}{name}", value


def _vendors(schema: Schema, gold: Sequence[Mapping[str, object]]) -> list[str] | None:
    """The value of the first company or person that every document has: documents of one are held out together."""
    for path, field in schema.fields():
        if field.hint is not None and field.hint.kind is HintKind.PARTY and all(one.get(path) for one in gold):
            return [str(one[path]).casefold() for one in gold]
    return None


def _hash(documents: Sequence[Document], gold: Sequence[Mapping[str, object]]) -> str:
    """SHA-256 over documents and values, whatever their order."""
    rows = sorted(
        document.content_hash().hex() + json.dumps(values, sort_keys=True, default=str)
        for document, values in zip(documents, gold, strict=True)
    )
    return sha256("\n".join(rows).encode("utf-8", "surrogatepass")).hexdigest()
