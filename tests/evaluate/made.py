"""The tables of small runs, built by the store out of results, as a run builds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TypeAlias

from slmbatch.evaluate.judged import Judged
from slmbatch.store.folder import RunFolder
from slmbatch.store.parts import PartStore, part_paths
from slmbatch.store.records import record
from slmbatch.store.rows import RowWriter
from slmbatch.store.tables import build_tables
from slmbatch.tasks.schema import Schema
from slmbatch.types import Answer, Attempt, Document, Leaf, Result, Scalar, Status

SURE = 0.8
Told: TypeAlias = tuple[str | None, float | None]  # label and score


def classified(root: Path, answers: Sequence[Told], ids: Sequence[str] | None = None) -> Path:
    """A run with these labels and scores; None: no answer. Ids are 0, 1, 2, … if not given."""
    made = [None if label is None else Answer(label=label, score=score) for label, score in answers]
    return _built(root, made, ids, None)


def extracted(root: Path, schema: Schema, documents: Sequence[Mapping[str, tuple[Scalar | None, float]]]) -> Path:
    """A run with these values and confidences by path."""
    made = [
        Answer(
            leaves=tuple(Leaf(path, value, str(value), confidence=sure) for path, (value, sure) in one.items()),
            score=min((sure for _, sure in one.values()), default=None),
        )
        for one in documents
    ]
    return _built(root, made, None, schema)


def _built(root: Path, answers: Sequence[Answer | None], ids: Sequence[str] | None, schema: Schema | None) -> Path:
    folder = RunFolder(root)
    folder.claim()
    store, rows = PartStore(folder.parts, part_rows=1000), RowWriter(folder.rows)
    for number, answer in enumerate(answers):
        key = number.to_bytes(16, "big")
        status = Status.FAILED if answer is None else Status.REVIEW
        if answer is not None and answer.score is not None and answer.score >= SURE:
            status = Status.ACCEPTED
        attempt = Attempt("openai:m", answer, usd=Decimal("0.01"), requests=1)
        store.settle(record(Result(key, status, (attempt,), None if answer is None else 0)))
        rows.add(Document(ids[number] if ids else str(number), "input.csv", number, ()), key)
    store.commit()
    rows.finish()
    build_tables(folder, part_paths(folder.parts), schema)
    folder.release()
    return root


def values(judged: Judged) -> dict[tuple[str, str | None], float]:
    """Every measure by name."""
    return {(one.metric, one.name): one.value for one in judged.measures()}
