"""Which schema a document is for: the one whose fields are found in it, by rules, beside their labels above all.

Measured against names and descriptions compared by a sentence model, which tell invoices from receipts no better than
a coin and know English only (benchmarks/triage.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256

from slmbatch.heads.fields.field_head import Sighted
from slmbatch.heads.fields.sheet import MAX_CHARS
from slmbatch.heads.fields.shipped import rules_head
from slmbatch.tasks.schema import Schema
from slmbatch.tasks.triage import OTHER
from slmbatch.types import Answer, Document

BATCH = 64
DIGITS = 6  # of a score
# Chosen on the four kinds of benchmarks/triage.py, where 1 in 200 documents is then of a wrong type.
FITS, APART, NOTHING = 0.4, 0.1, 0.3
"""The least score of a document's type, how far it must be before the next, and what any type must have for doubt."""


class TypesHead:
    """Tells each document's type. The score of a type is the mean over its fields, lists aside: no probability."""

    batch = BATCH
    characters = MAX_CHARS

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self._heads = {name: rules_head(schema) for name, schema in schemas.items()}
        self._stated = [name for name, schema in schemas.items() if schema.terms]
        named = {name: head.fingerprint for name, head in self._heads.items()}
        self.fingerprint = sha256(json.dumps([named, self._stated]).encode()).hexdigest()

    def answer(self, documents: Sequence[Document]) -> list[Answer]:
        """Return each document's type as a label: OTHER where nothing fits, None and a problem where it's in doubt."""
        return [self._answer(document) for document in documents]

    def _answer(self, document: Document) -> Answer:
        if document.xml is not None and len(self._stated) == 1:  # an e-invoice: there's nothing to find out
            return Answer(label=self._stated[0], scores=((self._stated[0], 1.0),))
        return decided({name: self.score(name, sighted) for name, sighted in self.sight(document).items()})

    def sight(self, document: Document) -> dict[str, dict[str, Sighted]]:
        """Return what is found of each type's fields, by path."""
        return {name: head.sight(document) for name, head in self._heads.items()}

    def score(self, name: str, sighted: Mapping[str, Sighted]) -> float:
        """Return how much of a type's fields is found: 1 is all of them, surely, and each beside a label of its own."""
        found = sum((one.probability + one.labelled) / 2 for one in sighted.values())
        return round(found / max(self._heads[name].sought, 1), DIGITS)


def decided(scores: Mapping[str, float]) -> Answer:
    """Decide on a type by the scores of all."""
    ranked = tuple(sorted(scores.items(), key=lambda one: -one[1]))
    (name, best), (_, second) = ranked[0], ranked[1] if len(ranked) > 1 else ("", 0.0)
    if best < NOTHING:
        return Answer(label=OTHER, scores=ranked)
    if best < FITS or best - second < APART:
        near = " or ".join(f"{one} ({score:.2f})" for one, score in ranked if score > best - APART)
        return Answer(scores=ranked, problems=(f"of unsure type, {near}",))
    return Answer(label=name, scores=ranked)
