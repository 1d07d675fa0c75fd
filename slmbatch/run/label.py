"""Pick the documents that are worth labelling next, for a person to fill in and `train` to read."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from slmbatch.errors import ConfigError, InputError
from slmbatch.heads.text.choosing import choose
from slmbatch.readers import Found, ReadOptions, find, read
from slmbatch.run.config import ConfigFile
from slmbatch.run.head_tier import head_loader, sentence_model
from slmbatch.run.plan import plan_tiers
from slmbatch.tasks.classify import ClassifyTask
from slmbatch.types import Document

LOOKED_AT = 5_000  # documents, drawn at random from larger inputs: enough for hundreds of rows
SEED = 0


@dataclass(frozen=True, slots=True)
class Labelling:
    """What to choose from, how many, and where to write them. `model` is the head whose doubts count."""

    inputs: tuple[str, ...]
    task: ClassifyTask
    count: int
    out: Path
    reading: ReadOptions
    model: str = "head"
    overwrite: bool = False
    download: bool = True


def write_rows_to_label(labelling: Labelling) -> int:
    """Write a table with the columns id, source, text, label (empty), suggested and confidence; return its rows.

    Raises InputError when the file is there already or nothing could be read, ConfigError for a model that is no head.
    """
    if labelling.out.exists() and not labelling.overwrite:
        raise InputError(f"{labelling.out} is there already.", "It may hold labels: give a new name, or --overwrite.")
    if labelling.out.suffix.lower() not in {".csv", ".parquet"}:
        raise ConfigError(f"{labelling.out}: neither .csv nor .parquet.", "Give -o a name that ends so.")
    (tier,) = plan_tiers(labelling.model, (), ConfigFile(), default="head")
    head_loader(tier, labelling.task, download=labelling.download)  # says at once what doesn't fit
    documents = _drawn(find(labelling.inputs), labelling.reading)
    if not documents:
        raise InputError("There is no document that can be read.", "Check the input and --text-column.")
    embedder = sentence_model(tier.settings, download=labelling.download)
    head = head_loader(tier, labelling.task, download=labelling.download, embedder=embedder)()
    answers = [answer for group in _groups(documents, head.batch) for answer in head.answer(group)]
    embedded = embedder.embed([document.text for document in documents])
    chosen = choose(embedded, np.array([answer.score or 0.0 for answer in answers]), labelling.count)
    table = pl.DataFrame(
        {
            "id": [documents[at].id for at in chosen],
            "source": [documents[at].source for at in chosen],
            "text": [documents[at].text for at in chosen],
            "label": [""] * len(chosen),
            "suggested": [answers[at].label for at in chosen],
            "confidence": [answers[at].confidence for at in chosen],
        },
        schema_overrides={"confidence": pl.Float64},
    )
    if labelling.out.suffix.lower() == ".csv":
        table.write_csv(labelling.out)
    else:
        table.write_parquet(labelling.out)
    return len(chosen)


def _groups(documents: list[Document], size: int) -> Iterable[list[Document]]:
    return (documents[at : at + size] for at in range(0, len(documents), size))


def _drawn(found: Found, reading: ReadOptions) -> list[Document]:
    """Draw readable documents with different contents, each equally likely (reservoir sampling, Vitter 1985)."""
    chance = random.Random(SEED)  # noqa: S311  (no secret)
    drawn: list[Document] = []
    seen: set[bytes] = set()
    for batch in read(found, reading):
        for document in batch:
            key = document.content_hash()
            if document.problem is not None or key in seen:
                continue
            seen.add(key)
            if len(drawn) < LOOKED_AT:
                drawn.append(document)
            elif (place := chance.randrange(len(seen))) < LOOKED_AT:
                drawn[place] = document
    return drawn
